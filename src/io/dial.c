/*
 * Connecting to a name: of its addresses, the first that answers (after RFC 8305). Attempts run side by side, each
 * started when the one before has failed or has had a quarter of a second.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "io/address.h"
#include "io/call.h"
#include "plait/fd.h"
#include "plait/socket.h"
#include "plait/task.h"
#include "plat/sys.h"

enum { MOST_ADDRESSES = 16 };

#define STAGGER_NS INT64_C(250000000)

struct race {
        const struct plait_address *order[MOST_ADDRESSES];
        struct pollfd attempts[MOST_ADDRESSES]; /* fd -1: failed */
        size_t count, started, running;
        int error; /* of the last that failed */
};

/* The resolver's order, with the families by turns, so that one that leads nowhere does not hold up the other. */
static void arrange(struct race *race, const struct plait_addresses *found)
{
        int first = found->at[0].as.any.sa_family;
        size_t next[2] = {0, 0};

        for (unsigned turn = 0; race->count < MOST_ADDRESSES && (next[0] < found->count || next[1] < found->count);
             turn ^= 1) {
                size_t i = next[turn];

                while (i < found->count && (found->at[i].as.any.sa_family == first) != (turn == 0))
                        i++;
                if (i < found->count)
                        race->order[race->count++] = &found->at[i];
                next[turn] = i + 1;
        }
}

static void failed(struct race *race, size_t i, int error)
{
        if (race->attempts[i].fd >= 0) {
                (void)plait_close(race->attempts[i].fd);
                race->running--;
        }
        race->attempts[i].fd = -1;
        race->error = error;
}

/* The next attempt: a connected socket, -EINPROGRESS, or its error, after which the others go on. */
static int start(struct race *race)
{
        size_t i = race->started++;
        const struct plait_address *address = race->order[i];
        int fd = plait_socket(address->as.any.sa_family, SOCK_STREAM, 0);

        race->attempts[i] = (struct pollfd){.fd = fd, .events = POLLOUT};
        if (fd < 0) {
                failed(race, i, fd);
                return fd;
        }
        race->running++;

        int r = pl_io_call_connect(fd, &address->as.any, address->length);

        if (r < 0 && r != -EINPROGRESS)
                failed(race, i, r);
        return r < 0 ? r : fd;
}

/* After poll(): the socket that is connected, or -EINPROGRESS. */
static int winner(struct race *race)
{
        for (size_t i = 0; i < race->started; i++) {
                struct pollfd *attempt = &race->attempts[i];

                if (attempt->fd < 0 || !attempt->revents)
                        continue;

                int error = pl_io_call_getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR);

                if (error == 0 && !(attempt->revents & (POLLERR | POLLHUP | POLLNVAL)))
                        return attempt->fd;
                failed(race, i, error > 0 ? -error : error < 0 ? error : -ECONNREFUSED);
        }
        return -EINPROGRESS;
}

static int run(struct race *race, int64_t deadline_ns)
{
        for (;;) {
                int64_t until = deadline_ns;
                int r = -EINPROGRESS;

                if (race->started < race->count) {
                        r = start(race);
                        if (r >= 0)
                                return r;
                        if (r != -EINPROGRESS)
                                continue;
                }
                if (race->running == 0)
                        return race->error;
                if (race->started < race->count && until - STAGGER_NS > pl_plat_now_ns())
                        until = pl_plat_now_ns() + STAGGER_NS;
                r = plait_poll(race->attempts, race->started, until);
                if (r < 0 && !(r == -ETIMEDOUT && until != deadline_ns))
                        return r;
                if (r > 0) {
                        r = winner(race);
                        if (r >= 0)
                                return r;
                }
        }
}

static int dial_tcp(const struct plait_addresses *found, int64_t deadline_ns)
{
        struct race race = {.error = -ENOENT};

        arrange(&race, found);

        int fd = run(&race, deadline_ns);

        for (size_t i = 0; i < race.started; i++)
                if (race.attempts[i].fd >= 0 && race.attempts[i].fd != fd)
                        (void)plait_close(race.attempts[i].fd);
        return fd;
}

static int dial_udp(const struct plait_addresses *found)
{
        int r = -ENOENT;

        for (size_t i = 0; i < found->count; i++) {
                int fd = plait_socket(found->at[i].as.any.sa_family, SOCK_DGRAM, 0);

                if (fd < 0) {
                        r = fd;
                        continue;
                }
                r = pl_io_call_connect(fd, &found->at[i].as.any, found->at[i].length);
                if (r == 0)
                        return fd;
                (void)plait_close(fd);
        }
        return r;
}

/* A Unix socket whose queue is full says -EAGAIN, and nothing tells when it has room. */
static int dial_unix(const struct plait_address *address, int64_t deadline_ns)
{
        int64_t pause_ns = 100000;
        int fd = plait_socket(AF_UNIX, SOCK_STREAM, 0);
        int r;

        if (fd < 0)
                return fd;
        while ((r = pl_io_call_connect(fd, &address->as.any, address->length)) == -EAGAIN) {
                int64_t until = pl_plat_now_ns() + pause_ns;

                if (until > deadline_ns)
                        r = -ETIMEDOUT;
                else
                        r = plait_sleep(until);
                if (r < 0)
                        break;
                if (pause_ns < 10000000)
                        pause_ns *= 2;
        }
        if (r < 0) {
                (void)plait_close(fd);
                return r;
        }
        return fd;
}

int plait_dial(const char *address, int64_t deadline_ns)
{
        struct plait_addresses *found;
        struct pl_io_address where;
        int r = pl_io_address_parse(address, &where);

        if (r < 0)
                return r;
        if (where.transport == PL_IO_UNIX)
                return dial_unix(&where.unix_address, deadline_ns);
        r = plait_resolve(where.host, where.service, deadline_ns, &found);
        if (r < 0)
                return r;
        r = where.transport == PL_IO_UDP ? dial_udp(found) : dial_tcp(found, deadline_ns);
        plait_addresses_free(found);
        return r;
}
