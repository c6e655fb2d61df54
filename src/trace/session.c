/* Beginning and ending a recording, and the lanes of threads. See session.h. */
#include "trace/session.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plait/trace.h"
#include "trace/file_lock.h"

enum {
        RING_BYTES = 4 << 20,
        RING_LEAST = 64 << 10,
        RING_MOST = 1 << 30,
        THREAD_PART = 16, /* a thread that is no worker has a ring so much smaller */
        SAMPLE_NS = 10 * 1000 * 1000,
        LOCK_TRIES = 3000,
        LOCK_YIELDS = 100,
        LOCK_NAP_US = 100,
        LEAVE_TRIES = 200,
        LEAVE_NAP_US = 1000,
};

_Atomic uint32_t pl_trace_on;
_Atomic uint64_t pl_trace_homeless;
struct pl_trace_lane pl_trace_lanes[PL_TRACE_LANES];
_Atomic uint32_t pl_trace_n_lanes;
struct pl_trace_session pl_trace_session = {.fd = -1, .mapping.fd = -1};
const struct pl_trace_hooks *pl_trace_hooks;
const char *pl_trace_own_role = "";

PLAIT_API uint32_t plait_trace_on;

static void set_on(bool on)
{
        __atomic_store_n(&plait_trace_on, on, __ATOMIC_RELEASE);
        atomic_store(&pl_trace_on, on);
}

void pl_trace_hook(const struct pl_trace_hooks *hooks)
{
        pl_trace_hooks = hooks;
}

void pl_trace_role(const char *role)
{
        pl_trace_own_role = role;
}

uint64_t pl_trace_number(void)
{
        static _Atomic uint64_t next = 1;

        return (uint64_t)getpid() << 40 | atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);
}

/* --- the file --- */

/*
 * 1: nobody else records into the file; 0: somebody does, and is joined. *again*: this process' last recording is
 * there, so those who followed it may need a moment to see that it has ended.
 */
static int claim_file(int fd, const struct pl_trace_wish *wish, bool again)
{
        int r = -EAGAIN;

        if (wish->leader) {
                r = pl_trace_lock_file(fd, F_RDLCK);
                return r == 0 && access(wish->leader, F_OK) < 0 ? -ESRCH : r;
        }
        for (int i = 0; i == 0 || (again && i < LEAVE_TRIES); i++) {
                if (i > 0)
                        pl_plat_nap_us(LEAVE_NAP_US);
                r = pl_trace_lock_file(fd, F_WRLCK);
                if (r != -EAGAIN && r != -EACCES)
                        return r < 0 ? r : 1;
                if (wish->join)
                        return 0;
        }
        return -EBUSY;
}

/*
 * Who records holds a lock for reading: so whoever gets one for writing is alone, and may begin anew. The change from
 * one to the other is a single step.
 */
static int open_file(struct pl_trace_session *session, const struct pl_trace_wish *wish, bool again)
{
        int fd = open(session->path, O_RDWR | (wish->leader ? 0 : O_CREAT) | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666);
        struct stat st;

        if (fd < 0)
                return -errno;
        int r = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? claim_file(fd, wish, again) : -EINVAL;
        bool alone = r == 1;
        if (alone)
                r = 0;
        session->first = alone && (st.st_size == 0 || !wish->join || wish->or_replace);
        if (r == 0 && session->first) {
                pl_trace_image_sweep(session->path);
                r = ftruncate(fd, 0) < 0 ? -errno : 0;
        }
        if (r == 0)
                r = pl_trace_lock_file(fd, F_RDLCK);
        if (r < 0) {
                close(fd);
                return r;
        }
        session->fd = fd;
        return 0;
}

/* An absolute one: the program may change its folder. */
static int set_path(struct pl_trace_session *session, const char *path)
{
        char folder[PL_TRACE_PATH_BYTES] = "";

        if (path[0] != '/' && !getcwd(folder, sizeof folder))
                return -errno;
        int n = snprintf(session->path, sizeof session->path, "%s%s%s", folder, *folder ? "/" : "", path);

        return n < (int)sizeof session->path ? 0 : -ENAMETOOLONG;
}

