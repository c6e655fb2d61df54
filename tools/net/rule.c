/*
 * From facts to the verdict: collect the faults that the facts prove, take out those that another explains, and put the
 * lowest that hinders first.
 */
#include "net/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/finding.h"

const struct net_fact *net_case_find(const struct net_case *facts, const char *name, const char *subject)
{
        for (size_t i = 0; i < facts->count; i++)
                if (strcmp(facts->facts[i].name, name) == 0 &&
                    (!subject || strcmp(facts->facts[i].subject, subject) == 0))
                        return &facts->facts[i];
        return NULL;
}

/* Of whatever subject. */
static bool is_ok(const struct net_case *facts, const char *name)
{
        for (size_t i = 0; i < facts->count; i++)
                if (facts->facts[i].state == NET_OK && strcmp(facts->facts[i].name, name) == 0)
                        return true;
        return false;
}

void net_finding_add_evidence(struct net_finding *finding, const struct net_case *facts, const struct net_fact *fact)
{
        size_t index = (size_t)(fact - facts->facts);

        for (size_t i = 0; i < finding->evidence_count; i++)
                if (finding->evidence[i] == index)
                        return;
        if (finding->evidence_count < NET_EVIDENCE_MAX)
                finding->evidence[finding->evidence_count++] = index;
}

struct net_finding *net_findings_find(struct net_findings *findings, enum net_code code)
{
        for (size_t i = 0; i < findings->count; i++)
                if (findings->at[i].code == code)
                        return &findings->at[i];
        return NULL;
}

struct net_finding *net_findings_add(struct net_findings *findings, enum net_code code, const struct net_fact *fact)
{
        for (size_t i = 0; i < findings->count; i++)
                if (findings->at[i].code == code &&
                    (findings->at[i].family == fact->family || findings->at[i].family == 0)) {
                        net_finding_add_evidence(&findings->at[i], findings->facts, fact);
                        return &findings->at[i];
                }
        if (findings->count == NET_FINDINGS_MAX)
                return NULL;
        struct net_finding *finding = &findings->at[findings->count++];
        *finding = (struct net_finding){.code = code,
                                        .degraded = net_verdict_info(code)->degraded,
                                        .family = fact->family,
                                        .from = fact->from,
                                        .number = fact->number};
        snprintf(finding->about, sizeof finding->about, "%s", fact->subject);
        net_finding_add_evidence(finding, findings->facts, fact);
        return finding;
}

static bool is_explained(const struct net_findings *findings, const struct net_finding *finding)
{
        for (size_t i = 0; i < findings->count; i++)
                if (net_finding_explains(findings->facts, &findings->at[i], finding))
                        return true;
        return false;
}

static bool is_before(const struct net_finding *one, const struct net_finding *other)
{
        if (one->degraded != other->degraded)
                return other->degraded;
        enum net_layer layer = net_verdict_info(one->code)->layer;
        enum net_layer other_layer = net_verdict_info(other->code)->layer;
        return layer != other_layer ? layer < other_layer : one->code < other->code;
}

/* Of both families, say: once is enough. */
static bool is_told(const struct net_verdict *verdict, enum net_code code)
{
        for (size_t i = 0; i < verdict->also_count; i++)
                if (verdict->also[i].code == code)
                        return true;
        return verdict->finding.code == code;
}

/* Takes over the faults that nothing explains: the first is the verdict, the others stand under "also". */
static void rank(const struct net_findings *findings, struct net_verdict *ret)
{
        const struct net_finding *first = NULL;

        for (size_t i = 0; i < findings->count; i++)
                if (!is_explained(findings, &findings->at[i]) && (!first || is_before(&findings->at[i], first)))
                        first = &findings->at[i];
        if (!first)
                return;
        ret->finding = *first;
        for (size_t i = 0; i < findings->count; i++)
                if (!is_told(ret, findings->at[i].code) && !is_explained(findings, &findings->at[i]))
                        ret->also[ret->also_count++] = findings->at[i];
}

