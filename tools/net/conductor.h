/*
 * The conductor: starts the probes, judges each time a fact comes, and ends it all when the verdict is proven.
 */
#ifndef NET_CONDUCTOR_H
#define NET_CONDUCTOR_H

#include "net/rule.h"
#include "net/run.h"

/* What a diagnosis came to. */
struct net_result {
        struct net_target target;
        struct net_verdict verdict;
        struct net_fact *facts;
        size_t count;
        double elapsed_ms;
        bool interrupted; /* from outside, before it was proven */
};

/* Called at most once, when the verdict takes longer than NET_SOFT_NS: with what is known until then. */
typedef void (*net_provisional)(const struct net_result *result, void *arg);

/*
 * Diagnoses. Runs in a task. Returns 0 and the result, to be given back with net_result_done(); or -ENOMEM. *scope* is
 * the caller's, not open yet: cancelling it from outside ends the diagnosis with what is known.
 */
int net_conduct(const struct net_options *options, const struct net_target *target, struct plait_scope *scope,
                net_provisional provisional, void *arg, struct net_result *ret);
void net_result_done(struct net_result *result);

#endif