static uint64_t events_for(size_t bytes)
{
        uint64_t events = 1;

        if (bytes > RING_MOST)
                bytes = RING_MOST;
        while (events * 2 * sizeof(struct pl_trace_event) <= bytes)
                events *= 2;
        return events;
}

/* --- lanes --- */

/* In a USED or fresh *lane*, at slot *index*: a ring in this recording's file. */
static int map_lane(struct pl_trace_session *session, struct pl_trace_lane *lane, unsigned index, uint64_t events)
{
        void *slot;
        int r = pl_trace_image_slot(&session->mapping, index, events, lane->slot, &slot);

        if (r < 0)
                return r;
        lane->session = session->number;
        if (lane->slot) /* as before: its owner may be looking */
                return 0;
        lane->slot = slot;
        lane->events = (void *)((char *)slot + PL_TRACE_PAGE);
        lane->mask = events - 1;
        return 0;
}

/* What the recording is to know of *lane*, from now on that of thread *tid*. */
static void describe_lane(struct pl_trace_session *session, struct pl_trace_lane *lane, uint64_t head)
{
        struct pl_trace_slot *slot = lane->slot;

        slot->lane = lane->number = session->next_lane++;
        slot->tid = lane->tid;
        slot->begun = head;
        lane->taken = head;
        lane->last_ticks = session->begin.ticks;
        lane->announced = false;
        atomic_store(&slot->tail, head);
        atomic_store(&slot->head, head);
}

void pl_trace_worker(unsigned number)
{
        const struct pl_trace_lane *lane = pl_trace_self_get();

        if (!lane)
                return;
        atomic_store(&lane->slot->number, number);
        atomic_store(&lane->slot->kind, (uint32_t)PLAIT_RECORDING_LANE_WORKER);
}

static __thread bool is_service;

void pl_trace_service(void)
{
        is_service = true;
}

static void describe_self(struct pl_trace_slot *slot, const struct pl_trace_who *who)
{
        atomic_store(&slot->kind, who->kind);
        atomic_store(&slot->number, who->number);
        memset(slot->name, 0, sizeof slot->name);
        prctl(PR_GET_NAME, slot->name);
}

/* One that a thread has left, of the right size, or a new one. */
static struct pl_trace_lane *find_lane(struct pl_trace_session *session, uint64_t events)
{
        uint32_t n = atomic_load(&pl_trace_n_lanes);
        struct pl_trace_lane *lane;

        for (uint32_t i = 0; i < n; i++) {
                lane = &pl_trace_lanes[i];
                if (atomic_load(&lane->state) == PL_TRACE_LANE_FREE && lane->mask + 1 == events &&
                    (lane->session == session->number || map_lane(session, lane, i, events) == 0))
                        return lane;
        }
        lane = n < PL_TRACE_LANES ? &pl_trace_lanes[n] : NULL;
        return lane && map_lane(session, lane, n, events) == 0 ? lane : NULL;
}

static struct pl_trace_lane *take_lane(struct pl_trace_session *session, bool service)
{
        struct pl_trace_who who = {.kind = PLAIT_RECORDING_LANE_THREAD};

        if (service || is_service)
                who.kind = PLAIT_RECORDING_LANE_SERVICE;
        else if (pl_trace_hooks)
                pl_trace_hooks->who(&who);
        uint64_t events = session->ring_events;
        bool is_worker = who.kind == (unsigned)PLAIT_RECORDING_LANE_WORKER || pl_plat_thread_id() == (uint32_t)getpid();
        if (!is_worker && events / THREAD_PART >= events_for(RING_LEAST))
                events /= THREAD_PART;
        struct pl_trace_lane *lane = find_lane(session, events);
        if (!lane)
                return NULL;
        lane->tid = pl_plat_thread_id();
        lane->limit = lane->head;
        lane->lost = 0;
        describe_lane(session, lane, lane->head);
        describe_self(lane->slot, &who);
        atomic_store(&lane->busy, 0);
        atomic_store(&lane->state, PL_TRACE_LANE_USED);
        if (lane == &pl_trace_lanes[atomic_load(&pl_trace_n_lanes)])
                atomic_fetch_add(&pl_trace_n_lanes, 1);
        pl_trace_self_set(lane);
        if (who.kind == (unsigned)PLAIT_RECORDING_LANE_THREAD)
                who.flow = PLAIT_RECORDING_THREAD | lane->tid;
        if (who.flow)
                pl_trace_record(PLAIT_RECORDING_RUNS, who.flow, 0);
        return lane;
}

