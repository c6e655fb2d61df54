/*
 * One diagnosis under way: what all probes share. Probes are tasks; each gets this and posts facts.
 *
 * *target*, *options* and *host* do not change while probes run. The addresses are written once, before *resolved* is
 * set. The board has its own lock.
 */
#ifndef NET_RUN_H
#define NET_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <plait/event.h>
#include <plait/scope.h>

#include "net/board.h"
#include "net/host.h"
#include "net/options.h"
#include "net/proxy.h"
#include "net/target.h"

#define NET_ADDRESSES_MAX 8 /* of a target: at most four of each family are looked at */

#define NET_SOFT_NS 2000000000LL /* the verdict is there by then, */
#define NET_HARD_NS 4500000000LL /* unless evidence that takes longer is on its way: DHCP, the kernel's ARP */
#define NET_LOAD_NS 10000000000LL

struct net_run {
        const struct net_options *options;
        struct net_target target;
        struct net_host host;
        struct net_proxy proxy; /* that the target is reached through; not set: directly */
        struct net_board board;
        int64_t begin_ns;
        int64_t deadline_ns;         /* probes end by then: begin + NET_SOFT_NS, less a little for the rules */
        int64_t confirm_deadline_ns; /* those with NET_CONFIRM by then: begin + NET_HARD_NS, or NET_LOAD_NS for --load
                                      */
        bool to_self;                /* the target is this machine's loopback: links do not matter */
        bool raw;                    /* raw and packet sockets are allowed (CAP_NET_RAW) */

        struct plait_event resolved; /* the addresses are known, or it is known that there are none */
        struct net_ip addresses[NET_ADDRESSES_MAX];
        size_t address_count;

        struct plait_event proxied; /* the proxy's addresses are known, or it is known that there are none */
        struct net_ip proxy_addresses[NET_ADDRESSES_MAX];
        size_t proxy_address_count;
};

/* Posts a fact; it is copied. */
void net_post(struct net_run *run, const struct net_fact *fact);

/*
 * Waits until the target's addresses are known. Returns how many there are in *run->addresses*: 0 when the name has
 * none or no server told; or -ECANCELED, -ETIMEDOUT. May suspend.
 */
int net_run_addresses(struct net_run *run);

/* Prepares a diagnosis: parses nothing and asks nobody but the kernel. Returns 0 or -ENOMEM. */
int net_run_init(struct net_run *run, const struct net_options *options, const struct net_target *target);
void net_run_done(struct net_run *run);

/* Sets them; the resolving probe calls it once. */
void net_run_set_addresses(struct net_run *run, const struct net_ip *addresses, size_t count);

/* Whether the target is reached through a proxy, so that nothing is sent to it directly. */
bool net_run_is_proxied(const struct net_run *run);

/* What to do to be allowed raw and packet sockets: "run it as root, or ...". */
const char *net_raw_advice(void);

/* Milliseconds since *ns*. */
double net_ms_since(int64_t ns);

#endif
