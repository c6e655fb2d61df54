/*
 * A diagnosis for people. What came from outside is shown so that it does a terminal no harm.
 */
#include "net/report.h"

#include <string.h>
#include <unistd.h>

#include "term/terminal.h"
#include "term/text.h"

#define VALUE_COLUMNS 400 /* of what is shown of a fact, at most */

struct net_style net_style_of(const struct net_options *options)
{
        return (struct net_style){.color = !options->plain && terminal_has_color(STDOUT_FILENO),
                                  .plain = options->plain,
                                  .verbose = options->verbose,
                                  .columns = isatty(STDOUT_FILENO) ? terminal_columns(STDOUT_FILENO) : 0};
}

static const char *sign(enum net_state state, const struct net_style *style)
{
        static const char *const plain[] = {"?", "ok", "FAIL"};
        static const char *const signs[] = {"?", "\xE2\x9C\x93", "\xE2\x9C\x97"};
        static const char *const colored[] = {"\033[33m?\033[0m", "\033[32m\xE2\x9C\x93\033[0m",
                                              "\033[31m\xE2\x9C\x97\033[0m"};

        return style->plain ? plain[state] : style->color ? colored[state] : signs[state];
}

static const char *bold(const struct net_style *style, bool on)
{
        return !style->color ? "" : on ? "\033[1m" : "\033[0m";
}

static enum net_state state_of(const struct net_verdict *verdict)
{
        return verdict->finding.code == NET_HEALTHY     ? NET_OK
               : verdict->finding.code == NET_UNDECIDED ? NET_UNKNOWN
                                                        : NET_FAIL;
}

static void print_sentence(const struct net_finding *finding, const struct net_target *target, FILE *to)
{
        const struct net_verdict_info *info = net_verdict_info(finding->code);
        char text[NET_SUMMARY_BYTES];
        char safe[NET_SUMMARY_BYTES * 4];

        net_finding_text(info->summary, finding, target, text, sizeof text);
        fputs(text_safe(text, VALUE_COLUMNS, safe, sizeof safe), to);
}

void net_report_line(const struct net_result *result, const struct net_style *style, FILE *to)
{
        const struct net_verdict *verdict = &result->verdict;

        fprintf(to, "%s %s%s%s: ", sign(state_of(verdict), style), bold(style, true),
                net_verdict_info(verdict->finding.code)->code, bold(style, false));
        print_sentence(&verdict->finding, &result->target, to);
        if (*verdict->why)
                fprintf(to, ": %s", verdict->why);
        fprintf(to, " (%.0f ms)\n", result->elapsed_ms);
}

/* What is said of a fact: "10.0.0.1: answers in 0.3 ms". */
static const char *tell(const struct net_fact *fact, char *buffer, size_t size)
{
        char text[NET_SUBJECT_BYTES + NET_VALUE_BYTES + NET_WHY_BYTES + 8];
        const char *what = fact->state == NET_OK || !*fact->why ? fact->value : fact->why;

        snprintf(text, sizeof text, "%s%s%s", fact->subject, *fact->subject && *what ? ": " : "", what);
        return text_safe(text, VALUE_COLUMNS, buffer, size);
}

static void print_fact(const struct net_fact *fact, const struct net_style *style, FILE *to)
{
        char text[VALUE_COLUMNS * 5];

        fprintf(to, "  %s %-9s %-16s ", sign(fact->state, style), net_layer_name(fact->layer), fact->name);
        if (fact->ms >= 0)
                fprintf(to, "%7.1f ms  ", fact->ms);
        else
                fprintf(to, "%10s  ", "");
        fprintf(to, "%s\n", tell(fact, text, sizeof text));
}

