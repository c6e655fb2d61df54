/*
 * What the demonstration compares: two experiments, each a piece of work that is done in several ways.
 */
#ifndef DEMO_STRATEGY_H
#define DEMO_STRATEGY_H

#include <stddef.h>
#include <stdint.h>

#define STRATEGIES_MAX 5

struct strategy {
        const char *name;
        const char *what;
        int (*work)(void); /* all of it; returns how many items came out right, or a negative errno */
};

struct experiment {
        const char *name; /* "io", "cpu" */
        const char *item; /* what the work consists of, in the plural */
        int items;
        void (*prepare)(void); /* called before the time begins; NULL: nothing */
        size_t count;          /* of the ways; the first is what the others are compared with */
        struct strategy ways[STRATEGIES_MAX];
};

/* 160 pages of the site. */
extern const struct experiment downloads;
/* 20 sums of squares. */
extern const struct experiment squares;

/* How many processors those are computed by; 0: that cannot be told. */
unsigned squares_processors(void);

/* Where the site is, in the process that runs a way of *downloads*. */
extern unsigned site_port;

/* What a way took. */
struct measure {
        double wall_s, cpu_s;
        uint64_t peak_rss_bytes;
};

/* Runs the way "experiment/name" in this process and prints what it took; returns an exit code. */
int strategy_run(const char *part, unsigned port);

/* Reads what strategy_run() printed; returns 0 or -EINVAL. */
int strategy_parse(const char *text, struct measure *ret);

#endif
