/*
 * The path MTU by echo requests with IP_PMTUDISC_PROBE: "do not fragment" is set, and what the kernel believes of the
 * path is not asked. Mostly a packet of 1500 bytes tells all there is. Where it vanishes, the whole ladder is sent, two
 * packets per size, then the two sizes at the edge again, so that loss is not taken for a limit.
 */
#include "net/ladder.h"

#include <errno.h>
#include <string.h>

#include <plait/scope.h>
#include <plait/time.h>

enum { ROUNDS = 2, EDGE_PACKETS = 3, WAIT_MS = 200, RTT_GUESS_MS = 150 };
enum { SURE = 1200, ETHERNET = 1500, JUMBO = 9000 };

/*
 * What interfaces and tunnels leave: IPv6's least, PPTP and L2TP, WireGuard (1420), GRE (1476), PPPoE (1492), Ethernet,
 * jumbo frames; and small ones, to have something that passes.
 */
static const uint16_t sizes[NET_RUNGS] = {576,  1000, 1200, 1280, 1340, 1380, 1400,
                                          1420, 1440, 1460, 1476, 1492, 1500, 9000};

struct climb {
        struct net_pinger pinger;
        struct net_ladder *ladder;
        uint8_t rung_of[NET_PING_NUMBERS]; /* packet to rung */
        bool seen[NET_PING_NUMBERS];
        uint16_t packets;
        size_t outstanding;
        int64_t sent_ns, last_ns; /* when the round began, and when something came last */
        int64_t rtt_ns;           /* the longest, before the first one a guess */
};

static void send_rung(struct climb *climb, size_t index)
{
        struct net_rung *rung = &climb->ladder->rungs[index];
        int64_t sent_ns;

        if (rung->too_big || climb->packets >= NET_PING_NUMBERS)
                return;

        int r = net_ping_send(&climb->pinger, climb->packets, rung->bytes - net_ping_overhead(&climb->pinger), 0,
                              &sent_ns);

        if (r == -EMSGSIZE)
                rung->too_big = true;
        if (r < 0)
                return;
        climb->rung_of[climb->packets++] = (uint8_t)index;
        climb->outstanding++;
        rung->sent++;
}

static void take(struct climb *climb)
{
        struct net_pong pong;

        while (net_ping_take(&climb->pinger, &pong) == 0) {
                if (pong.number >= climb->packets || climb->seen[pong.number])
                        continue;

                struct net_rung *rung = &climb->ladder->rungs[climb->rung_of[pong.number]];
                bool too_big = !pong.is_reply && net_icmp_error_meaning(&pong.error) == NET_ICMP_TOO_BIG;

                climb->seen[pong.number] = true;
                climb->outstanding--;
                climb->last_ns = plait_now_ns();
                if (climb->last_ns - climb->sent_ns > climb->rtt_ns)
                        climb->rtt_ns = climb->last_ns - climb->sent_ns;
                if (pong.is_reply) {
                        rung->answered++;
                } else if (too_big) {
                        rung->too_big = true;
                        if (climb->ladder->mtu == 0 || pong.error.mtu < climb->ladder->mtu) {
                                climb->ladder->mtu = pong.error.mtu;
                                climb->ladder->offender = pong.error.offender;
                        }
                }
        }
}

/* Until all is answered, or nothing comes any more. */
static int collect(struct climb *climb, int64_t deadline_ns)
{
        climb->sent_ns = climb->last_ns = plait_now_ns();
        while (climb->outstanding > 0) {
                int64_t until_ns = climb->last_ns + WAIT_MS * 1000000LL + 2 * climb->rtt_ns;

                if (until_ns > deadline_ns)
                        until_ns = deadline_ns;

                int r = net_ping_wait(&climb->pinger, until_ns);

                if (r == -ETIMEDOUT && plait_cancelled() < 0)
                        return plait_cancelled();
                if (r < 0 && r != -ETIMEDOUT)
                        return r;
                take(climb);
                if (r == -ETIMEDOUT && plait_now_ns() >= until_ns)
                        break;
        }
        climb->outstanding = 0;
        return 0;
}

static size_t index_of(const struct net_ladder *ladder, uint32_t bytes)
{
        for (size_t i = 0; i < ladder->rung_count; i++)
                if (ladder->rungs[i].bytes == bytes)
                        return i;
        return 0;
}

