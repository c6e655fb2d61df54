/*
 * The hosts of a dispatcher, whose lock the caller holds.
 */
#include "fetch/host.h"

#include <stdlib.h>
#include <string.h>

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
        free(host);
}

static uint64_t can_begin(const struct dispatch *dispatch, const struct dispatch_host *host)
{
        if (host->holds > 0)
                return 0;
        uint64_t room = host->in_flight < dispatch->per_host ? dispatch->per_host - host->in_flight : 0;
        return host->retry_count + (host->backlog.count < room ? host->backlog.count : room);
}

void host_changed(struct dispatch *dispatch, struct dispatch_host *host)
{
        uint64_t now = can_begin(dispatch, host);

        dispatch->startable += now - host->counted;
        host->counted = now;
        if (now > 0 && !host->is_ready) {
                host->is_ready = true;
                host->next_ready = NULL;
                *dispatch->ready_end = host;
                dispatch->ready_end = &host->next_ready;
        }
        /* One that is linked stays until its turn: host_next() passes over it. */
        if (!host->is_ready && host->in_flight == 0 && host->backlog.count == 0)
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
                        free(host);
                }
        for (size_t i = 0; i < dispatch->waiting_count; i++)
                free_job(dispatch->waiting[i]);
        free(dispatch->hosts);
}