/* What must be known to be ok before anything is called healthy. NULL: all is; else what is missing. */
static const char *missing(const struct net_findings *findings)
{
        const struct net_case *facts = findings->facts;
        const struct net_target *target = facts->target;
        bool proxied = net_case_find(facts, "proxy.connect", NULL) != NULL;

        if (!target->given) {
                if (!is_ok(facts, "link.state"))
                        return "whether a link works is not known";
                if (!is_ok(facts, "route.default"))
                        return "whether there is a default route is not known";
                return is_ok(facts, "dns.server") ? NULL : "whether a name server answers is not known";
        }
        if (proxied && !is_ok(facts, "proxy.connect"))
                return "whether the proxy can be reached is not known";
        if (!proxied && findings->reached[0] + findings->reached[1] == 0)
                return "whether the target can be reached is not known";
        if (target->tls && !is_ok(facts, "tls.handshake"))
                return "how TLS went is not known";
        if (target->http && !is_ok(facts, "http.status"))
                return "what the server answers is not known";
        return NULL;
}

/* Appends the reason of the first unknown fact, which is mostly why. */
static void explain_unknown(const struct net_case *facts, const char *what, struct net_verdict *ret)
{
        const struct net_fact *last = NULL;

        for (size_t i = 0; i < facts->count; i++)
                if (facts->facts[i].state == NET_UNKNOWN && *facts->facts[i].why)
                        last = &facts->facts[i]; /* the highest layer is nearest to what is missing */
        if (last)
                snprintf(ret->why, sizeof ret->why, "%s (%s: %.150s)", what, last->name, last->why);
        else
                snprintf(ret->why, sizeof ret->why, "%s", what);
}

/* The layers up to the highest of those. */
static unsigned up_to(unsigned layers)
{
        unsigned highest = 1;

        while (highest <= layers / 2)
                highest *= 2;
        return highest | (highest - 1);
}

static bool is_proven(const struct net_findings *findings, const struct net_verdict *verdict)
{
        const struct net_case *facts = findings->facts;
        const struct net_verdict_info *info = net_verdict_info(verdict->finding.code);
        unsigned under = up_to(info->waits | NET_LAYER_BIT(info->layer));

        if (facts->pending == 0)
                return true;
        if (verdict->finding.code <= NET_UNDECIDED || verdict->finding.degraded)
                return false;
        if (info->layer >= NET_PATH && findings->undecided > 0)
                return false;
        return (facts->gates & under) == 0 && (facts->pending & info->waits) == 0;
}

void net_judge(const struct net_case *facts, struct net_verdict *ret)
{
        struct net_findings *findings = calloc(1, sizeof *findings);

        memset(ret, 0, sizeof *ret);
        ret->finding.code = NET_UNDECIDED;
        if (!findings) {
                snprintf(ret->why, sizeof ret->why, "there is no memory");
                return;
        }
        findings->facts = facts;
        net_rule_addresses(findings);
        net_rule_names(findings);
        net_rule_directly(findings);
        rank(findings, ret);
        if (ret->finding.code == NET_UNDECIDED) {
                const char *what = missing(findings);
                if (what)
                        explain_unknown(facts, what, ret);
                else
                        ret->finding.code = NET_HEALTHY;
        }
        ret->proven = is_proven(findings, ret);
        free(findings);
}

static const char *fill(char letter, const struct net_finding *finding, const struct net_target *target, char *buffer,
                        size_t size)
{
        switch (letter) {
        case 's': return finding->about;
        case 't': return target->given ? target->text : "this machine's network";
        case 'f': return net_ip_text(&finding->from, buffer);
        case 'n': snprintf(buffer, size, "%lld", (long long)finding->number); return buffer;
        default: snprintf(buffer, size, "%%%c", letter); return buffer;
        }
}

const char *net_finding_text(const char *template, const struct net_finding *finding, const struct net_target *target,
                             char *buffer, size_t size)
{
        char word[NET_IP_TEXT];
        size_t used = 0;

        buffer[0] = 0;
        for (const char *p = template; *p && used < size; p++) {
                if (*p == '%' && p[1] && p[1] != ' ')
                        used += (size_t)snprintf(buffer + used, size - used, "%s",
                                                 fill(*++p, finding, target, word, sizeof word));
                else
                        used += (size_t)snprintf(buffer + used, size - used, "%c", *p);
        }
        return buffer;
}
