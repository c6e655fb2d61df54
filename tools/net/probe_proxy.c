/*
 * The proxy that the environment names for the target: is it there, and does it go there?
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <plait/fd.h>
#include <plait/time.h>

#include "net/probes.h"
#include "net/proxy_dial.h"

#define PATIENCE_MS 1500 /* for the connection and the answer each: two SYNs, then silence means nobody is there */

bool net_proxy_wanted(const struct net_run *run, const struct net_fact *facts, size_t count)
{
        (void)facts;
        (void)count;
        return run->proxy.set;
}

static int64_t limit(const struct net_run *run)
{
        int64_t deadline = plait_in_ms(PATIENCE_MS);

        return deadline < run->deadline_ns ? deadline : run->deadline_ns;
}

static struct net_fact make(const struct net_run *run, const char *name)
{
        struct net_fact fact = net_fact_make(NET_PROXY, name, run->proxy.text);

        if (run->proxy_address_count > 0)
                fact.from = run->proxy_addresses[0];
        return fact;
}

static void post_connect(struct net_run *run, int r, int64_t begin)
{
        struct net_fact fact = make(run, "proxy.connect");

        fact.ms = net_ms_since(begin);
        if (r >= 0)
                net_fact_ok(&fact, "connected (from %s)", run->proxy.source);
        else if (r == -ENOENT)
                net_fact_unknown(&fact, "its name has no address");
        else
                net_fact_fail(&fact, NET_PROXY_DEAD, "the proxy %s, which %s names, cannot be connected to: %s",
                              run->proxy.text, run->proxy.source, strerrordesc_np(-r));
        net_post(run, &fact);
}

static void post_answer(struct net_run *run, int status, int64_t begin)
{
        struct net_fact fact = make(run, "proxy.answer");

        fact.ms = net_ms_since(begin);
        fact.number = status;
        if (status == 407)
                net_fact_fail(&fact, NET_PROXY_AUTH, "%s answers 407: %s", run->proxy.text,
                              *run->proxy.user ? "it does not take the user and password that it was given"
                                               : "it wants a user and a password");
        else if (status == -EPROTO)
                net_fact_fail(&fact, NET_PROXY_REFUSES, "what %s answers is no HTTP", run->proxy.text);
        else if (status < 0)
                net_fact_unknown(&fact, "it does not answer: %s", strerrordesc_np(-status));
        else if (run->target.tls && status / 100 != 2)
                net_fact_fail(&fact, NET_PROXY_REFUSES, "%s answers CONNECT %s with %d", run->proxy.text,
                              run->target.host, status);
        else
                net_fact_ok(&fact, "takes the request");
        net_post(run, &fact);
}

int net_proxy_probe(struct net_run *run)
{
        int64_t begin = plait_now_ns();

        if (run->proxy.malformed) {
                struct net_fact fact = make(run, "proxy.connect");
                net_fact_unknown(&fact, "%s names a proxy that speaks no HTTP: it is passed over", run->proxy.source);
                net_post(run, &fact);
                return 0;
        }
        int r = plait_event_wait(&run->proxied, run->deadline_ns);
        if (r < 0)
                return r;
        int fd = net_proxy_connect(run, limit(run));
        if (fd == -ECANCELED)
                return fd;
        post_connect(run, fd, begin);
        if (fd < 0)
                return 0;
        begin = plait_now_ns();
        int status = net_proxy_request(run, fd, limit(run));
        plait_close(fd);
        if (status == -ECANCELED)
                return status;
        post_answer(run, status, begin);
        return 0;
}