void net_ladder_judge(struct net_ladder *ladder)
{
        bool announced = ladder->offender.family != 0;
        bool orderly = true;
        uint32_t own_limit = 0;

        ladder->largest = 0;
        ladder->smallest_lost = 0;
        for (size_t i = 0; i < ladder->rung_count; i++) {
                const struct net_rung *rung = &ladder->rungs[i];
                bool lost = rung->sent > 0 && rung->answered == 0 && !rung->too_big;

                if (rung->answered > 0)
                        ladder->largest = rung->bytes;
                if (lost && ladder->smallest_lost == 0)
                        ladder->smallest_lost = rung->bytes;
                if (rung->answered > 0 && ladder->smallest_lost != 0)
                        orderly = false; /* a larger one came through: what was lost was not lost for its size */
                if (rung->too_big && own_limit == 0)
                        own_limit = rung->bytes;
        }
        ladder->end = NET_LADDER_UNKNOWN;
        if (ladder->largest == 0)
                return;
        if (announced)
                ladder->end = NET_LADDER_ANNOUNCED;
        else if (ladder->smallest_lost == 0)
                ladder->end = NET_LADDER_CLEAN;
        else if (orderly && ladder->rungs[index_of(ladder, ladder->smallest_lost)].sent > 1)
                ladder->end = NET_LADDER_SWALLOWED;
        if (ladder->end == NET_LADDER_CLEAN)
                ladder->mtu = ladder->largest;
}

/* Whether something is left to be asked after the largest sizes and one that passes nearly everywhere. */
static bool is_settled(const struct net_ladder *ladder)
{
        const struct net_rung *ethernet = &ladder->rungs[index_of(ladder, ETHERNET)];

        return ladder->end == NET_LADDER_ANNOUNCED || ethernet->answered > 0 || ladder->largest == 0;
}

/* The whole ladder, and then the sizes at its edge again. */
static int find_edge(struct climb *climb, int64_t deadline_ns)
{
        struct net_ladder *ladder = climb->ladder;

        for (int round = 0; round < ROUNDS; round++)
                for (size_t i = 0; i < ladder->rung_count; i++) /* down the second time: a full queue drops the last */
                        send_rung(climb, round % 2 ? ladder->rung_count - 1 - i : i);

        int r = collect(climb, deadline_ns);

        net_ladder_judge(ladder);
        if (r < 0 || ladder->end != NET_LADDER_SWALLOWED)
                return r;

        size_t passed = index_of(ladder, ladder->largest);
        size_t lost = index_of(ladder, ladder->smallest_lost);
        unsigned answered = ladder->rungs[passed].answered;

        for (int i = 0; i < EDGE_PACKETS; i++) {
                send_rung(climb, passed);
                send_rung(climb, lost);
        }
        r = collect(climb, deadline_ns);
        net_ladder_judge(ladder);
        /* Not even what passed before came through, or what was lost does now: it is not the size. */
        if (ladder->rungs[passed].answered == answered || ladder->rungs[lost].answered > 0)
                ladder->end = NET_LADDER_UNKNOWN;
        return r;
}

static int climb_all(struct climb *climb, int64_t deadline_ns)
{
        struct net_ladder *ladder = climb->ladder;

        send_rung(climb, index_of(ladder, SURE));
        send_rung(climb, index_of(ladder, ETHERNET));
        send_rung(climb, index_of(ladder, JUMBO));

        int r = collect(climb, deadline_ns);

        net_ladder_judge(ladder);
        return r < 0 || is_settled(ladder) ? r : find_edge(climb, deadline_ns);
}

int net_ladder_climb(const struct net_ip *target, int64_t deadline_ns, struct net_ladder *ret)
{
        struct net_ladder ladder = {.end = NET_LADDER_UNKNOWN};
        struct climb climb = {.ladder = &ladder, .rtt_ns = RTT_GUESS_MS * 1000000LL};
        int r = net_ping_open(&climb.pinger, target, NET_PING_MAY_ICMP);

        if (r < 0)
                return r;
        for (size_t i = 0; i < NET_RUNGS; i++)
                if (sizes[i] >= (target->family == AF_INET6 ? 1200 : 0)) /* IPv6 packets of 1280 are never too big */
                        ladder.rungs[ladder.rung_count++].bytes = sizes[i];
        ladder.way = climb.pinger.way;
        r = net_ping_forbid_fragments(&climb.pinger);
        if (r == 0)
                r = climb_all(&climb, deadline_ns);
        net_ping_close(&climb.pinger);
        if (r < 0)
                return r;
        *ret = ladder;
        return 0;
}
