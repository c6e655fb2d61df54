/*
 * Who is next: URLs are queued by host, so that a slow host holds up its own URLs only, and failed ones wait here for
 * their next attempt.
 *
 * Limits are fixed, or found by measurement (plait/tuner.h): of each host, of all together, or of both. Then a URL that
 * waits for another attempt does not count against its host's limit, for that says how many are under way.
 *
 * Memory is bounded, however long the list is: URLs are offered only while too few can be begun; those of hosts that
 * have all the requests they may have go to a file when they become many; and no more than a fixed number wait for
 * another attempt. A URL that waits for another attempt counts against a fixed limit of its host, but not against the
 * number of downloads at once.
 */
#ifndef FETCH_DISPATCH_H
#define FETCH_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <plait/condition.h>
#include <plait/mutex.h>
#include <plait/tuner.h>

#include "fetch/backlog.h"
#include "fetch/url.h"

struct dispatch_host;

/* A URL that is being worked on. */
struct job {
        char *url;
        uint64_t line;                    /* of the list; 0: of the command line */
        unsigned attempts;                /* made */
        int64_t begin_ns;                 /* of the first attempt; 0: none was made */
        struct plait_tuner_sample sample; /* how the attempt went: to be filled in before the job is given back */
        /* the dispatcher's: */
        struct dispatch_host *host;
        struct job *next;
        int64_t due_ns;
        bool holds; /* its host waits until it is due */
        struct plait_tuner_call call, host_call;
};

struct dispatch {
        struct plait_mutex lock;     /* guards everything */
        struct plait_condition work; /* something can be begun, or all is done */
        struct plait_condition room; /* the list can go on */
        struct plait_condition tick; /* the clock has to look */

        unsigned parallel, per_host; /* where limits are found, the most that they may be */
        bool tunes_hosts;
        struct plait_tuner *tuner; /* of all together; NULL: as many as tasks take */
        uint64_t running;          /* jobs that were taken, and neither wait for another attempt nor are done */
        uint64_t signalled;        /* how many can be begun, as far as tasks were told */
        unsigned busy_hosts;       /* hosts with something queued or under way */
        int64_t interval_ns;       /* between two attempts, all hosts together; 0: no limit */
        int64_t next_ns;           /* when the next may begin */

        struct dispatch_host **hosts; /* a hash table */
        size_t host_count, host_room;
        struct dispatch_host *ready, **ready_end; /* those of which something can be begun; they take turns */
        uint64_t startable;                       /* how many could be begun if nothing limited them all together */
        struct job **waiting;                     /* a heap, by due_ns */
        size_t waiting_count, waiting_room;
        size_t waiting_max; /* the list does not go on while so many wait */
        uint64_t active;    /* jobs that were taken and are not done, waiting ones included */
        uint64_t queued;    /* URLs that were offered and not taken */
        bool complete;      /* nothing more will be offered */
        int error;          /* of the file that queues spill to: nothing can go on */
        struct spill spill;
};

/* How many at once. */
struct dispatch_limits {
        unsigned parallel, per_host;
        bool tunes, tunes_hosts; /* found by measurement, of all together and of each host: those are the most */
};

/* *interval_ns*: the least time between the beginnings of two attempts; 0: none. Returns 0 or -ENOMEM. */
int dispatch_init(struct dispatch *dispatch, const struct dispatch_limits *limits, int64_t interval_ns);
void dispatch_done(struct dispatch *dispatch);

/* Queues a URL for *host* ("name:port"), waiting until it is time to. Returns 0, -ECANCELED, -ENOMEM, -ENOSPC, ... */
int dispatch_offer(struct dispatch *dispatch, const char *host, const char *url, uint64_t line);

/* Says that the list has ended. */
void dispatch_complete(struct dispatch *dispatch);

/* Waits for a URL whose turn it is. Returns 1, or 0 when all are done, or a negative errno. */
int dispatch_take(struct dispatch *dispatch, struct job **ret_job);

/* Ends a job, which is freed. */
void dispatch_finish(struct dispatch *dispatch, struct job *job);

/* Puts a job back, to be taken again at *due_ns*. With *hold* nothing of its host is begun before that. Returns 0,
   or -ENOMEM: it is still the caller's. */
int dispatch_retry(struct dispatch *dispatch, struct job *job, int64_t due_ns, bool hold);

/* Tells what was found of limits, when all is done. */
struct limits;
void dispatch_tell_limits(struct dispatch *dispatch, struct limits *ret);

/* Wakes up what is due: to be run in a task of its own. Returns 0 when all is done, or -ECANCELED. */
int dispatch_clock(struct dispatch *dispatch);

#endif
