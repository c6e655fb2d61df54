/*
 * The recorder: a thread that takes events from the rings to the file, and reads the counters that nobody tells.
 *
 * It sleeps until the next reading, or until a ring fills up. *asleep* is set before it sleeps and cleared by who wakes
 * it, so that a busy program makes one system call for that and not one per thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plait/base.h"
#include "plait/trace.h"
#include "trace/perfetto.h"
#include "trace/session.h"

enum {
        CLOCK_NS = 1000 * 1000 * 1000,
        WATCH_NS = 100 * 1000 * 1000,
        CPU_PARTS = 64, /* of a CPU: what the counter is rounded to, which makes it short */
        QUIET_TRIES = 50,
        QUIET_US = 1000,
        COMMAND_BYTES = 4096,
};

/* What its thread remembers. */
static struct {
        int statm;
        int64_t cpu_ns, cpu_at_ns;  /* the processor time at the last reading, and when that was */
        uint64_t told[4];           /* of each counter: the bits of its last value */
        int64_t clock_ns, watch_ns; /* when the clocks, and the threads, are looked at again */
} recorder;

static struct plait_trace_name counters[] = {PLAIT_TRACE_NAME("tasks"), PLAIT_TRACE_NAME("run queue"),
                                             PLAIT_TRACE_NAME("cpu"), PLAIT_TRACE_NAME("rss")};

enum { TASKS, RUN_QUEUE, CPU, RSS };

/* --- waking it --- */

void pl_trace_wake_recorder(void)
{
        struct pl_trace_session *session = &pl_trace_session;

        if (!atomic_load(&session->asleep) && !atomic_load(&session->stopping))
                return;
        atomic_store(&session->asleep, 0);
        atomic_fetch_add(&session->wakes, 1);
        pl_plat_futex_wake(&session->wakes, 1);
}

static void sleep_until(struct pl_trace_session *session, int64_t until_ns)
{
        uint32_t wakes = atomic_load(&session->wakes);

        atomic_store(&session->asleep, 1);
        if (!atomic_load(&session->stopping))
                (void)!pl_plat_futex_wait(&session->wakes, wakes, until_ns);
        atomic_store(&session->asleep, 0);
}

/* --- beginning --- */

static const char *read_command(char *buf, size_t bytes)
{
        int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, buf, bytes - 1);

        if (fd >= 0)
                close(fd);
        if (n < 0)
                n = 0;
        while (n > 0 && !buf[n - 1])
                n--;
        for (ssize_t i = 0; i < n; i++)
                if (!buf[i])
                        buf[i] = ' ';
        buf[n] = '\0';
        return buf;
}

static void write_process(struct pl_trace_session *session)
{
        struct pl_trace_writer *writer = &session->writer;
        const struct pl_trace_hooks *hooks = pl_trace_hooks;
        unsigned n_causes = hooks ? hooks->n_causes : 0;
        char command[COMMAND_BYTES];

        pl_trace_chunk_begin(writer, PL_TRACE_CHUNK_PROCESS);
        pl_trace_chunk_bytes(writer, PL_TRACE_MAGIC, sizeof PL_TRACE_MAGIC - 1);
        pl_trace_chunk_number(writer, PL_TRACE_VERSION);
        pl_trace_chunk_number(writer, writer->serial);
        pl_trace_chunk_bytes(writer, session->id, PL_TRACE_ID_BYTES);
        pl_trace_chunk_number(writer, (uint64_t)getpid());
        pl_trace_chunk_number(writer, (uint64_t)getppid());
        pl_trace_chunk_number(writer, (session->first ? PL_TRACE_FIRST : 0U) |
                                              (pl_trace_slow_clock ? (unsigned)PL_TRACE_SLOW_CLOCK : 0U));
        pl_trace_chunk_number(writer, session->mapping.place);
        pl_trace_chunk_number(writer, session->begin.ticks);
        pl_trace_chunk_signed(writer, session->begin.ns);
        pl_trace_chunk_signed(writer, session->begin_real_ns);
        pl_trace_chunk_number(writer, pl_trace_clock_rate());
        pl_trace_chunk_number(writer, PL_TRACE_UNIT_SHIFT);
        pl_trace_chunk_text(writer, program_invocation_short_name);
        pl_trace_chunk_text(writer, read_command(command, sizeof command));
        pl_trace_chunk_text(writer, pl_trace_own_role);
        pl_trace_chunk_text(writer, PLAIT_VERSION);
        pl_trace_chunk_number(writer, n_causes);
        for (unsigned i = 0; i < n_causes; i++)
                pl_trace_chunk_text(writer, hooks->causes[i]);
        pl_trace_chunk_end(writer);
}