/* False: it cannot be had soon, or never, by a signal handler that has interrupted its holder. */
static bool lock_if_possible(struct pl_lock *lock) PL_TRY_ACQUIRE(true, lock) PL_NO_LOCK_CHECK
{
        for (int i = 0; i < LOCK_TRIES; i++) {
                if (pl_lock_try(lock))
                        return true;
                if (i < LOCK_YIELDS)
                        sched_yield();
                else
                        pl_plat_nap_us(LOCK_NAP_US); /* its holder has lost its processor */
        }
        return false;
}

/* The recorder itself, which may have got a processor only now, has to say what was there when it was started. */
static bool is_too_late(const struct pl_trace_session *session, bool recorder)
{
        return !recorder && atomic_load(&session->stopping);
}

static struct pl_trace_lane *get_lane(struct pl_trace_session *session, bool recorder)
{
        struct pl_trace_lane *lane = NULL;

        if (is_too_late(session, recorder))
                return NULL;
        if (recorder) {
                pl_lock_acquire(&session->lock);
        } else if (atomic_load_explicit(&session->no_room, memory_order_relaxed) || !lock_if_possible(&session->lock)) {
                atomic_fetch_add_explicit(&pl_trace_homeless, 1, memory_order_relaxed);
                return NULL;
        }
        if (session->state == PL_TRACE_ARMED)
                pl_trace_begin_armed(session);
        if (session->state == PL_TRACE_RECORDING && !is_too_late(session, recorder)) {
                lane = take_lane(session, recorder);
                if (!lane) {
                        atomic_store(&session->no_room, true);
                        atomic_fetch_add_explicit(&pl_trace_homeless, 1, memory_order_relaxed);
                }
        }
        pl_lock_release(&session->lock);
        return lane;
}

struct pl_trace_lane *pl_trace_lane_get(bool recorder)
{
        int saved = errno;
        struct pl_trace_lane *lane = get_lane(&pl_trace_session, recorder);

        errno = saved;
        return lane;
}

bool pl_trace_thread_is_gone(uint32_t tid)
{
        int saved = errno;
        bool gone = tgkill(getpid(), (pid_t)tid, 0) < 0 && errno == ESRCH;

        errno = saved;
        return gone;
}

/* Threads that have recorded before go on in the new file, unless they have ended since. */
static int remap_lanes(struct pl_trace_session *session)
{
        for (uint32_t i = 0; i < atomic_load(&pl_trace_n_lanes); i++) {
                struct pl_trace_lane *lane = &pl_trace_lanes[i];
                char name[PL_TRACE_THREAD_NAME];

                if (atomic_load(&lane->state) != PL_TRACE_LANE_USED)
                        continue;
                if (pl_trace_thread_is_gone(lane->tid)) {
                        atomic_store(&lane->state, PL_TRACE_LANE_FREE);
                        continue;
                }
                uint32_t kind = lane->slot->kind, number = lane->slot->number;
                uint64_t head = atomic_load(&lane->slot->head);
                memcpy(name, lane->slot->name, sizeof name);
                int r = map_lane(session, lane, i, lane->mask + 1);
                if (r < 0)
                        return r;
                describe_lane(session, lane, head);
                lane->slot->kind = kind;
                lane->slot->number = number;
                memcpy(lane->slot->name, name, sizeof name);
        }
        return 0;
}

