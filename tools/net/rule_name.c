/*
 * The name servers and what they say: all of them dead, some of them, no such name.
 */
#include <stdio.h>
#include <string.h>

#include "net/finding.h"

struct tally {
        size_t configured, alive, failed, not_listening, local, malformed;
        const struct net_fact *first_failed;
};

static struct tally tally(const struct net_case *facts)
{
        struct tally tally = {.configured = 0};

        for (size_t i = 0; i < facts->count; i++) {
                const struct net_fact *fact = &facts->facts[i];
                if (strcmp(fact->name, "dns.server") != 0 || fact->symptom == NET_DNS_NO_SERVERS)
                        continue;
                bool behind_stub = fact->state == NET_OK && fact->number == 0;
                if (behind_stub)
                        continue;
                tally.configured++;
                tally.alive += fact->state == NET_OK;
                tally.failed += fact->state == NET_FAIL;
                tally.not_listening += fact->symptom == NET_DNS_NOT_LISTENING;
                tally.local += fact->symptom == NET_LOCAL_REJECT;
                tally.malformed += fact->symptom == NET_DNS_MALFORMED;
                if (fact->state == NET_FAIL && !tally.first_failed)
                        tally.first_failed = fact;
        }
        return tally;
}

/* "10.0.0.1, 10.0.0.2": the subjects of the finding's evidence. */
static void name_servers(const struct net_case *facts, struct net_finding *finding)
{
        size_t used = 0;

        for (size_t i = 0; i < finding->evidence_count && used < sizeof finding->about; i++)
                used += (size_t)snprintf(finding->about + used, sizeof finding->about - used, "%s%s", i ? ", " : "",
                                         facts->facts[finding->evidence[i]].subject);
}

static void judge_servers(struct net_findings *findings, bool needed)
{
        const struct net_case *facts = findings->facts;
        struct tally servers = tally(facts);
        enum net_code code = NET_V_DNS_DEAD;

        if (servers.failed == 0)
                return;
        if (servers.failed < servers.configured)
                code = NET_V_DNS_PARTIAL;
        else if (servers.not_listening == servers.failed)
                code = NET_V_DNS_NOT_LISTENING;
        else if (servers.local == servers.failed)
                code = NET_V_LOCAL_FIREWALL;
        else if (servers.malformed == servers.failed)
                code = NET_V_DNS_MALFORMED;
        if (code == NET_V_DNS_PARTIAL && servers.alive == 0)
                return; /* of the others nothing is known */
        struct net_finding *finding = NULL;
        for (size_t i = 0; i < facts->count; i++)
                if (facts->facts[i].state == NET_FAIL && strcmp(facts->facts[i].name, "dns.server") == 0)
                        finding = net_findings_add(findings, code, &facts->facts[i]);
        if (!finding)
                return;
        finding->family = 0;
        name_servers(facts, finding);
        finding->degraded |= !needed;
}

/* The answers count when no server knows an address; the one that says most about the name, then. */
static void judge_answers(struct net_findings *findings, bool needed)
{
        static const struct {
                enum net_symptom symptom;
                enum net_code code;
        } answers[] = {{NET_DNS_NXDOMAIN, NET_V_DNS_NXDOMAIN},
                       {NET_DNS_NODATA, NET_V_DNS_NODATA},
                       {NET_DNS_SERVFAIL, NET_V_DNS_SERVFAIL},
                       {NET_DNS_REFUSED, NET_V_DNS_REFUSED}};
        const struct net_case *facts = findings->facts;
        struct net_finding *finding = NULL;

        for (size_t i = 0; i < facts->count; i++)
                if (facts->facts[i].state == NET_OK && strcmp(facts->facts[i].name, "dns.answer") == 0)
                        return;
        for (size_t i = 0; i < sizeof answers / sizeof *answers && !finding; i++)
                for (size_t j = 0; j < facts->count; j++)
                        if (facts->facts[j].state == NET_FAIL && facts->facts[j].symptom == answers[i].symptom &&
                            strcmp(facts->facts[j].name, "dns.answer") == 0)
                                finding = net_findings_add(findings, answers[i].code, &facts->facts[j]);
        if (!finding)
                return;
        finding->family = 0;
        finding->degraded |= !needed;
        const struct net_fact *name = net_case_find(facts, "name.addresses", NULL);
        snprintf(finding->about, sizeof finding->about, "%s", name ? name->subject : facts->target->host);
}

/* Programs ask the next server when one says SERVFAIL or REFUSED: it costs time, no more. */
static void judge_unable(struct net_findings *findings)
{
        const struct net_case *facts = findings->facts;
        bool known = false;

        for (size_t i = 0; i < facts->count; i++)
                known |= facts->facts[i].state == NET_OK && strcmp(facts->facts[i].name, "dns.answer") == 0;
        for (size_t i = 0; i < facts->count && known; i++) {
                const struct net_fact *fact = &facts->facts[i];
                if (fact->state == NET_FAIL && strcmp(fact->name, "dns.answer") == 0 &&
                    (fact->symptom == NET_DNS_SERVFAIL || fact->symptom == NET_DNS_REFUSED)) {
                        struct net_finding *finding = net_findings_add(findings, NET_V_DNS_PARTIAL, fact);
                        if (finding) {
                                finding->family = 0;
                                name_servers(facts, finding);
                        }
                }
        }
}

static void add_degraded(struct net_findings *findings, const char *name, enum net_symptom symptom, enum net_code code)
{
        for (size_t i = 0; i < findings->facts->count; i++) {
                const struct net_fact *fact = &findings->facts->facts[i];
                if (fact->state == NET_FAIL && fact->symptom == symptom && strcmp(fact->name, name) == 0)
                        net_findings_add(findings, code, fact);
        }
}

void net_rule_names(struct net_findings *findings)
{
        const struct net_fact *name = net_case_find(findings->facts, "name.addresses", NULL);
        const struct net_fact *none = net_case_find(findings->facts, "dns.server", "");
        bool needed = !(name && name->state == NET_OK && name->number == 0);

        if (none && none->state == NET_FAIL) {
                struct net_finding *finding = net_findings_add(findings, NET_V_DNS_NO_SERVERS, none);
                if (finding)
                        finding->degraded |= !needed;
        }
        judge_servers(findings, needed);
        judge_answers(findings, needed);
        judge_unable(findings);
        add_degraded(findings, "dns.agreement", NET_DNS_DISAGREE, NET_V_DNS_SPLIT);
        add_degraded(findings, "dns.speed", NET_DNS_SLOW, NET_V_DNS_SLOW);
}
