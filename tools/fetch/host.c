/*
 * The hosts of a dispatcher, whose lock the caller holds.
 */
#include "fetch/host.h"

#include <stdlib.h>
#include <string.h>

#include <plait/time.h>

#define KEPT_HOSTS 1024     /* so many are kept for what was learnt of them */
#define WAITING_AT_LEAST 64 /* jobs of a host whose limit is found may wait for another attempt, however low it is */

static size_t hash(const char *name)
{
        uint64_t h = 0xcbf29ce484222325;

        for (; *name; name++)
                h = (h ^ (unsigned char)*name) * 0x100000001b3;
        return (size_t)(h ^ h >> 32);
}

static int grow(struct dispatch *dispatch)
{
        size_t room = dispatch->host_room ? dispatch->host_room * 2 : 64;
        struct dispatch_host **hosts = calloc(
                room, sizeof(struct dispatch_host *)); // NOLINT(bugprone-sizeof-expression): pointers

        if (!hosts)
                return -1;
        for (size_t i = 0; i < dispatch->host_room; i++)
                for (struct dispatch_host *host = dispatch->hosts[i], *next; host; host = next) {
                        struct dispatch_host **to = &hosts[hash(host->name) & (room - 1)];
                        next = host->next_hash;
                        host->next_hash = *to;
                        *to = host;
                }
        free(dispatch->hosts);
        dispatch->hosts = hosts;
        dispatch->host_room = room;
        return 0;
}

static struct plait_tuner *new_tuner(const struct dispatch *dispatch, const char *name)
{
        struct plait_tuner_opts opts = {.size = sizeof opts, .name = name, .most = dispatch->per_host};
        struct plait_tuner *tuner = NULL;

        return plait_tuner_new(&tuner, &opts) < 0 ? NULL : tuner;
}

struct dispatch_host *host_get(struct dispatch *dispatch, const char *name)
{
        size_t bytes = strlen(name) + 1;

        if (dispatch->host_count >= dispatch->host_room && grow(dispatch) < 0)
                return NULL;
        struct dispatch_host **to = &dispatch->hosts[hash(name) & (dispatch->host_room - 1)];
        for (struct dispatch_host *host = *to; host; host = host->next_hash)
                if (strcmp(host->name, name) == 0)
                        return host;
        struct dispatch_host *host = bytes <= sizeof host->name ? calloc(1, sizeof *host) : NULL;
        if (!host)
                return NULL;
        memcpy(host->name, name, bytes);
        if (dispatch->tunes_hosts && !(host->tuner = new_tuner(dispatch, name))) {
                free(host);
                return NULL;
        }
        host->next_hash = *to;
        *to = host;
        dispatch->host_count++;
        return host;
}

static void forget(struct dispatch *dispatch, struct dispatch_host *host)
{
        struct dispatch_host **at = &dispatch->hosts[hash(host->name) & (dispatch->host_room - 1)];

        while (*at != host)
                at = &(*at)->next_hash;
        *at = host->next_hash;
        dispatch->host_count--;
        backlog_done(&host->backlog);
        plait_tuner_free(host->tuner);
        free(host);
}

/* With a limit that is found: URLs whose turn has come again, and new ones unless too many wait for another attempt. */
static uint64_t can_begin_by_tuner(const struct dispatch_host *host)
{
        uint64_t room = plait_tuner_room(host->tuner, PLAIT_NEVER); /* while *holds*, this is not asked */
        uint64_t waiting = host->in_flight - host->running;
        uint64_t fresh = waiting < host->running + WAITING_AT_LEAST ? host->backlog.count : 0;
        uint64_t there = host->retry_count + fresh;

        return there < room ? there : room;
}

static uint64_t can_begin(const struct dispatch *dispatch, const struct dispatch_host *host)
{
        if (host->holds > 0)
                return 0;
        if (host->tuner)
                return can_begin_by_tuner(host);
        uint64_t room = host->in_flight < dispatch->per_host ? dispatch->per_host - host->in_flight : 0;
        return host->retry_count + (host->backlog.count < room ? host->backlog.count : room);
}

void host_changed(struct dispatch *dispatch, struct dispatch_host *host)
{
        uint64_t now = can_begin(dispatch, host);
        bool busy = host->in_flight > 0 || host->backlog.count > 0;

        if (busy != host->is_busy) {
                host->is_busy = busy;
                dispatch->busy_hosts += busy ? 1U : -1U;
        }
        dispatch->startable += now - host->counted;
        host->counted = now;
        if (now > 0 && !host->is_ready) {
                host->is_ready = true;
                host->next_ready = NULL;
                *dispatch->ready_end = host;
                dispatch->ready_end = &host->next_ready;
        }
        /* One that is linked stays until its turn: host_next() passes over it. */
        if (!host->is_ready && !busy && (!host->tuner || dispatch->host_count > KEPT_HOSTS))
                forget(dispatch, host);
}

struct dispatch_host *host_next(struct dispatch *dispatch)
{
        while (dispatch->ready) {
                struct dispatch_host *host = dispatch->ready;

                dispatch->ready = host->next_ready;
                if (!dispatch->ready)
                        dispatch->ready_end = &dispatch->ready;
                host->is_ready = false;
                if (host->counted > 0)
                        return host;
                host_changed(dispatch, host);
        }
        return NULL;
}

static void free_job(struct job *job)
{
        free(job->url);
        free(job);
}

void host_free_all(struct dispatch *dispatch)
{
        for (size_t i = 0; i < dispatch->host_room; i++)
                for (struct dispatch_host *host = dispatch->hosts[i], *next; host; host = next) {
                        next = host->next_hash;
                        for (struct job *job = host->retries, *later; job; job = later) {
                                later = job->next;
                                free_job(job);
                        }
                        backlog_done(&host->backlog);
                        plait_tuner_free(host->tuner);
                        free(host);
                }
        for (size_t i = 0; i < dispatch->waiting_count; i++)
                free_job(dispatch->waiting[i]);
        free(dispatch->hosts);
}
