/*
 * The probe of HTTP: asks for the target's page over one address of each family, follows redirects as long as they stay
 * on the same host, and tells what became of it. Who the server is was the business of the probe of TLS: what it shows
 * is believed here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plait/fd.h>
#include <plait/scope.h>
#include <plait/time.h>

#include "net/each.h"
#include "net/portal.h"
#include "net/probes.h"
#include "net/web.h"

enum { REDIRECTS_MAX = 10, EXCHANGE_MS = 1650, NO_FIRST_BYTE_MS = 1000, SNTP_MS = 900 };

struct visit {
        struct net_run *run;
        const struct net_ip *ip; /* NULL: by a proxy */
        char subject[NET_SUBJECT_BYTES];
        char *urls[REDIRECTS_MAX + 1]; /* in the order in which they were asked for */
        size_t count;
        int64_t connect_ns, tls_ns;
        struct net_tls_report report;
        struct net_http_reply reply;
        bool loops, leaves; /* the redirects go round in circles, or to another host */
        char *next;         /* where the last redirect leads to */
};

static struct net_fact make(const struct visit *visit, enum net_layer layer, const char *name)
{
        struct net_fact fact = net_fact_make(layer, name, visit->subject);

        fact.family = visit->ip ? visit->ip->family : 0;
        return fact;
}

/* Ask for *url*. 0 with *reply*; -EPROTO: TLS did not come about; or -errno of the connection. */
static int ask(struct visit *visit, const struct net_http_url *url, const struct net_http_request *request)
{
        int64_t deadline_ns = net_probe_deadline(visit->run, EXCHANGE_MS);
        int64_t begin_ns = plait_now_ns();
        struct net_tls_opts tls = {.host = url->host, .ca_file = visit->run->options->ca_file};
        struct net_stream stream;
        int fd = visit->ip ? net_web_connect(visit->ip, url->port, deadline_ns)
                           : net_web_dial(visit->run, NULL, deadline_ns);
        int r = 0;

        if (fd < 0)
                return fd;
        visit->connect_ns = plait_now_ns() - begin_ns;
        visit->tls_ns = 0;
        net_stream_begin(&stream, fd);
        if (url->tls) {
                r = net_stream_start_tls(&stream, &tls, deadline_ns, &visit->report);
                visit->tls_ns = plait_now_ns() - begin_ns - visit->connect_ns;
        }
        if (r == 0)
                r = net_http_exchange(&stream, request, deadline_ns, &visit->reply);
        net_stream_done(&stream);
        plait_close(fd);
        return r;
}

static bool was_visited(const struct visit *visit, const char *url)
{
        for (size_t i = 0; i < visit->count; i++)
                if (strcmp(visit->urls[i], url) == 0)
                        return true;
        return false;
}

/* Whether there is another page to ask for: *next* of this host, not seen yet. */
static bool goes_on(struct visit *visit)
{
        struct net_http_url here;
        struct net_http_url there;
        const char *url = visit->urls[visit->count - 1];
        int status = visit->reply.head.status;

        free(visit->next);
        visit->next = NULL;
        if (status < 300 || status > 399 || status == 304 ||
            net_http_redirect(url, visit->reply.head.location, &visit->next) < 0 || !visit->next)
                return false;
        visit->leaves = !net_portal_same_site(url, visit->next);
        if (visit->leaves || !net_http_split_url(url, &here) || !net_http_split_url(visit->next, &there))
                return false;
        visit->loops = was_visited(visit, visit->next) || visit->count > REDIRECTS_MAX;
        if (visit->loops)
                return false;
        return visit->ip ||
               (here.tls == there.tls && here.port == there.port); /* a proxy is asked for one target only */
}

static int follow(struct visit *visit)
{
        for (;;) {
                struct net_http_url url;
                char path[NET_WEB_PATH];
                struct net_http_request request = net_web_request(visit->run, "GET", path);

                if (!net_http_split_url(visit->urls[visit->count - 1], &url))
                        return -EINVAL;
                if (visit->count > 1) {
                        bool whole = !visit->ip && !url.tls;

                        snprintf(path, sizeof path, "%s%s%s", whole ? "http://" : "", whole ? url.authority : "",
                                 url.path);
                        request.authority = url.authority;
                }

                int r = ask(visit, &url, &request);

                if (r < 0 || !goes_on(visit))
                        return r;
                visit->urls[visit->count++] = visit->next;
                visit->next = NULL;
        }
}

