/*
 * Running one way of one experiment in a process of its own, and measuring it.
 */
#include "demo/strategy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plait/time.h>

#include "command.h"
#include "demo/usage.h"
#include "demo/workers.h"

unsigned site_port;

static const struct strategy *find(const char *part, const struct experiment **ret_experiment)
{
        static const struct experiment *const experiments[] = {&downloads, &squares};

        for (size_t i = 0; i < sizeof experiments / sizeof experiments[0]; i++) {
                const size_t bytes = strlen(experiments[i]->name);

                if (strncmp(part, experiments[i]->name, bytes) != 0 || part[bytes] != '/')
                        continue;
                for (size_t k = 0; k < experiments[i]->count; k++)
                        if (strcmp(experiments[i]->ways[k].name, part + bytes + 1) == 0) {
                                *ret_experiment = experiments[i];
                                return &experiments[i]->ways[k];
                        }
        }
        return NULL;
}

static int run(const struct strategy *way, const struct experiment *experiment)
{
        if (experiment->prepare)
                experiment->prepare();
        const int64_t begin_ns = plait_now_ns();
        const double cpu_before = usage_cpu_s();
        const int r = way->work();
        struct measure measure = {.wall_s = (double)(plait_now_ns() - begin_ns) / 1e9,
                                  .cpu_s = usage_cpu_s() - cpu_before,
                                  .peak_rss_bytes = usage_peak_rss_bytes()};

        if (r != experiment->items) {
                fprintf(stderr, "plait demo: %s: ", way->name);
                if (r < 0)
                        fprintf(stderr, "%s\n", strerrordesc_np(-r));
                else
                        fprintf(stderr, "only %d of %d %s came, and came right\n", r, experiment->items,
                                experiment->item);
                return EXIT_FAILED;
        }
        workers_add(&measure);
        printf("%.6f %.6f %" PRIu64 "\n", measure.wall_s, measure.cpu_s, measure.peak_rss_bytes);
        return EXIT_OK;
}

int strategy_run(const char *part, unsigned port)
{
        const struct experiment *experiment = NULL;
        const struct strategy *way = find(part, &experiment);

        site_port = port;
        return way ? run(way, experiment) : EXIT_USAGE;
}

int strategy_parse(const char *text, struct measure *ret)
{
        char *end = NULL;
        struct measure measure = {.wall_s = strtod(text, &end)};

        measure.cpu_s = strtod(end, &end);
        measure.peak_rss_bytes = strtoull(end, &end, 10);
        if (*end != '\n' || measure.peak_rss_bytes == 0)
                return -EINVAL;
        *ret = measure;
        return 0;
}
