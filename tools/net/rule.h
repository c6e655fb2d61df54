/*
 * The rules: from facts to the verdict. Pure functions of the facts; nothing is asked, nothing waits.
 */
#ifndef NET_RULE_H
#define NET_RULE_H

#include <stdbool.h>
#include <stddef.h>

#include "net/fact.h"
#include "net/target.h"
#include "net/verdict.h"

#define NET_FINDINGS_MAX 48
#define NET_EVIDENCE_MAX 6
#define NET_SUMMARY_BYTES 800

#define NET_ABOUT_BYTES 520

/* A fault that the facts prove. */
struct net_finding {
        enum net_code code;
        bool degraded;                     /* the target can be reached in spite of it */
        sa_family_t family;                /* of the addresses that it is about; 0: all */
        char about[NET_ABOUT_BYTES];       /* for %s */
        struct net_ip from;                /* for %f */
        int64_t number;                    /* for %n */
        size_t evidence[NET_EVIDENCE_MAX]; /* indices of facts */
        size_t evidence_count;
};

struct net_case {
        const struct net_target *target;
        const struct net_fact *facts;
        size_t count;
        unsigned gates;   /* layers with a probe under way that decides alone whether the layer works */
        unsigned pending; /* layers with any probe under way */
};

struct net_verdict {
        struct net_finding finding;                /* code NET_HEALTHY or NET_UNDECIDED: no fault */
        struct net_finding also[NET_FINDINGS_MAX]; /* independent of it */
        size_t also_count;
        bool proven;             /* nothing that is under way can change it */
        char why[NET_WHY_BYTES]; /* of NET_UNDECIDED: what is not known */
};

void net_judge(const struct net_case *facts, struct net_verdict *ret);

/* Fills in the summary or the advice of a verdict. Returns *buffer*. */
const char *net_finding_text(const char *template, const struct net_finding *finding, const struct net_target *target,
                             char *buffer, size_t size);

#endif