static void judge_head(const struct visit *visit, struct net_fact *fact)
{
        const struct net_http_reply *reply = &visit->reply;
        int status = reply->head.status;

        fact->ms = (double)reply->first_byte_ns / 1e6;
        fact->number = status;
        if (status == 0 && reply->end == NET_HTTP_END_SILENT) {
                fact->ms = (double)reply->silent_ns / 1e6;
                if (reply->silent_ns >= NO_FIRST_BYTE_MS * 1000000LL)
                        net_fact_fail(fact, NET_HTTP_NO_FIRST_BYTE,
                                      "the server took the request and sent no byte of an answer in %.1f s",
                                      fact->ms / 1e3);
                else
                        net_fact_unknown(fact, "no answer in %.1f s, and no time left to be sure", fact->ms / 1e3);
        } else if (status == 0 && reply->end == NET_HTTP_END_CLOSED) {
                net_fact_fail(fact, NET_HTTP_MALFORMED, "the server closed the connection without an answer");
        } else if (status == 0) {
                net_fact_fail(fact, NET_HTTP_MALFORMED, "the answer is no HTTP/1.1: \"%s\"", reply->text_start);
        } else if (status >= 500) {
                net_fact_fail(fact, NET_HTTP_SERVER_ERROR, "the server answered %d %s", status, reply->head.reason);
        } else if (status >= 400) {
                net_fact_fail(fact, NET_HTTP_CLIENT_ERROR, "the server answered %d %s", status, reply->head.reason);
        } else if (visit->leaves) {
                net_fact_ok(fact, "%d %s, to %s", status, reply->head.reason, visit->next);
        } else {
                net_fact_ok(fact, "%d %s", status, reply->head.reason);
        }
}

static void post_body(const struct visit *visit)
{
        const struct net_http_reply *reply = &visit->reply;
        struct net_fact fact = make(visit, NET_HTTP, "http.body");

        if (reply->head.status == 0)
                return;
        fact.ms = (double)reply->body_ns / 1e6;
        fact.number = (int64_t)reply->body_bytes;
        switch (reply->end) {
        case NET_HTTP_END_STALLED:
                net_fact_fail(&fact, NET_HTTP_BODY_STALL, "after %llu bytes of the body nothing came for %.1f s",
                              (unsigned long long)reply->body_bytes, (double)reply->silent_ns / 1e9);
                break;
        case NET_HTTP_END_CUT:
                net_fact_fail(&fact, NET_HTTP_MALFORMED,
                              "the connection was closed in the middle of the body, after %llu bytes",
                              (unsigned long long)reply->body_bytes);
                break;
        case NET_HTTP_END_MALFORMED:
                net_fact_fail(&fact, NET_HTTP_MALFORMED, "the body is not as the header fields say");
                break;
        default: net_fact_ok(&fact, "%llu bytes", (unsigned long long)reply->body_bytes);
        }
        net_post(visit->run, &fact);
}

static void post_rest(const struct visit *visit)
{
        struct net_fact phases = make(visit, NET_HTTP, "http.phases");
        struct net_fact redirects = make(visit, NET_HTTP, "http.redirects");
        const struct net_http_reply *reply = &visit->reply;

        if (reply->head.status == 0)
                return;
        net_fact_ok(&phases, "connect %.1f tls %.1f first byte %.1f body %.1f ms", (double)visit->connect_ns / 1e6,
                    (double)visit->tls_ns / 1e6, (double)reply->first_byte_ns / 1e6, (double)reply->body_ns / 1e6);
        net_post(visit->run, &phases);
        redirects.number = (int64_t)visit->count - 1;
        if (visit->loops && visit->next && was_visited(visit, visit->next))
                net_fact_fail(&redirects, NET_HTTP_REDIRECT_LOOP, "%s redirects to %s, which was asked for already",
                              visit->urls[visit->count - 1], visit->next);
        else if (visit->loops)
                net_fact_fail(&redirects, NET_HTTP_REDIRECT_LOOP, "after %zu redirects there is another one, to %s",
                              visit->count - 1, visit->next);
        else
                net_fact_ok(&redirects, "%zu", visit->count - 1);
        net_post(visit->run, &redirects);
}

/* Whether who answers sends everybody to the place *location*, whatever they ask for. */
static bool redirects_everything(struct visit *visit, const struct net_http_url *url, const char *location)
{
        struct net_http_request request = {.method = "GET", .path = "/", .authority = NET_PORTAL_NOWHERE};
        char *other = NULL;
        bool result = ask(visit, url, &request) == 0 && visit->reply.head.status >= 300 &&
                      visit->reply.head.status < 400 &&
                      net_http_redirect("http://" NET_PORTAL_NOWHERE "/", visit->reply.head.location, &other) == 0 &&
                      net_portal_same_site(location, other);

        free(other);
        return result;
}

static struct net_ip gateway_of(const struct net_run *run, int family)
{
        for (size_t i = 0; i < run->host.routes.count; i++)
                if (run->host.routes.at[i].prefix_bits == 0 && run->host.routes.at[i].gateway.family == family)
                        return run->host.routes.at[i].gateway;
        return (struct net_ip){.family = 0};
}

