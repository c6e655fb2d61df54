/*
 * Downloading. A body up to 64 KiB is kept in memory until it is whole, so that the saver makes, writes and renames a
 * small file at one go; of a larger one each 64 KiB go to a temporary file, by way of a thread that may block.
 */
#include "fetch/download.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <plait/blocking.h>
#include <plait/fd.h>
#include <plait/scope.h>

#include "fetch/fetch.h"
#include "fetch/name.h"
#include "fetch/retry.h"

#define BUFFER_BYTES 65536
#define BUFFER_FIRST 2048
#define ERROR_BODY_MAX                                                                                \
        262144 /* of an error page, so that its connection can be used again; longer ones are cut off \
                */

/* A downloading task and its attempt at a URL. */
struct download {
        struct fetch *fetch;
        struct plait_response response;
        bool wanted;   /* the answer is a success: its body is kept */
        bool unmarked; /* but its end is not marked, and that is not accepted */
        int fd;        /* of the temporary file; -1: there is none */
        char temp[TEMP_SIZE];
        char *buffer;
        size_t have, room;
        uint64_t bytes; /* of the body so far */
        int error;      /* of keeping the body */
        const char *error_at;
        bool fatal; /* the error is of no use to go on with other URLs either */
        char message[128];
};

static int failed(struct download *d, const char *what, int r)
{
        d->error = r;
        d->error_at = what;
        d->fatal = true;
        return r;
}

static int make_file(struct download *d)
{
        if (d->fd >= 0)
                return 0;
        d->fd = folder_create(&d->fetch->folder, d->temp);
        return d->fd < 0 ? failed(d, "make a file", d->fd) : 0;
}

/* Writes what is in the buffer to the temporary file. */
static int flush(struct download *d)
{
        int r = make_file(d);
        if (r < 0)
                return r;
        ssize_t n = plait_write_full(d->fd, d->buffer, d->have, PLAIT_NEVER);
        if (n < 0)
                return n == -ECANCELED ? -ECANCELED : failed(d, "write", (int)n);
        d->have = 0;
        return 0;
}

static int grow(struct download *d, size_t wanted)
{
        size_t room = d->room ? d->room : BUFFER_FIRST;

        while (room < wanted && room < BUFFER_BYTES)
                room *= 2;
        if (room == d->room)
                return 0;
        char *grown = realloc(d->buffer, room);
        if (!grown)
                return failed(d, "keep a body", -ENOMEM);
        d->buffer = grown;
        d->room = room;
        return 0;
}

static int keep(struct download *d, const char *data, size_t bytes)
{
        while (bytes > 0) {
                int r = d->have == BUFFER_BYTES ? flush(d) : grow(d, d->have + bytes);
                if (r < 0)
                        return r;
                size_t part = bytes < d->room - d->have ? bytes : d->room - d->have;
                memcpy(d->buffer + d->have, data, part);
                d->have += part;
                data += part;
                bytes -= part;
        }
        return 0;
}

static int on_head(void *arg, const struct plait_response *head)
{
        struct download *d = arg;

        d->wanted = head->status >= 200 && head->status < 300;
        return 0;
}

static int on_body(void *arg, const void *data, size_t bytes)
{
        struct download *d = arg;

        d->bytes += bytes;
        __atomic_fetch_add(&d->fetch->report.bytes, bytes, __ATOMIC_RELAXED);
        if (!d->wanted)
                return d->bytes > ERROR_BODY_MAX ? -ECONNABORTED : 0;
        if (!d->fetch->to_stdout)
                return keep(d, data, bytes);
        ssize_t n = plait_write_full(STDOUT_FILENO, data, bytes, PLAIT_NEVER);
        if (n < 0)
                return n == -ECANCELED ? -ECANCELED : failed(d, "write", (int)n);
        return 0;
}

static int sync_file(void *arg)
{
        return fdatasync(*(int *)arg) < 0 ? -errno : 0;
}

/* Gives a whole body its file. */
static int save(struct download *d, const struct job *job, const char *name)
{
        struct save save = {
                .url = job->url,
                .name = name,
                .entry = {.status = d->response.status, .bytes = d->bytes},
                .temp = d->temp,
                .data = d->buffer,
                .bytes = d->have,
        };

        if (d->fetch->options.sync) { /* each by a thread of its own: disks do many at once */
                int r = flush(d);
                if (r == 0)
                        r = plait_blocking(sync_file, &d->fd, PLAIT_NEVER);
                if (r < 0)
                        return r == -ECANCELED || d->error ? r : failed(d, "write", r);
                save.bytes = 0;
        }
        save.fd = d->fd;
        d->fd = -1;
        int r = saver_save(&d->fetch->saver, &save);
        if (r < 0) {
                failed(d, save.error_at, r);
                d->fatal = r != -EISDIR && r != -ENOTEMPTY && r != -EEXIST;
        }
        return r;
}

static void discard(struct download *d)
{
        if (d->fd >= 0) {
                close(d->fd);
                folder_discard(&d->fetch->folder, d->temp);
        }
        d->fd = -1;
        d->have = 0;
}

/* Why an attempt did not succeed; NULL: it did. */
static const char *explain(struct download *d, int r)
{
        if (d->error) {
                snprintf(d->message, sizeof d->message, "cannot %s: %s", d->error_at, strerrordesc_np(-d->error));
                return d->message;
        }
        if (d->response.status > 0 && !d->wanted && (r == 0 || r == -ECONNABORTED)) {
                snprintf(d->message, sizeof d->message, "the server answered with status %d", d->response.status);
                return d->message;
        }
        if (r == 0 && !d->unmarked)
                return NULL;
        if (d->unmarked)
                return "the server does not mark the end of the body, so that a cut could not be told; "
                       "--accept-unmarked-end takes it as it is";
        return *d->response.message ? d->response.message : strerrordesc_np(-r);
}

