/* What begins and ends recordings: PLAIT_TRACE, plait_trace_start() and its kin, fork(), and the end of the process. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plait/trace.h"
#include "trace/session.h"

enum { KIB = 1024, RING_LEAST = 64 * KIB, RING_MOST = 1 << 30, SAMPLE_LEAST_NS = 100 * 1000 };

/* --- PLAIT_TRACE --- */

/* *text* with %p as this process' number. False: it is too long. */
static bool expand(const char *text, char *buf, size_t bytes)
{
        size_t n = 0;

        for (; *text && n < bytes; text++) {
                if (text[0] == '%' && text[1] == 'p') {
                        n += (size_t)snprintf(buf + n, bytes - n, "%d", getpid());
                        text++;
                } else {
                        buf[n++] = *text;
                }
        }
        if (n >= bytes)
                return false;
        buf[n] = '\0';
        return true;
}

/* An absolute one, as long as the program has not changed its folder. */
static char armed_path[PL_TRACE_PATH_BYTES];

static void set_armed(struct pl_trace_session *session, bool armed)
{
        session->state = armed ? PL_TRACE_ARMED : PL_TRACE_OFF;
        __atomic_store_n(&plait_trace_on, armed, __ATOMIC_RELAXED);
        atomic_store(&pl_trace_on, armed);
}

void pl_trace_begin_armed(struct pl_trace_session *session)
{
        uint64_t kib = 0;

        set_armed(session, false);
        (void)pl_plat_env_u64("PLAIT_TRACE_RING", RING_LEAST / KIB, RING_MOST / KIB, &kib);
        struct pl_trace_wish wish = {
                .path = armed_path, .ring_bytes = (size_t)kib * KIB, .join = true, .or_replace = !session->inherited};
        int r = pl_trace_begin(&wish);

        session->from_environment = r == 0;
        if (r < 0)
                pl_warn("PLAIT_TRACE=%s: nothing is recorded: %s", armed_path, strerror(-r));
}

void pl_trace_prepare(void)
{
        struct pl_trace_session *session = &pl_trace_session;

        if (!pl_trace_is_on())
                return;
        pl_lock_acquire(&session->lock);
        if (session->state == PL_TRACE_ARMED)
                pl_trace_begin_armed(session);
        pl_lock_release(&session->lock);
}

/* --- ending --- */

/* Its thread may end the recording by itself at the same time: then it is only joined. */
static int stop(struct pl_trace_session *session)
{
        pl_lock_acquire(&session->lock);
        enum pl_trace_state state = session->state;
        if (state == PL_TRACE_ARMED)
                set_armed(session, false);
        bool join = (state == PL_TRACE_RECORDING || state == PL_TRACE_ENDED) && !session->joining;
        session->joining = session->joining || join;
        pl_lock_release(&session->lock);
        if (!join)
                return -EALREADY;
        atomic_store(&session->stopping, 1);
        pl_trace_wake_recorder();
        pl_plat_thread_join(&session->thread);
        pl_lock_acquire(&session->lock);
        session->state = PL_TRACE_OFF;
        session->joining = false;
        pl_lock_release(&session->lock);
        return state == PL_TRACE_ENDED ? -EALREADY : session->result;
}

static void fill_in(struct pl_trace_session *session, struct plait_trace_status *ret)
{
        ret->recording = atomic_load(&session->recording);
        ret->events = atomic_load(&session->events);
        ret->dropped = atomic_load(&session->dropped);
        ret->bytes = atomic_load(&session->bytes);
}

