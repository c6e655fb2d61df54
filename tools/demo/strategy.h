/*
 * The ways of downloading the demonstration's pages.
 */
#ifndef DEMO_STRATEGY_H
#define DEMO_STRATEGY_H

#include <stddef.h>
#include <stdint.h>

#define STRATEGIES 4

struct strategy {
        const char *name;
        const char *what;
        int (*download)(void); /* all pages; returns how many were right, or a negative errno */
};

extern const struct strategy strategies[STRATEGIES];

/* What a strategy took. */
struct measure {
        double wall_s, cpu_s;
        uint64_t peak_rss_bytes;
};

/* Runs a strategy in this process against the site at *port* and prints what it took; returns an exit code. */
int strategy_run(const char *name, unsigned port);

/* Reads what strategy_run() printed; returns 0 or -EINVAL. */
int strategy_parse(const char *text, struct measure *ret);

#endif