static uint32_t serial_of(const uint8_t *id)
{
        return (uint32_t)id[0] | (uint32_t)id[1] << 8 | (uint32_t)id[2] << 16 | (uint32_t)id[3] << 24;
}

int pl_trace_recorder_open(struct pl_trace_session *session)
{
        int r = pl_trace_writer_init(&session->writer, session->fd, serial_of(session->id), session->mapping.names);

        if (r < 0)
                return r;
        session->writer.function_name = pl_trace_function_symbol;
        session->writer.object_name = pl_trace_object_symbol;
        write_process(session);
        pl_trace_flush(&session->writer);
        r = session->writer.error;
        if (r < 0)
                pl_trace_writer_done(&session->writer);
        return r;
}

/* --- taking events --- */

static void take(struct pl_trace_session *session, struct pl_trace_lane *lane, bool watch)
{
        struct pl_trace_slot *slot = lane->slot;

        if (atomic_load_explicit(&lane->state, memory_order_acquire) != PL_TRACE_LANE_USED ||
            lane->session != session->number)
                return;
        bool gone = watch && pl_trace_thread_is_gone(lane->tid); /* before the last look at what it has told */
        uint64_t head = atomic_load_explicit(&slot->head, memory_order_acquire);
        if (head != lane->taken) {
                uint32_t kind = atomic_load(&slot->kind);
                if (!lane->announced || kind != lane->announced_kind)
                        pl_trace_write_lane(&session->writer, slot);
                lane->announced = true;
                lane->announced_kind = kind;
                pl_trace_write_events(&session->writer, lane->number, lane->events, lane->mask + 1, lane->taken, head,
                                      &lane->last_ticks);
                lane->taken = head;
        } else if (gone && !atomic_load_explicit(&slot->lost, memory_order_relaxed)) {
                atomic_store(&lane->state, PL_TRACE_LANE_FREE);
                atomic_store(&session->no_room, false);
        }
}

/* What is in the file is no longer needed in the rings. */
static void give_back(const struct pl_trace_session *session)
{
        for (uint32_t i = 0; i < atomic_load(&pl_trace_n_lanes); i++) {
                struct pl_trace_lane *lane = &pl_trace_lanes[i];

                if (atomic_load_explicit(&lane->state, memory_order_acquire) == PL_TRACE_LANE_USED &&
                    lane->session == session->number)
                        atomic_store_explicit(&lane->slot->tail, lane->taken, memory_order_release);
        }
}

static uint64_t lost_in_lanes(const struct pl_trace_session *session)
{
        uint64_t lost = atomic_load(&pl_trace_homeless);

        for (uint32_t i = 0; i < atomic_load(&pl_trace_n_lanes); i++)
                if (pl_trace_lanes[i].session == session->number)
                        lost += atomic_load_explicit(&pl_trace_lanes[i].slot->lost, memory_order_relaxed);
        return lost;
}

static void tell_status(struct pl_trace_session *session)
{
        const struct pl_trace_writer *writer = &session->writer;

        atomic_store(&session->events, writer->events);
        atomic_store(&session->bytes, writer->bytes);
        uint64_t dropped = writer->dropped + writer->lost + lost_in_lanes(session);
        atomic_store(&session->dropped, dropped);
        atomic_store(&session->mapping.image->dropped, dropped);
}

static void take_all(struct pl_trace_session *session, int64_t now_ns)
{
        int before = session->writer.error;
        bool watch = now_ns >= recorder.watch_ns || atomic_load(&session->no_room);

        if (watch)
                recorder.watch_ns = now_ns + WATCH_NS;
        for (uint32_t i = 0; i < atomic_load(&pl_trace_n_lanes); i++)
                take(session, &pl_trace_lanes[i], watch);
        pl_trace_flush(&session->writer);
        give_back(session);
        tell_status(session);
        if (session->writer.error && !before)
                pl_warn("the recording %s ends here: %s", session->path, strerror(-session->writer.error));
}