/* One attempt. Returns what plait_session_get() does, or the error of saving. */
static int attempt(struct download *d, const struct job *job, const char *name)
{
        struct plait_request_opts request = {.size = sizeof request, .on_head = on_head, .on_body = on_body, .arg = d};

        d->wanted = d->fatal = false;
        d->bytes = 0;
        d->error = 0;
        int r = plait_session_get(d->fetch->session, job->url, &d->response, &request);
        __atomic_fetch_add(&d->fetch->report.requests, 1, __ATOMIC_RELAXED);
        d->unmarked = r == 0 && d->wanted && d->response.end_unverified && !d->fetch->options.accept_unmarked_end;
        if (r == 0 && d->wanted && !d->unmarked && !d->fetch->to_stdout)
                r = save(d, job, name);
        if (r < 0 || !d->wanted || d->unmarked)
                discard(d);
        d->have = 0;
        return r;
}

/* What the attempt tells of how many are under way. Any answer but "too many" says that the server had time for it. */
static void measure(const struct download *d, struct job *job)
{
        const struct plait_response *answer = &d->response;
        int64_t connected_ns = answer->tls_ns > 0 ? answer->tls_ns : answer->connect_ns;

        job->sample = (struct plait_tuner_sample){
                .outcome = PLAIT_TUNER_FAILED,
                .first_byte_ns = answer->first_byte_ns > connected_ns ? answer->first_byte_ns - connected_ns : 0,
                .bytes = d->bytes,
        };
        if (d->error)
                return;
        switch ((int)answer->problem) {
        case PLAIT_HTTP_OK:
        case PLAIT_HTTP_SINK: /* the rest of an error page was not wanted */
                if (answer->status == 429 || answer->status == 503) {
                        job->sample.outcome = PLAIT_TUNER_REFUSED;
                        job->sample.retry_after_ns = answer->retry_after_ns;
                } else if (answer->status < 500) {
                        job->sample.outcome = PLAIT_TUNER_OK;
                }
                break;
        case PLAIT_HTTP_REFUSED:
        case PLAIT_HTTP_RESET: job->sample.outcome = PLAIT_TUNER_REFUSED; break;
        case PLAIT_HTTP_CONNECT_TIMEOUT:
        case PLAIT_HTTP_FIRST_BYTE_TIMEOUT:
        case PLAIT_HTTP_STALL_TIMEOUT:
        case PLAIT_HTTP_TOTAL_TIMEOUT: job->sample.outcome = PLAIT_TUNER_TIMED_OUT; break;
        default: break;
        }
}

static bool may_retry(const struct download *d, const struct job *job, int r)
{
        if (job->attempts > d->fetch->options.retries || d->error || d->unmarked ||
            (d->fetch->to_stdout && d->wanted && d->bytes > 0))
                return false;
        if (r == -ECONNABORTED && !d->wanted) { /* cut off by on_body: what counts is the status */
                struct plait_response answer = {.status = d->response.status};
                return retry_is_useful(&answer);
        }
        return retry_is_useful(&d->response);
}

static int tell(struct download *d, const struct job *job, const char *name, const char *error)
{
        struct result result = {
                .url = job->url,
                .line = job->line,
                .status = d->response.status,
                .bytes = d->bytes,
                .file = error || d->fetch->to_stdout ? NULL : name,
                .attempts = job->attempts,
                .total_ns = plait_now_ns() - job->begin_ns,
                .error = error,
        };

        int r = report_result(&d->fetch->report, &result);
        return r < 0 && r != -ECANCELED ? fetch_give_up(d->fetch, "write to standard output", r) : r;
}

/* Downloads what is one's turn; the job is finished or put back. Returns 0, or negative to give up. */
static int work(struct download *d, struct job *job)
{
        char name[NAME_SIZE];

        name_of_url(job->url, name);
        if (job->attempts++ == 0)
                job->begin_ns = plait_now_ns();
        int r = attempt(d, job, name);
        measure(d, job);
        if (r < 0 && plait_cancelled() < 0 && !d->error) {
                dispatch_finish(&d->fetch->dispatch, job);
                return -ECANCELED;
        }
        const char *error = explain(d, r);
        if (error && may_retry(d, job, r)) {
                uint64_t seed = __atomic_add_fetch(&d->fetch->seed, 0x9e3779b97f4a7c15, __ATOMIC_RELAXED);
                int64_t asked = d->response.retry_after_ns;
                int64_t due = plait_in_ns(retry_wait_ns(job->attempts, asked, &seed));
                if (dispatch_retry(&d->fetch->dispatch, job, due, asked > 0) == 0)
                        return 0;
        }
        r = tell(d, job, name, error);
        dispatch_finish(&d->fetch->dispatch, job);
        if (d->fatal)
                return fetch_give_up(d->fetch, d->error_at, d->error);
        return r;
}

int download_all(void *arg)
{
        struct download d = {.fetch = arg, .response = PLAIT_RESPONSE_INIT, .fd = -1};
        struct job *job = NULL;
        int r = 0;

        while ((r = dispatch_take(&d.fetch->dispatch, &job)) > 0 && (r = work(&d, job)) == 0) {}
        plait_response_done(&d.response);
        free(d.buffer);
        return r;
}
