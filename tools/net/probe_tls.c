/*
 * The probe of TLS: the handshake with each address of the target, and all that is wrong with the certificates. When
 * dates are, it also looks whether it is this machine's clock that is wrong.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/x509_vfy.h>

#include <plait/fd.h>
#include <plait/scope.h>
#include <plait/time.h>

#include "net/each.h"
#include "net/probes.h"
#include "net/web.h"

enum { HANDSHAKE_MS = 1300, SILENT_MS = 1000, DATE_MS = 400, SNTP_MS = 250, SNTP_LONG_MS = 900 };

struct session {
        struct net_run *run;
        const struct net_ip *ip; /* NULL: by a proxy */
        char subject[NET_SUBJECT_BYTES];
        struct net_tls_report report;
        struct net_http_reply reply;
        int64_t waited_ns; /* for the handshake */
        int result;        /* of the handshake, or of the connection */
        bool connected;
};

static struct net_fact make(const struct session *session, const char *name)
{
        struct net_fact fact = net_fact_make(NET_TLS, name, session->subject);

        fact.family = session->ip ? session->ip->family : 0;
        return fact;
}

static const char *alert_text(int alert)
{
        switch (alert) {
        case 40: return "handshake failure: no version, cipher or extension that both sides accept";
        case 42: return "bad certificate";
        case 70: return "the protocol version is not supported";
        case 71: return "insufficient security";
        case 80: return "internal error";
        case 112: return "it knows no server of that name";
        case 116: return "it wants a certificate from the client";
        default: return "an alert";
        }
}

static bool is_old(const char *version)
{
        return strcmp(version, "TLSv1") == 0 || strcmp(version, "TLSv1.1") == 0 || strcmp(version, "SSLv3") == 0;
}

/* What the server would have spoken, had it been allowed; "" when nothing is known. */
static void look_for_version(struct session *session, char *buf, size_t bytes)
{
        struct net_tls_opts opts = {.host = session->run->target.host, .any_version = true};
        struct net_tls_report *report = malloc(sizeof *report);
        int64_t deadline_ns = net_probe_deadline(session->run, DATE_MS);
        int fd = report ? net_web_dial(session->run, session->ip, deadline_ns) : -ENOMEM;

        buf[0] = 0;
        if (fd >= 0) {
                struct net_stream stream;

                net_stream_begin(&stream, fd);
                if (net_stream_start_tls(&stream, &opts, deadline_ns, report) == 0)
                        snprintf(buf, bytes, "; it speaks %s with %s, which is no longer safe", report->version,
                                 report->cipher);
                net_stream_done(&stream);
                plait_close(fd);
        }
        free(report);
}

/* That there is no agreement, first; then, which versions the server has. */
static void post_disagreement(struct session *session, struct net_fact *fact)
{
        char why[NET_WHY_BYTES];
        char version[128];

        net_post(session->run, fact);
        look_for_version(session, version, sizeof version);
        snprintf(why, sizeof why, "%s", fact->why);
        net_fact_fail(fact, NET_TLS_PROTOCOL, "%s%s", why, version);
}

