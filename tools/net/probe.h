/*
 * The probes, one table. A probe is a function that runs as a task of its own, posts its facts as they come, and
 * returns: 0, or -ECANCELED or -ETIMEDOUT when it was ended (what it had not found out yet stays unknown), or another
 * -errno when something of its own went wrong, which is shown as an unknown fact of its layer.
 */
#ifndef NET_PROBE_H
#define NET_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "net/rule.h"
#include "net/run.h"

/* For net_probe.flags. */
#define NET_GATE 1U     /* its layer cannot be judged, nor anything above it, before it has ended */
#define NET_CONFIRM 2U  /* it starts only when the facts so far call for it, and has until NET_HARD_NS */
#define NET_OPTIONAL 4U /* a verdict does not wait for it: what it finds is a note */

struct net_probe {
        const char *name;     /* also the task's */
        enum net_layer layer; /* where its facts are */
        unsigned flags;
        size_t stack_bytes; /* 0: the default of 64 KiB */

        /* Whether there is anything to do. Facts are those posted so far: none for probes that start at once. */
        bool (*wanted)(const struct net_run *run, const struct net_fact *facts, size_t count);
        int (*probe)(struct net_run *run);
};

extern const struct net_probe net_probes[];
extern const size_t net_probe_count;

#endif
