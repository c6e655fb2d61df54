/*
 * A diagnosis as a JSON document; plait-net(1) tells its members.
 */
#include <errno.h>
#include <math.h>

#include "net/report.h"
#include "term/json.h"

static void write_evidence(struct json *json, const struct net_result *result)
{
        const struct net_finding *finding = &result->verdict.finding;

        json_open(json, "evidence", '[');
        for (size_t i = 0; i < finding->evidence_count; i++) {
                const struct net_fact *fact = &result->facts[finding->evidence[i]];
                json_string(json, NULL, *fact->why ? fact->why : fact->value);
        }
        json_close(json, ']');
}

static void write_verdict(struct json *json, const struct net_result *result)
{
        const struct net_verdict *verdict = &result->verdict;
        const struct net_verdict_info *info = net_verdict_info(verdict->finding.code);
        char text[NET_SUMMARY_BYTES];
        char summary[NET_SUMMARY_BYTES + NET_WHY_BYTES + 8];

        json_open(json, "verdict", '{');
        json_string(json, "code", info->code);
        json_string(json, "layer", verdict->finding.code <= NET_UNDECIDED ? NULL : net_layer_name(info->layer));
        net_finding_text(info->summary, &verdict->finding, &result->target, text, sizeof text);
        snprintf(summary, sizeof summary, "%s%s%s", text, *verdict->why ? ": " : "", verdict->why);
        json_string(json, "summary", summary);
        write_evidence(json, result);
        json_string(json, "advice",
                    net_finding_text(info->advice, &verdict->finding, &result->target, text, sizeof text));
        json_close(json, '}');
}

static void write_also(struct json *json, const struct net_result *result)
{
        char text[NET_SUMMARY_BYTES];

        json_open(json, "also", '[');
        for (size_t i = 0; i < result->verdict.also_count; i++) {
                const struct net_finding *finding = &result->verdict.also[i];
                const struct net_verdict_info *info = net_verdict_info(finding->code);
                json_open(json, NULL, '{');
                json_string(json, "code", info->code);
                json_string(json, "layer", net_layer_name(info->layer));
                json_string(json, "summary",
                            net_finding_text(info->summary, finding, &result->target, text, sizeof text));
                json_close(json, '}');
        }
        json_close(json, ']');
}

static void write_fact(struct json *json, const struct net_fact *fact)
{
        char value[NET_SUBJECT_BYTES + NET_VALUE_BYTES + 4];

        snprintf(value, sizeof value, "%s%s%s", fact->subject, *fact->subject && *fact->value ? ": " : "", fact->value);
        json_open(json, NULL, '{');
        json_string(json, "layer", net_layer_name(fact->layer));
        json_string(json, "name", fact->name);
        json_string(json, "state", net_state_name(fact->state));
        json_string(json, "value", *value ? value : NULL);
        json_number(json, "ms", fact->ms < 0 ? (double)NAN : fact->ms);
        json_string(json, "why", *fact->why ? fact->why : NULL);
        json_close(json, '}');
}

int net_report_json(const struct net_result *result, FILE *to)
{
        struct json json = {0};

        json_open(&json, NULL, '{');
        json_integer(&json, "schema", 1);
        json_string(&json, "target", result->target.given ? result->target.text : NULL);
        write_verdict(&json, result);
        write_also(&json, result);
        json_open(&json, "facts", '[');
        for (size_t i = 0; i < result->count; i++)
                write_fact(&json, &result->facts[i]);
        json_close(&json, ']');
        json_number(&json, "elapsed_ms", result->elapsed_ms);
        json_close(&json, '}');
        json_newline(&json);
        int r = json.failed ? -ENOMEM : fwrite(json.text, 1, json.bytes, to) == json.bytes ? 0 : -EIO;
        json_done(&json);
        return r;
}
