/*
 * The probe of a page of the user's own (--portal-url) that tells whether requests get out unchanged: its body has a
 * certain text, or it is 204 No Content.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plait/fd.h>
#include <plait/name.h>
#include <plait/scope.h>
#include <plait/socket.h>

#include "net/each.h"
#include "net/probes.h"
#include "net/web.h"

enum { PAGE_MS = 1500, NO_CONTENT = 204 };

static int fetch(struct net_run *run, const struct net_http_url *url, struct net_http_reply *reply)
{
        struct net_http_request request = {.method = "GET", .path = url->path, .authority = url->authority};
        struct net_tls_opts tls = {.host = url->host, .ca_file = run->options->ca_file};
        int64_t deadline_ns = net_probe_deadline(run, PAGE_MS);
        struct net_tls_report *report = calloc(1, sizeof *report);
        struct net_stream stream;
        char address[300];

        snprintf(address, sizeof address, strchr(url->host, ':') ? "[%s]:%u" : "%s:%u", url->host, url->port);

        int fd = report ? plait_dial(address, deadline_ns) : -ENOMEM;
        int r = fd < 0 ? fd : 0;

        if (fd >= 0) {
                net_stream_begin(&stream, fd);
                if (url->tls)
                        r = net_stream_start_tls(&stream, &tls, deadline_ns, report);
                if (r == 0)
                        r = net_http_exchange(&stream, &request, deadline_ns, reply);
                net_stream_done(&stream);
                plait_close(fd);
        }
        free(report);
        return r;
}

static void judge(struct net_fact *fact, const struct net_run *run, const struct net_http_reply *reply)
{
        const char *wanted = run->options->portal_expect;
        int status = reply->head.status;
        bool is_fine = wanted ? status == 200 && strstr(reply->body_start, wanted) != NULL : status == NO_CONTENT;

        fact->number = status;
        if (status == 0)
                net_fact_unknown(fact, "%s did not answer", fact->subject);
        else if (is_fine)
                net_fact_ok(fact, "%s answers as it should", fact->subject);
        else
                net_fact_fail(fact, NET_CAPTIVE_PORTAL, "%s answers %d %s instead of %s%s%s", fact->subject, status,
                              reply->head.location[0] ? reply->head.location : reply->head.reason,
                              wanted ? "a page with \"" : "204 No Content", wanted ? wanted : "", wanted ? "\"" : "");
}

bool net_portal_wanted(const struct net_run *run, const struct net_fact *facts, size_t count)
{
        (void)facts;
        (void)count;
        return run->options->portal_url != NULL;
}

int net_portal_probe(struct net_run *run)
{
        struct net_fact fact = net_fact_make(NET_PROXY, "http.portal", run->options->portal_url);
        struct net_http_reply *reply = calloc(1, sizeof *reply);
        struct net_http_url url;
        int r = -EINVAL;

        if (!reply)
                return -ENOMEM;
        if (net_http_split_url(run->options->portal_url, &url))
                r = fetch(run, &url, reply);
        if (r == 0)
                judge(&fact, run, reply);
        else
                net_fact_unknown(&fact, "%s could not be asked: %s", run->options->portal_url, strerrordesc_np(-r));
        free(reply);
        if (r == -ECANCELED || plait_cancelled() < 0)
                return -ECANCELED;
        net_post(run, &fact);
        return 0;
}