/* Only of plain requests that went directly; it may ask again, and so comes last. */
static void look_for_portal(struct visit *visit)
{
        struct net_fact fact = make(visit, NET_PROXY, "http.portal");
        const char *url = visit->urls[visit->count - 1];
        struct net_http_url parts;
        int status = visit->reply.head.status;

        if (!visit->ip || status == 0 || !net_http_split_url(url, &parts) || parts.tls)
                return;

        struct net_ip gateway = gateway_of(visit->run, visit->ip->family);
        const char *location = visit->leaves ? visit->next : "";
        enum net_portal_sign sign = net_portal_judge(url, visit->ip, &gateway, status, location);
        struct net_http_url portal;

        if (sign == NET_PORTAL_LIKELY)
                sign = redirects_everything(visit, &parts, location) ? NET_PORTAL_REDIRECT : NET_PORTAL_NONE;
        if (sign == NET_PORTAL_STATUS) {
                net_fact_fail(&fact, NET_CAPTIVE_PORTAL, "the answer is %d, which asks to log in to the network",
                              status);
        } else if (sign == NET_PORTAL_REDIRECT) {
                if (net_http_split_url(location, &portal))
                        (void)net_ip_parse(portal.host, &fact.from);
                net_fact_fail(&fact, NET_CAPTIVE_PORTAL, "the request is redirected to %s", location);
        } else {
                net_fact_ok(&fact, "no sign of one");
        }
        net_post(visit->run, &fact);
}

static double ms_of(struct net_run *run, const char *name, const char *subject)
{
        struct net_fact fact;

        return net_board_find(&run->board, name, subject, &fact) && fact.state == NET_OK ? fact.ms : -1;
}

/*
 * Many sites have a proxy of their own, which says so. One on the way is nearer than the site: it accepts a connection
 * sooner than the site could.
 */
static void look_for_interception(struct visit *visit)
{
        const struct net_http1_head *head = &visit->reply.head;
        struct net_fact fact = make(visit, NET_PROXY, "http.via");
        const char *what = head->via[0] ? head->via : head->cache;
        double echo_ms = ms_of(visit->run, "icmp.echo", visit->subject);
        double connect_ms = ms_of(visit->run, "tcp.connect", visit->subject);

        if (!visit->ip || head->status == 0 || visit->tls_ns > 0)
                return;
        if (!what[0])
                net_fact_ok(&fact, "none");
        else if (echo_ms >= 0 && connect_ms >= 0 && echo_ms - connect_ms > 5 && connect_ms < echo_ms / 2)
                net_fact_fail(&fact, NET_INTERCEPTED,
                              "a proxy answers, \"%s\", and connects in %.1f ms where the target itself takes %.1f ms",
                              what, connect_ms, echo_ms);
        else
                net_fact_unknown(&fact, "a proxy answers, \"%s\"; it may be the site's own", what);
        net_post(visit->run, &fact);
}

static int check_clock(struct visit *visit)
{
        struct net_clocks clocks = {.count = 0};
        struct net_fact known;
        int r = 0;

        net_web_note_date(visit->run, &visit->reply, &clocks);
        /* With TLS, the other probe looks for it if the dates call for it, and knows more. */
        if (clocks.count == 0 || net_board_find(&visit->run->board, "clock.skew", NULL, &known))
                return 0;
        if (llabs(clocks.at[0].ahead_s) >= NET_CLOCK_WRONG_S)
                r = net_clocks_ask(visit->run, visit->ip, &clocks, net_probe_deadline(visit->run, SNTP_MS));
        if (r == 0)
                net_clocks_post(visit->run, &clocks);
        return r;
}

static int report(struct visit *visit, int r)
{
        struct net_fact fact = make(visit, NET_HTTP, "http.status");

        if (r < 0) {
                net_fact_unknown(&fact,
                                 r == -EPROTO ? "there is no TLS to ask through: %s"
                                              : "there is no connection to ask through: %s",
                                 strerrordesc_np(-r));
                net_post(visit->run, &fact);
                return 0;
        }
        judge_head(visit, &fact);
        look_for_interception(visit);
        post_body(visit);
        post_rest(visit);
        r = check_clock(visit);
        if (r == 0)
                look_for_portal(visit);
        net_post(visit->run, &fact); /* last: a portal, or a proxy, would explain it */
        return r;
}

static int look(struct net_run *run, const struct net_ip *ip)
{
        struct visit *visit = calloc(1, sizeof *visit);
        const struct net_target *target = &run->target;
        int r = -ENOMEM;

        if (!visit)
                return r;
        visit->run = run;
        visit->ip = ip;
        net_web_subject(run, ip, visit->subject);
        if (asprintf(&visit->urls[0], "%s://%s%s", target->tls ? "https" : "http", target->authority, target->path) >=
            0) {
                visit->count = 1;
                r = follow(visit);
                if (r != -ECANCELED && plait_cancelled() == 0)
                        r = report(visit, r);
        }
        for (size_t i = 0; i < visit->count; i++)
                free(visit->urls[i]);
        free(visit->next);
        free(visit);
        return r;
}

bool net_http_wanted(const struct net_run *run, const struct net_fact *facts, size_t count)
{
        (void)facts;
        (void)count;
        return run->target.given && run->target.http;
}

int net_http_probe(struct net_run *run)
{
        return net_web_each(run, 1, look);
}