/* --- what stands beside the events --- */

static void write_clock(struct pl_trace_session *session, int64_t now_ns)
{
        struct pl_trace_instant pair = pl_trace_clock_pair();

        atomic_store_explicit(&session->mapping.image->latest_ticks, 0,
                              memory_order_relaxed); /* no pair for a moment */
        atomic_store_explicit(&session->mapping.image->latest_ns, pair.ns, memory_order_release);
        atomic_store_explicit(&session->mapping.image->latest_ticks, pair.ticks, memory_order_release);
        if (now_ns < recorder.clock_ns)
                return;
        recorder.clock_ns = now_ns + CLOCK_NS;
        pl_trace_chunk_begin(&session->writer, PL_TRACE_CHUNK_CLOCK);
        pl_trace_chunk_number(&session->writer, pair.ticks);
        pl_trace_chunk_signed(&session->writer, pair.ns);
        pl_trace_chunk_end(&session->writer);
}

static void tell_counter(unsigned which, double value)
{
        uint64_t bits;

        memcpy(&bits, &value, sizeof bits);
        if (bits == recorder.told[which])
                return;
        recorder.told[which] = bits;
        plait_trace_emit(PLAIT_TRACE_COUNTER, &counters[which], bits);
}

static int64_t cpu_now_ns(void)
{
        struct timespec t = {0};

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void tell_cpu(int64_t now_ns)
{
        int64_t cpu_ns = cpu_now_ns();
        int64_t passed_ns = now_ns - recorder.cpu_at_ns;

        if (passed_ns > 0)
                tell_counter(CPU,
                             (double)(int64_t)((double)(cpu_ns - recorder.cpu_ns) / (double)passed_ns * CPU_PARTS) /
                                     CPU_PARTS);
        recorder.cpu_ns = cpu_ns;
        recorder.cpu_at_ns = now_ns;
}

static void tell_memory(void)
{
        char text[128];
        ssize_t n = recorder.statm < 0 ? -1 : pread(recorder.statm, text, sizeof text - 1, 0);

        if (n <= 0)
                return;
        text[n] = '\0';
        char *resident;
        (void)strtoull(text, &resident, 10);
        tell_counter(RSS, (double)strtoull(resident, NULL, 10) * (double)sysconf(_SC_PAGESIZE));
}

static void tell_counters(const struct pl_trace_session *session, int64_t now_ns)
{
        struct pl_trace_sample sample = {0};

        if (pl_trace_hooks && pl_trace_hooks->sample(&sample)) {
                int64_t alive = session->writer.alive > 0 ? session->writer.alive : 0;

                tell_counter(RUN_QUEUE, (double)sample.queued);
                tell_counter(TASKS, (double)alive);
        }
        tell_cpu(now_ns);
        tell_memory();
}

/* --- its life --- */

/* While it tells many events itself. */
static void make_room(void)
{
        struct pl_trace_lane *own = pl_trace_self_get();

        if (own && own->head - own->taken > own->mask / 2) {
                take(&pl_trace_session, own, false);
                pl_trace_flush(&pl_trace_session.writer);
                give_back(&pl_trace_session);
        }
}

static void begin(void)
{
        int64_t now_ns = pl_plat_now_ns();

        recorder.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
        recorder.cpu_ns = cpu_now_ns();
        recorder.cpu_at_ns = now_ns;
        recorder.clock_ns = now_ns + CLOCK_NS;
        recorder.watch_ns = now_ns + WATCH_NS;
        for (size_t i = 0; i < PL_ARRAY_SIZE(recorder.told); i++)
                recorder.told[i] = UINT64_MAX; /* no number */
        struct pl_trace_lane *own = pl_trace_lane_get(true);
        if (own && pl_trace_session.snapshot)
                pl_trace_hooks->snapshot(make_room);
}

bool pl_trace_is_gone(int32_t watcher)
{
        return watcher && kill(watcher, 0) < 0 && errno == ESRCH;
}

static bool is_over(const struct pl_trace_session *session, int64_t now_ns)
{
        if (atomic_load(&session->stopping) || session->writer.error)
                return true;
        if (session->until_ns && now_ns >= session->until_ns)
                return true;
        if (*session->leader && access(session->leader, F_OK) < 0 && errno == ENOENT)
                return true;
        return pl_trace_is_gone(session->watcher);
}

/* Nobody tells anything any more; who is at it gets done. Who is not by then writes where it does no harm. */
static void fall_silent(void)
{
        __atomic_store_n(&plait_trace_on, 0, __ATOMIC_RELAXED);
        atomic_store(&pl_trace_on, 0);
        for (unsigned tries = 0; tries < QUIET_TRIES; tries++) {
                bool busy = tries == 0;

                for (uint32_t i = 0; i < atomic_load(&pl_trace_n_lanes); i++)
                        if (atomic_load_explicit(&pl_trace_lanes[i].state, memory_order_acquire) == PL_TRACE_LANE_USED)
                                busy = busy || atomic_load_explicit(&pl_trace_lanes[i].busy, memory_order_acquire);
                if (!busy)
                        return;
                pl_plat_nap_us(QUIET_US);
        }
}

/* What was lost last, so that no event told it. */
static void tell_lost(struct pl_trace_session *session, uint32_t lane, uint64_t head, uint64_t lost,
                      uint64_t *last_ticks)
{
        struct pl_trace_event dropped = {.word = pl_trace_ticks() << PL_TRACE_TICKS_SHIFT | PLAIT_RECORDING_DROPPED,
                                         .a = lost};

        if (lost)
                pl_trace_write_events(&session->writer, lane, &dropped, 1, head, head + 1, last_ticks);
}

static void write_end(struct pl_trace_session *session)
{
        struct pl_trace_lane *own = pl_trace_self_get();
        uint64_t homeless = atomic_exchange(&pl_trace_homeless, 0);

        for (uint32_t i = 0; i < atomic_load(&pl_trace_n_lanes); i++) {
                struct pl_trace_lane *lane = &pl_trace_lanes[i];

                if (lane->session == session->number && lane->announced)
                        tell_lost(session, lane->number, lane->taken,
                                  atomic_exchange(&lane->slot->lost, 0) + (lane == own ? homeless : 0),
                                  &lane->last_ticks);
        }
        struct pl_trace_instant pair = pl_trace_clock_pair();
        pl_trace_chunk_begin(&session->writer, PL_TRACE_CHUNK_END);
        pl_trace_chunk_number(&session->writer, pair.ticks);
        pl_trace_chunk_signed(&session->writer, pair.ns);
        pl_trace_chunk_number(&session->writer, session->writer.events + session->writer.unwritten);
        pl_trace_chunk_number(&session->writer, session->writer.dropped);
        pl_trace_chunk_end(&session->writer);
        pl_trace_flush(&session->writer);
        tell_status(session);
}

/*
 * For the Perfetto UI, if the name says so: of all that is in the file by now, by whatever process. Before END, which
 * is not written if this fails: whoever finds it knows that this is whole, too.
 */
static int append_perfetto(const struct pl_trace_session *session)
{
        static const char end[] = ".pftrace";
        size_t bytes = strlen(session->path), most = sizeof end - 1;

        if (!session->first || bytes <= most || strcmp(session->path + bytes - most, end) != 0)
                return 0;
        return pl_trace_perfetto_append(session->fd, session->path);
}

static void finish(struct pl_trace_session *session)
{
        struct pl_trace_lane *own = pl_trace_self_get();

        tell_counters(session, pl_plat_now_ns());
        fall_silent();
        pl_trace_record(PLAIT_RECORDING_ENDED, 0, 0);
        take_all(session, pl_plat_now_ns());
        pl_trace_flush(&session->writer);
        if (!session->writer.error)
                session->writer.error = append_perfetto(session);
        write_end(session);
        if (recorder.statm >= 0)
                close(recorder.statm);
        pl_trace_symbols_done();
        session->result = session->writer.error;
        pl_trace_writer_done(&session->writer);
        if (own) {
                pl_trace_self_set(NULL);
                atomic_store(&own->state, PL_TRACE_LANE_FREE);
        }
        pl_trace_end(session);
}

void *pl_trace_recorder(void *arg)
{
        struct pl_trace_session *session = arg;
        int64_t now_ns;

        begin();
        while (now_ns = pl_plat_now_ns(), !is_over(session, now_ns)) {
                take_all(session, now_ns);
                write_clock(session, now_ns);
                tell_counters(session, now_ns);
                sleep_until(session, now_ns + session->sample_ns);
        }
        finish(session);
        return NULL;
}
