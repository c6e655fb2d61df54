/* Output of workers, line by line. See pool/output.h. */
#include "pool/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/attributes.h"
#include "plat/sys.h"

/* Between two attempts to write what could not be written: doubles until something is taken. */
enum { PAUSE_LEAST_NS = 1000 * 1000, PAUSE_MOST_NS = 64 * 1000 * 1000 };

/* Those that wait for whoever reads this program's output. The keeper's thread's. */
static struct {
        struct pl_list list;
        int64_t pause_ns, again_ns;
} stalled;

int pl_output_open(struct pl_output *output, int to, int *ret_writer)
{
        int ends[2];

        *output = (struct pl_output){.from = -1, .to = to};
        pl_list_init(&output->stalled);
        output->text = malloc(PL_OUTPUT_BYTES);
        if (!output->text)
                return -ENOMEM;
        if (pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
                int r = -errno;

                free(output->text);
                output->text = NULL;
                return r;
        }
        output->from = ends[0];
        *ret_writer = ends[1];
        return 0;
}

/* A pipe that poll() calls writable takes PIPE_BUF bytes without blocking. 1: written; 0: not now. */
static int write_some(struct pl_output *output)
{
        struct pollfd look = {.fd = output->to, .events = POLLOUT};
        size_t bytes = output->full < PIPE_BUF ? output->full : PIPE_BUF;

        if (bytes < output->full) { /* whole lines, if there is an end of one in it */
                const char *newline = memrchr(output->text, '\n', bytes);

                if (newline)
                        bytes = (size_t)(newline - output->text) + 1;
        }
        if (poll(&look, 1, 0) == 0)
                return 0;

        ssize_t n = write(output->to, output->text, bytes);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n < 0)
                n = (ssize_t)bytes; /* nobody can read it: it is lost, as it would be in this process */
        output->n -= (size_t)n;
        output->full -= (size_t)n;
        memmove(output->text, output->text + n, output->n);
        return 1;
}

/* Pass on what can be; false: something waits until it can be written. */
static bool flush(struct pl_output *output)
{
        while (output->full)
                if (!write_some(output))
                        return false;
        return true;
}

/* Read once. 1: something; 0: nothing now; -1: no more will come. */
static int read_some(struct pl_output *output)
{
        ssize_t n = read(output->from, output->text + output->n, PL_OUTPUT_BYTES - output->n);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -1;
        if (n == 0)
                return -1;
        output->n += (size_t)n;

        const char *newline = memrchr(output->text, '\n', output->n);
        if (newline)
                output->full = (size_t)(newline - output->text) + 1;
        else if (output->n == PL_OUTPUT_BYTES)
                output->full = output->n; /* that is no line any more */
        return 1;
}

static void unwatch(struct pl_output *output)
{
        if (output->from < 0)
                return;
        if (output->watched)
                pl_keeper_unwatch(output->from);
        output->watched = false;
        pl_list_remove(&output->stalled);
}

static int watch(struct pl_output *output)
{
        int r = pl_keeper_watch(output->from, &output->source, EPOLLIN);

        output->watched = r == 0;
        return r;
}

static void stall(struct pl_output *output)
{
        unwatch(output);
        if (pl_list_empty(&stalled.list)) {
                stalled.pause_ns = PAUSE_LEAST_NS;
                stalled.again_ns = pl_plat_now_ns() + PAUSE_LEAST_NS;
        }
        pl_list_push_back(&stalled.list, &output->stalled);
}

void pl_output_reset(void)
{
        pl_list_init(&stalled.list);
}

int64_t pl_output_retry(int64_t now_ns)
{
        bool taken = false;

        if (pl_list_empty(&stalled.list))
                return PL_PLAT_NEVER;
        if (now_ns < stalled.again_ns)
                return stalled.again_ns;
        for (struct pl_list *link = stalled.list.next, *next; link != &stalled.list; link = next) {
                struct pl_output *output = PL_CONTAINER_OF(link, struct pl_output, stalled);
                size_t was = output->n;

                next = link->next;
                if (flush(output) && (output->ended || watch(output) == 0))
                        pl_list_remove(link);
                taken |= output->n < was;
        }
        if (taken)
                stalled.pause_ns = PAUSE_LEAST_NS;
        else if (stalled.pause_ns < PAUSE_MOST_NS)
                stalled.pause_ns *= 2;
        stalled.again_ns = now_ns + stalled.pause_ns;
        return pl_list_empty(&stalled.list) ? PL_PLAT_NEVER : stalled.again_ns;
}

static void ready(struct pl_keeper_source *source, uint32_t events)
{
        struct pl_output *output = PL_CONTAINER_OF(source, struct pl_output, source);

        (void)events;
        if (!output->watched)
                return;
        if (flush(output))
                output->ended = read_some(output) < 0;
        if (!flush(output))
                stall(output);
        else if (output->ended)
                unwatch(output);
}

int pl_output_start(struct pl_output *output)
{
        output->source.ready = ready;
        return watch(output);
}

bool pl_output_finish(struct pl_output *output)
{
        int r = 1;

        unwatch(output);
        while (output->from >= 0 && r > 0) {
                if (!flush(output))
                        return false;
                r = read_some(output);
        }
        if (!flush(output))
                return false;
        if (output->n) { /* there is room: lines have been written */
                if (output->n < PL_OUTPUT_BYTES)
                        output->text[output->n++] = '\n';
                output->full = output->n;
        }
        return flush(output);
}

void pl_output_close(struct pl_output *output)
{
        if (output->from >= 0) {
                unwatch(output);
                close(output->from);
        }
        output->from = -1;
        free(output->text);
        output->text = NULL;
}