static void post_handshake(struct session *session)
{
        const struct net_tls_report *report = &session->report;
        struct net_fact fact = make(session, "tls.handshake");

        fact.ms = (double)session->waited_ns / 1e6;
        switch (report->end) {
        case NET_TLS_END_OK: net_fact_ok(&fact, "%s %s", report->version, report->cipher); break;
        case NET_TLS_END_RESET:
        case NET_TLS_END_CLOSED:
                net_fact_fail(&fact, NET_TLS_RESET, "the connection was %s after the ClientHello",
                              report->end == NET_TLS_END_RESET ? "reset" : "closed without a word");
                break;
        case NET_TLS_END_PLAINTEXT:
                net_fact_fail(&fact, NET_TLS_PLAINTEXT, "the answer to the ClientHello is no TLS: \"%s\"",
                              report->text_start);
                break;
        case NET_TLS_END_ALERT:
                net_fact_fail(&fact, NET_TLS_PROTOCOL, "the server answered with alert %d, %s", report->alert,
                              alert_text(report->alert));
                post_disagreement(session, &fact);
                break;
        case NET_TLS_END_FAILED:
                if (is_old(report->version)) { /* then nobody need ask for what else it has: many serve one at a time */
                        net_fact_fail(&fact, NET_TLS_PROTOCOL, "the server speaks %s, which is no longer safe: %s",
                                      report->version, report->problem);
                } else {
                        net_fact_fail(&fact, NET_TLS_PROTOCOL, "the handshake failed: %s", report->problem);
                        post_disagreement(session, &fact);
                }
                break;
        case NET_TLS_END_SILENT:
                if (session->waited_ns >= SILENT_MS * 1000000LL)
                        net_fact_fail(&fact, NET_TLS_SILENT, "no answer to the ClientHello in %.1f s", fact.ms / 1e3);
                else
                        net_fact_unknown(&fact, "no answer to the ClientHello in %.1f s, and no time left to be sure",
                                         fact.ms / 1e3);
                break;
        case NET_TLS_END_SLOW:
                net_fact_unknown(&fact, "the handshake began and did not end in %.1f s", fact.ms / 1e3);
                break;
        }
        net_post(session->run, &fact);
}

static void date_text(int64_t seconds, char *buf, size_t bytes)
{
        time_t when = (time_t)seconds;
        struct tm parts;

        buf[0] = 0;
        if (gmtime_r(&when, &parts))
                strftime(buf, bytes, "%Y-%m-%d %H:%M UTC", &parts);
}

static void post_dates(struct session *session)
{
        const struct net_tls_report *report = &session->report;
        struct net_fact fact = make(session, "tls.dates");
        char from[32];
        char to[32];

        date_text(report->not_before, from, sizeof from);
        date_text(report->not_after, to, sizeof to);
        if (report->expired_for > 0) {
                fact.number = report->expired_for;
                net_fact_fail(
                        &fact, NET_TLS_EXPIRED,
                        "a certificate of the chain expired %.1f days ago; the server's own is valid from %s to %s",
                        (double)report->expired_for / 86400, from, to);
        } else if (report->valid_in > 0) {
                fact.number = report->valid_in;
                net_fact_fail(
                        &fact, NET_TLS_NOT_YET_VALID,
                        "a certificate of the chain is not valid for %.1f days yet; the server's own is from %s to %s",
                        (double)report->valid_in / 86400, from, to);
        } else {
                net_fact_ok(&fact, "valid until %s", to);
        }
        net_post(session->run, &fact);
}

static void post_name(struct session *session)
{
        const struct net_tls_report *report = &session->report;
        struct net_fact fact = make(session, "tls.name");
        const char *names = report->names[0] ? report->names : report->subject;

        if (net_tls_name_is_wrong(report))
                net_fact_fail(&fact, NET_TLS_NAME, "the certificate is for %s", names);
        else
                net_fact_ok(&fact, "%s", names);
        net_post(session->run, &fact);
}

static void post_chain(struct session *session)
{
        const struct net_tls_report *report = &session->report;
        struct net_fact fact = make(session, "tls.chain");
        const char *more = report->chain_count == 1 ? "" : "s";

        switch (net_tls_trust(report)) {
        case NET_TLS_TRUSTED:
                net_fact_ok(&fact, "%zu certificate%s, by %s", report->chain_count, more, report->issuer);
                break;
        case NET_TLS_LEAF_SELF_SIGNED:
                net_fact_fail(&fact, NET_TLS_SELF_SIGNED, "the certificate of %s is signed by itself", report->subject);
                break;
        case NET_TLS_INTERMEDIATE_MISSING:
                net_fact_fail(&fact, NET_TLS_MISSING_INTERMEDIATE,
                              "the server sent %zu certificate%s and not that of %s, which signed the last one%s%s",
                              report->chain_count, more, report->top_issuer,
                              report->issuer_url[0] ? "; it can be had at " : "", report->issuer_url);
                break;
        case NET_TLS_ROOT_UNKNOWN:
                net_fact_fail(&fact, NET_TLS_UNTRUSTED, "nobody whom this machine trusts vouches for %s",
                              report->top_issuer[0] ? report->top_issuer : report->issuer);
                break;
        }
        if (report->revoked)
                net_fact_fail(&fact, NET_TLS_REVOKED,
                              "the server itself sends the proof: its stapled OCSP answer says so");
        net_post(session->run, &fact);
}