/* A layer that works in one line: its facts, as many as there is room for. */
static void print_layer(const struct net_result *result, enum net_layer layer, enum net_state state,
                        const struct net_style *style, FILE *to)
{
        size_t room = style->columns > 40 ? style->columns - 16 : 140;
        char text[VALUE_COLUMNS * 5];
        size_t used = 0;
        size_t left = 0;

        fprintf(to, "  %s %-9s ", sign(state, style), net_layer_name(layer));
        for (size_t i = 0; i < result->count; i++) {
                const struct net_fact *fact = &result->facts[i];
                if (fact->layer != layer || fact->state != state)
                        continue;
                tell(fact, text, sizeof text);
                if (used > 0 && used + text_columns(text) + 14 > room) {
                        left++;
                        continue;
                }
                used += text_columns(text) + 2;
                fprintf(to, "%s%s", used > text_columns(text) + 2 ? "; " : "", text);
        }
        if (left > 0)
                fprintf(to, "; %zu more", left);
        fputc('\n', to);
}

static enum net_state layer_state(const struct net_result *result, enum net_layer layer, bool *ret_any)
{
        enum net_state state = NET_UNKNOWN;

        *ret_any = false;
        for (size_t i = 0; i < result->count; i++) {
                if (result->facts[i].layer != layer)
                        continue;
                *ret_any = true;
                if (result->facts[i].state == NET_FAIL)
                        return NET_FAIL;
                if (result->facts[i].state == NET_OK)
                        state = NET_OK;
        }
        return state;
}

static void print_layers(const struct net_result *result, const struct net_style *style, FILE *to)
{
        for (enum net_layer layer = NET_LINK; layer < NET_LAYERS; layer++) {
                bool any = false;
                enum net_state state = layer_state(result, layer, &any);
                if (!any)
                        continue;
                if (!style->verbose && state != NET_FAIL) {
                        print_layer(result, layer, state, style, to);
                        continue;
                }
                for (size_t i = 0; i < result->count; i++)
                        if (result->facts[i].layer == layer &&
                            (style->verbose || result->facts[i].state != NET_UNKNOWN))
                                print_fact(&result->facts[i], style, to);
        }
}

static void print_evidence(const struct net_result *result, FILE *to)
{
        const struct net_finding *finding = &result->verdict.finding;
        char text[VALUE_COLUMNS * 5];

        for (size_t i = 0; i < finding->evidence_count; i++) {
                const struct net_fact *fact = &result->facts[finding->evidence[i]];
                const char *what = *fact->why ? fact->why : fact->value;
                fprintf(to, "  %s %s\n", i == 0 ? "because" : "and    ",
                        text_safe(what, VALUE_COLUMNS, text, sizeof text));
        }
}

void net_report_print(const struct net_result *result, const struct net_style *style, FILE *to)
{
        const struct net_verdict *verdict = &result->verdict;
        const struct net_verdict_info *info = net_verdict_info(verdict->finding.code);
        char text[NET_SUMMARY_BYTES];

        net_report_line(result, style, to);
        print_evidence(result, to);
        for (size_t i = 0; i < verdict->also_count; i++) {
                fprintf(to, "%salso %s%s%s: ", "  ", bold(style, true), net_verdict_info(verdict->also[i].code)->code,
                        bold(style, false));
                print_sentence(&verdict->also[i], &result->target, to);
                fputc('\n', to);
        }
        fputc('\n', to);
        print_layers(result, style, to);
        if (*info->advice)
                fprintf(to, "\nNext: %s\n",
                        net_finding_text(info->advice, &verdict->finding, &result->target, text, sizeof text));
}

static bool is_shown(const struct net_fact *fact, enum net_view view)
{
        switch (view) {
        case NET_VIEW_LINKS: return fact->layer <= NET_ADDRESS;
        case NET_VIEW_ARP: return fact->layer == NET_NEIGHBOUR;
        case NET_VIEW_DNS: return fact->layer == NET_DNS;
        case NET_VIEW_PATH: return fact->layer == NET_PATH || fact->state == NET_FAIL;
        default: return true;
        }
}

void net_report_view(const struct net_result *result, enum net_view view, const struct net_style *style, FILE *to)
{
        size_t shown = 0;

        for (size_t i = 0; i < result->count; i++)
                if (is_shown(&result->facts[i], view)) {
                        print_fact(&result->facts[i], style, to);
                        shown++;
                }
        if (shown == 0)
                fputs("  there is nothing to show\n", to);
}