int plait_trace_start(const char *path, const struct plait_trace_opts *opts)
{
        struct pl_trace_session *session = &pl_trace_session;

        if (!path || !*path ||
            (opts && (opts->size != sizeof *opts || (opts->flags & ~PLAIT_TRACE_JOIN) || opts->sample_ns < 0 ||
                      (opts->sample_ns && opts->sample_ns < SAMPLE_LEAST_NS) ||
                      (opts->ring_bytes && (opts->ring_bytes < RING_LEAST || opts->ring_bytes > RING_MOST)))))
                return -EINVAL;
        struct pl_trace_wish wish = {.path = path};
        if (opts) {
                wish.ring_bytes = opts->ring_bytes;
                wish.sample_ns = opts->sample_ns;
                wish.join = opts->flags & PLAIT_TRACE_JOIN;
        }
        int saved = errno;
        pl_lock_acquire(&session->lock);
        int r = session->joining ? -EBUSY : pl_trace_begin(&wish);
        pl_lock_release(&session->lock);
        errno = saved;
        return r;
}

int plait_trace_stop(struct plait_trace_status *ret_status)
{
        if (ret_status && ret_status->size != sizeof *ret_status)
                return -EINVAL;
        int r = stop(&pl_trace_session);
        if (r != -EALREADY && ret_status)
                fill_in(&pl_trace_session, ret_status);
        return r;
}

int plait_trace_get_status(struct plait_trace_status *ret_status)
{
        if (!ret_status || ret_status->size != sizeof *ret_status)
                return -EINVAL;
        fill_in(&pl_trace_session, ret_status);
        return 0;
}

/* --- the process --- */

static void before_fork(void) PL_NO_LOCK_CHECK
{
        pl_lock_acquire(&pl_trace_session.lock);
        pl_trace_names_lock();
}

static void after_fork(void) PL_NO_LOCK_CHECK
{
        pl_trace_names_unlock();
        pl_lock_release(&pl_trace_session.lock);
}

/* Its rings are not here, and its recorder is not either. What PLAIT_TRACE asks for holds for the child, too. */
static void forget_parent(void)
{
        struct pl_trace_session *session = &pl_trace_session;
        bool goes_on = session->from_environment && (session->state == PL_TRACE_RECORDING || session->inherited);
        bool armed = session->state == PL_TRACE_ARMED;
        uint32_t number = session->number;

        pl_trace_self_set(NULL);
        atomic_store(&pl_trace_n_lanes, 0);
        memset(pl_trace_lanes, 0, sizeof pl_trace_lanes);
        pl_trace_names_share(NULL);
        pl_trace_image_forget(&session->mapping);
        if (session->fd >= 0)
                close(session->fd);
        memset(session, 0, sizeof *session);
        session->fd = -1;
        session->mapping.fd = -1;
        session->number = number;
        session->from_environment = session->inherited = goes_on;
        set_armed(session, goes_on || armed);
        pl_trace_mailbox_forget();
}

static void in_child(void)
{
        pl_trace_names_unlock();
        forget_parent();
}

__attribute__((constructor)) static void load(void)
{
        const char *path = secure_getenv("PLAIT_TRACE");
        char folder[PL_TRACE_PATH_BYTES] = "", given[PL_TRACE_PATH_BYTES];

        pthread_atfork(before_fork, after_fork, in_child);
        if (!path || !*path)
                return;
        bool fits = expand(path, given, sizeof given) && (*given == '/' || getcwd(folder, sizeof folder));
        int n = fits ? snprintf(armed_path, sizeof armed_path, "%s%s%s", folder, *folder ? "/" : "", given) : -1;

        if (n < 0 || n >= (int)sizeof armed_path) {
                pl_warn("PLAIT_TRACE is ignored: its path is longer than %d bytes", PL_TRACE_PATH_BYTES - 1);
                return;
        }
        set_armed(&pl_trace_session, true);
}

__attribute__((destructor)) static void unload(void)
{
        struct pl_trace_session *session = &pl_trace_session;

        if (stop(session) == 0 && session->from_environment && atomic_load(&session->dropped))
                pl_warn("%llu events were dropped from the recording %s: a ring was full (PLAIT_TRACE_RING makes them "
                        "larger), or so many threads came and went that there was none for some",
                        (unsigned long long)atomic_load(&session->dropped), session->path);
}