/* Dates can be wrong because the clock is. */
static int check_clock(struct session *session, struct net_stream *stream)
{
        struct net_run *run = session->run;
        struct net_clocks clocks = {.count = 0};
        char path[NET_WEB_PATH];

        if (session->report.expired_for == 0 && session->report.valid_in == 0)
                return 0;
        if (run->target.http) {
                struct net_http_request request = net_web_request(run, "HEAD", path);
                int r = net_http_exchange(stream, &request, net_probe_deadline(run, DATE_MS), &session->reply);

                if (r < 0)
                        return r;
                net_web_note_date(run, &session->reply, &clocks);
        }

        bool is_wrong = clocks.count > 0 && llabs(clocks.at[0].ahead_s) >= NET_CLOCK_WRONG_S;

        if (clocks.count == 0 || is_wrong) {
                int64_t deadline_ns = net_probe_deadline(run, is_wrong ? SNTP_LONG_MS : SNTP_MS);
                int r = net_clocks_ask(run, session->ip, &clocks, deadline_ns);

                if (r < 0)
                        return r;
        }
        net_clocks_post(run, &clocks);
        return 0;
}

static int shake_hands(struct session *session)
{
        struct net_run *run = session->run;
        struct net_tls_opts opts = {.host = run->target.host, .ca_file = run->options->ca_file};
        int64_t deadline_ns = net_probe_deadline(run, HANDSHAKE_MS);
        struct net_stream stream;
        int fd = net_web_dial(run, session->ip, deadline_ns);

        if (fd < 0)
                return fd;

        int64_t begin_ns = plait_now_ns();

        session->connected = true;
        net_stream_begin(&stream, fd);

        int r = net_stream_start_tls(&stream, &opts, deadline_ns, &session->report);

        session->waited_ns = plait_now_ns() - begin_ns;
        if (r == 0) {
                r = check_clock(session, &stream); /* first, for the verdict about dates depends on it */
                if (r == 0) {
                        post_chain(session);
                        post_name(session);
                        post_dates(session);
                }
        }
        if (r == 0 || r == -EPROTO || (r == -ETIMEDOUT && plait_cancelled() == 0)) {
                post_handshake(session);
                r = 0;
        }
        net_stream_done(&stream);
        plait_close(fd);
        return r;
}

static int look(struct net_run *run, const struct net_ip *ip)
{
        struct session *session = calloc(1, sizeof *session);

        if (!session)
                return -ENOMEM;
        session->run = run;
        session->ip = ip;
        net_web_subject(run, ip, session->subject);

        int r = shake_hands(session);

        if (r < 0 && r != -ECANCELED) {
                struct net_fact fact = make(session, "tls.handshake");

                if (r == -ENOMEM && session->connected)
                        net_fact_unknown(&fact, "TLS could not be started: are %s there and readable?",
                                         run->options->ca_file ? run->options->ca_file : "the system's certificates");
                else
                        net_fact_unknown(&fact, "there is no connection to try it on: %s", strerrordesc_np(-r));
                net_post(run, &fact);
                r = 0;
        }
        free(session);
        return r;
}

bool net_tls_wanted(const struct net_run *run, const struct net_fact *facts, size_t count)
{
        (void)facts;
        (void)count;
        return run->target.given && run->target.tls;
}

int net_tls_probe(struct net_run *run)
{
        return net_web_each(run, NET_ADDRESSES_MAX, look);
}
