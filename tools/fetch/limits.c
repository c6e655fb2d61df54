/*
 * What was found of limits.
 */
#include "fetch/limits.h"

#include <math.h>
#include <string.h>

#include "term/text.h"

#define TEXT_MOST 4       /* hosts in words */
#define ADVICE_ERROR 0.10 /* advice that is further off what was measured than that is not given */
#define RUNS 64

static void take_advice(struct limit *limit, struct plait_tuner *tuner)
{
        struct plait_advise_run runs[RUNS];
        size_t n = plait_tuner_runs(tuner, runs, RUNS);

        limit->advised = n >= 3 && plait_advise(runs, n, &limit->advice) == 0 && limit->advice.error <= ADVICE_ERROR;
}

void limits_add(struct limits *limits, const char *name, struct plait_tuner *tuner)
{
        struct plait_tuner_view view;
        size_t at = limits->count;

        limits->hosts++;
        plait_tuner_look(tuner, &view);
        while (at > 0 && limits->of[at - 1].view.ok < view.ok)
                at--;
        if (at == LIMITS_MOST)
                return;
        size_t moved = limits->count < LIMITS_MOST ? limits->count - at : LIMITS_MOST - 1 - at;
        memmove(&limits->of[at + 1], &limits->of[at], moved * sizeof limits->of[0]);
        limits->count += limits->count < LIMITS_MOST;
        struct limit *limit = &limits->of[at];
        snprintf(limit->name, sizeof limit->name, "%s", name);
        limit->view = view;
        take_advice(limit, tuner);
}

/* What follows from the runs with different limits; nothing when nothing speaks against more. */
static void put_advice(const struct limit *limit, FILE *to)
{
        if (!limit->advised || !limit->advice.workers || limit->advice.extrapolated)
                return;
        if (isfinite(limit->advice.peak))
                fprintf(to, "; what was measured has its peak at %u", limit->advice.workers);
        else
                fprintf(to, "; %u do nine tenths of what any number does", limit->advice.workers);
}

void limits_text(const struct limits *limits, FILE *to)
{
        for (size_t i = 0; i < limits->count && i < TEXT_MOST; i++) {
                const struct limit *limit = &limits->of[i];
                char name[80];
                char refused[32];

                fprintf(to, "at once   %s: %u (%s)", text_safe(limit->name, 70, name, sizeof name), limit->view.limit,
                        plait_tuner_reason_name(limit->view.reason));
                if (limit->view.refused)
                        fprintf(to, ", %s refused", text_count(limit->view.refused, refused, sizeof refused));
                put_advice(limit, to);
                fputs("\n", to);
        }
        if (limits->hosts > TEXT_MOST)
                fprintf(to, "          and %zu hosts more\n", limits->hosts - TEXT_MOST);
}

void limits_json(const struct limits *limits, struct json *out)
{
        json_open(out, "limits", '[');
        for (size_t i = 0; i < limits->count; i++) {
                const struct limit *limit = &limits->of[i];

                json_open(out, NULL, '{');
                json_string(out, "host", limit->name);
                json_integer(out, "limit", limit->view.limit);
                json_string(out, "reason", plait_tuner_reason_name(limit->view.reason));
                json_integer(out, "refused", limit->view.refused);
                json_number(out, "per_s", limit->view.per_s);
                json_number(out, "first_byte_s", limit->view.first_byte_s);
                json_number(out, "advised",
                            limit->advised && !limit->advice.extrapolated && limit->advice.workers
                                    ? (double)limit->advice.workers
                                    : NAN);
                json_close(out, '}');
        }
        json_close(out, ']');
}
