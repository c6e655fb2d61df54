/*
 * The probe of the path MTU: a ladder of echo requests where they are allowed, and a large HTTP request where there is
 * a server for it. A black hole is one when large packets vanish in silence, and TCP stalls over it or works with small
 * segments only; large echo requests alone may have been dropped for being large.
 */
#include <errno.h>
#include <string.h>

#include <plait/scope.h>
#include <plait/task.h>
#include <plait/time.h>

#include "net/each.h"
#include "net/flow.h"
#include "net/ladder.h"
#include "net/probes.h"

enum { STACK = 256 << 10, LADDER_MS = 1500, FLOW_MS = 1000, SMALLEST_PATH = 1280 };
enum { TURN_MS = 350, TURN_STEP_MS = 15 };

/*
 * What is tried when the usual size (0) stalls, to learn what gets through. The usual size is among them: if that works
 * now, the server was slow, or a packet was lost.
 */
static const int segments[] = {0, 0, 536, 1220, 1340, 1380};

#define SEGMENTS (sizeof segments / sizeof *segments)

struct measured {
        struct net_run *run;
        const struct net_ip *ip;
        struct net_ladder ladder;
        int ladder_result;
        struct net_flow flow;
        int flow_result;
        int passed; /* the largest of *segments* with which it flowed; 0: none did, or none was tried */
};

static int climb(void *arg)
{
        struct measured *self = arg;

        self->ladder_result = net_ladder_climb(self->ip, net_probe_deadline(self->run, LADDER_MS), &self->ladder);
        return self->ladder_result == -ECANCELED ? -ECANCELED : 0;
}

struct small {
        struct measured *measured;
        int segment;
        struct net_flow flow;
};

static int flow_small(void *arg)
{
        struct small *self = arg;
        const struct measured *of = self->measured;

        return net_flow_try(of->run, of->ip, self->segment, net_probe_deadline(of->run, FLOW_MS), &self->flow);
}

/* 0: none, or so few, or so oddly, that it is not their size. */
static int largest_that_passed(const struct small *small)
{
        int passed = 0;
        unsigned count = 0;
        bool was_stopped = false;

        for (size_t i = 0; i < SEGMENTS; i++) {
                bool is_ok = small[i].flow.end == NET_FLOW_OK;

                if (is_ok && (small[i].segment == 0 || was_stopped))
                        return 0;
                if (is_ok) {
                        passed = small[i].segment;
                        count++;
                }
                was_stopped |= !is_ok && small[i].segment != 0;
        }
        return count >= 2 ? passed : 0;
}

static int flow(void *arg)
{
        struct measured *self = arg;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .stack_bytes = STACK};
        struct small small[SEGMENTS];

        self->flow_result = net_flow_try(self->run, self->ip, 0, net_probe_deadline(self->run, FLOW_MS), &self->flow);
        if (self->flow_result < 0 || self->flow.end != NET_FLOW_STALLED)
                return self->flow_result == -ECANCELED ? -ECANCELED : 0;
        for (size_t i = 0; i < SEGMENTS; i++) {
                small[i] = (struct small){.measured = self, .segment = segments[i]};
                plait_scope_start(&scope, flow_small, &small[i], &opts, NULL);
        }

        int r = plait_scope_join(&scope);

        if (r == 0)
                self->passed = largest_that_passed(small);
        return r;
}

/* As a packet, with its headers. */
static int64_t packet_of(const struct measured *self)
{
        return self->passed + (self->ip->family == AF_INET6 ? 60 : 40);
}

static bool is_black_hole(const struct measured *self)
{
        bool swallowed = self->ladder_result == 0 && self->ladder.end == NET_LADDER_SWALLOWED &&
                         self->ladder.largest >= SMALLEST_PATH;
        bool tried = self->run->target.http && self->flow_result == 0 && self->flow.end != NET_FLOW_UNKNOWN;

        if (self->passed > 0)
                return true;
        return swallowed && (!tried || self->flow.end == NET_FLOW_STALLED);
}