static void unshare_lanes(void)
{
        for (uint32_t i = 0; i < atomic_load(&pl_trace_n_lanes); i++)
                if (pl_trace_lanes[i].session == pl_trace_session.number)
                        pl_trace_image_unshare(pl_trace_lanes[i].slot, pl_trace_lanes[i].mask + 1);
}

/* --- beginning --- */

/* A file to which nothing has been written, and nobody writes. */
static void drop_file(struct pl_trace_session *session)
{
        if (session->first && pl_trace_lock_file(session->fd, F_WRLCK) == 0)
                unlink(session->path);
        close(session->fd);
        session->fd = -1;
}

static void new_id(struct pl_trace_session *session)
{
        uint64_t words[2] = {pl_plat_random_u64(), pl_plat_random_u64()};

        _Static_assert(sizeof words == PL_TRACE_ID_BYTES, "an id is two words");
        memcpy(session->id, words, sizeof words);
}

static int start_recorder(struct pl_trace_session *session)
{
        int r = pl_trace_recorder_open(session);

        if (r < 0)
                return r;
        atomic_store(&session->stopping, 0);
        session->state = PL_TRACE_RECORDING;
        session->recording = true;
        set_on(true);
        r = pl_plat_thread_start(&session->thread, pl_trace_recorder, session, 0, "plait-trace");
        if (r < 0) {
                set_on(false);
                session->recording = false;
                session->state = PL_TRACE_OFF;
                pl_trace_writer_done(&session->writer);
        }
        return r;
}

static void join_ended(struct pl_trace_session *session)
{
        if (session->state != PL_TRACE_ENDED)
                return;
        pl_plat_thread_join(&session->thread);
        session->state = PL_TRACE_OFF;
}

int pl_trace_begin(const struct pl_trace_wish *wish)
{
        struct pl_trace_session *session = &pl_trace_session;
        char last[PL_TRACE_PATH_BYTES];

        join_ended(session);
        if (session->state == PL_TRACE_RECORDING)
                return -EBUSY;
        memcpy(last, session->path, sizeof last);
        int r = set_path(session, wish->path);
        if (r < 0)
                return r;
        r = open_file(session, wish, strcmp(last, session->path) == 0);
        if (r < 0)
                return r;
        session->number++;
        snprintf(session->leader, sizeof session->leader, "%s", wish->leader ? wish->leader : "");
        session->ring_events = events_for(wish->ring_bytes ? wish->ring_bytes : (size_t)RING_BYTES);
        session->sample_ns = wish->sample_ns ? wish->sample_ns : SAMPLE_NS;
        session->for_mailbox = wish->for_mailbox;
        session->until_ns = wish->until_ns;
        session->watcher = wish->watcher;
        session->next_lane = 0;
        session->no_room = false;
        session->events = session->dropped = session->bytes = 0;
        atomic_store(&pl_trace_homeless, 0);
        struct pl_trace_sample unused;
        session->snapshot = pl_trace_hooks && pl_trace_hooks->sample(&unused);
        new_id(session);
        pl_trace_clock_init();
        session->begin = pl_trace_clock_pair();
        session->begin_real_ns = pl_plat_real_ns();
        r = pl_trace_image_make(&session->mapping, session->path, session->id);
        if (r == 0) {
                pl_trace_names_share(&session->mapping);
                r = remap_lanes(session);
                if (r == 0)
                        r = start_recorder(session);
                if (r < 0) {
                        pl_trace_names_share(NULL);
                        unshare_lanes();
                        pl_trace_image_remove(&session->mapping);
                }
        }
        if (r < 0)
                drop_file(session);
        return r;
}

/* --- ending --- */

void pl_trace_end(struct pl_trace_session *session)
{
        pl_lock_acquire(&session->lock);
        pl_trace_names_share(NULL);
        unshare_lanes();
        pl_trace_image_remove(&session->mapping);
        close(session->fd);
        session->fd = -1;
        session->state = PL_TRACE_ENDED;
        session->recording = false;
        if (session->for_mailbox)
                pl_trace_mailbox_ended();
        session->for_mailbox = false;
        pl_lock_release(&session->lock);
}
