/*
 * What the files of rules share: looking facts up, and collecting findings.
 */
#ifndef NET_FINDING_H
#define NET_FINDING_H

#include "net/rule.h"

struct net_findings {
        const struct net_case *facts;
        struct net_finding at[NET_FINDINGS_MAX];
        size_t count;
        size_t reached[2]; /* addresses of the target that can be reached: IPv4, IPv6 */
        size_t undecided;  /* addresses of the target of which that is not known yet */
};

/* The fact of that name and subject (NULL: the first of that name); NULL: there is none. */
const struct net_fact *net_case_find(const struct net_case *facts, const char *name, const char *subject);

/* Adds a finding about *fact*, which is its evidence; one of the same code and family takes up the evidence instead. */
struct net_finding *net_findings_add(struct net_findings *findings, enum net_code code, const struct net_fact *fact);
void net_finding_add_evidence(struct net_finding *finding, const struct net_case *facts, const struct net_fact *fact);
struct net_finding *net_findings_find(struct net_findings *findings, enum net_code code);

/* The rules, by what they are about. */
void net_rule_directly(struct net_findings *findings);
void net_rule_addresses(struct net_findings *findings);
void net_rule_names(struct net_findings *findings);
bool net_finding_explains(const struct net_case *facts, const struct net_finding *one, const struct net_finding *other);

#endif