static void post_tcp(struct measured *self)
{
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_MTU, "mtu.tcp", net_ip_text(self->ip, text));
        const struct net_tcp_state *tcp = &self->flow.tcp;

        fact.family = self->ip->family;
        if (!self->run->target.http) {
                net_fact_unknown(&fact, "only an HTTP server can be sent large requests");
        } else if (self->flow_result < 0 || self->flow.end == NET_FLOW_UNKNOWN) {
                net_fact_unknown(&fact, "there was no connection, or no time, to try it");
        } else if (self->flow.end == NET_FLOW_OK) {
                fact.number = (int64_t)self->flow.bytes;
                net_fact_ok(&fact, "%llu bytes, segments of %u", (unsigned long long)self->flow.bytes, tcp->segment);
        } else if (self->flow.is_upload && is_black_hole(self)) {
                net_fact_fail(&fact, NET_STALL,
                              "%u segments of %u bytes stay unacknowledged, sent again %u times, though the round "
                              "trip takes %.1f ms",
                              tcp->unacked, tcp->segment, tcp->retransmitted, tcp->rtt_us / 1e3);
        } else if (self->passed > 0) {
                net_fact_fail(&fact, NET_STALL,
                              "the answer does not come unless the server is told to send segments of "
                              "%d bytes at most",
                              self->passed);
        } else {
                net_fact_unknown(&fact, "nothing came back for %.1f s, and with small segments it is no better",
                                 (double)self->flow.silent_ns / 1e9);
        }
        net_post(self->run, &fact);
}

static void post_path(struct measured *self)
{
        char text[NET_IP_TEXT];
        char by[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_MTU, "mtu.path", net_ip_text(self->ip, text));
        const struct net_ladder *ladder = &self->ladder;
        bool by_echo = self->ladder_result == 0 && ladder->end == NET_LADDER_SWALLOWED;

        fact.family = self->ip->family;
        if (is_black_hole(self)) {
                fact.number = by_echo ? ladder->largest : packet_of(self);
                if (by_echo)
                        net_fact_fail(
                                &fact, NET_BLACK_HOLE,
                                "packets of %u bytes are answered, those of %u and more vanish, and no router says "
                                "\"packet too big\"",
                                ladder->largest, ladder->smallest_lost);
                else
                        net_fact_fail(&fact, NET_BLACK_HOLE,
                                      "a connection stalls with segments of %u bytes and works with %d, and no router "
                                      "says \"packet too big\"",
                                      self->flow.tcp.segment, self->passed);
                net_fact_value(&fact, "%lld", (long long)fact.number);
        } else if (self->ladder_result == -EACCES) {
                net_fact_unknown(&fact, "echo requests are not allowed to this user; %s", net_raw_advice());
        } else if (self->ladder_result < 0) {
                net_fact_unknown(&fact, "it could not be measured: %s", strerrordesc_np(-self->ladder_result));
        } else if (ladder->end == NET_LADDER_ANNOUNCED) {
                fact.number = ladder->mtu;
                fact.from = ladder->offender;
                net_fact_ok(&fact, "%u, as %s says", ladder->mtu, net_ip_text(&ladder->offender, by));
        } else if (ladder->end == NET_LADDER_CLEAN) {
                fact.number = ladder->largest;
                net_fact_ok(&fact, "%u", ladder->largest);
        } else if (ladder->end == NET_LADDER_SWALLOWED) {
                net_fact_unknown(&fact,
                                 "echo requests above %u bytes are not answered, but TCP works with its segments",
                                 ladder->largest);
        } else {
                net_fact_unknown(&fact, ladder->largest ? "some echo requests were lost, without a pattern"
                                                        : "the target answers no echo requests");
        }
        net_post(self->run, &fact);
}

/*
 * Let the others go first, whom large packets would hold up on a slow line: until the page is there, or it is clear
 * that it takes its time.
 */
static int wait_for_turn(struct net_run *run, const char *subject)
{
        const char *name = run->target.http ? "http.status" : "tcp.connect";
        int64_t until_ns = plait_in_ms(TURN_MS);
        struct net_fact fact;

        while (plait_now_ns() < until_ns && !net_board_find(&run->board, name, subject, &fact)) {
                int r = plait_sleep(plait_in_ms(TURN_STEP_MS));

                if (r < 0)
                        return r;
        }
        return plait_cancelled();
}

static int measure(struct net_run *run, const struct net_ip *ip)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .stack_bytes = STACK};
        struct measured measured = {.run = run, .ip = ip, .flow_result = -EINVAL};

        char text[NET_IP_TEXT];
        int r = wait_for_turn(run, net_ip_text(ip, text));

        if (r < 0)
                return r;
        plait_scope_start(&scope, climb, &measured, &opts, NULL);
        if (run->target.http)
                plait_scope_start(&scope, flow, &measured, &opts, NULL);
        r = plait_scope_join(&scope);
        if (r < 0)
                return r;
        post_tcp(&measured);
        post_path(&measured);
        return 0;
}

int net_mtu_probe(struct net_run *run)
{
        return net_each_address(run, 1, STACK, measure);
}
