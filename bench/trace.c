/*
 * trace: what recording costs. bench/trace.py runs it beside LTTng-UST (trace_lttng.c), and prints the table.
 *
 *      trace events THREADS N [FILE]    each of THREADS threads tells N instants; recorded to FILE, or nowhere
 *      trace load PORT CONNECTIONS MS   a load for bench/echo: messages of 64 bytes there and back
 *      trace size FILE                  bytes for each event of a recording
 */
#include "bench.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 20000, MESSAGE_BYTES = 64, THREADS_MOST = 64 };

static struct plait_trace_name name = PLAIT_TRACE_NAME("event");

/* --- events --- */

struct teller {
        pthread_t thread;
        int64_t n, ns;
};

/* In batches that the recorder can follow: what is measured is the telling, not how much fits. */
static void *tell(void *arg)
{
        struct teller *teller = arg;

        plait_trace_instant(&name, 0);
        for (int64_t i = 0; i < teller->n; i += BATCH) {
                int64_t start_ns = plait_now_ns();

                for (int64_t k = 0; k < BATCH; k++)
                        plait_trace_instant(&name, k);
                teller->ns += plait_now_ns() - start_ns;
                usleep(2000);
        }
        return NULL;
}

static int measure_events(char **argv)
{
        struct teller tellers[THREADS_MOST] = {0};
        struct plait_trace_opts opts = {.size = sizeof opts, .ring_bytes = (size_t)32 << 20};
        struct plait_trace_status status = {.size = sizeof status};
        int64_t n_threads = bench_size(argv, 2), n = bench_size(argv, 3), ns = 0;

        if (n_threads < 1 || n_threads > THREADS_MOST || n < BATCH)
                return 2;
        if (argv[4])
                bench_must(plait_trace_start(argv[4], &opts), argv[4]);
        for (int64_t i = 0; i < n_threads; i++) {
                tellers[i].n = n;
                if (pthread_create(&tellers[i].thread, NULL, tell, &tellers[i]))
                        return 1;
        }
        for (int64_t i = 0; i < n_threads; i++) {
                pthread_join(tellers[i].thread, NULL);
                ns += tellers[i].ns;
        }
        if (argv[4])
                bench_must(plait_trace_stop(&status), "stop");
        int64_t all = (n + BATCH - 1) / BATCH * BATCH * n_threads;
        printf("{\"ns_per_event\": %.2f, \"events\": %" PRIu64 ", \"dropped\": %" PRIu64
               ", \"bytes_per_event\": %.2f}\n",
               (double)ns / (double)all, status.events, status.dropped,
               status.events ? (double)status.bytes / (double)status.events : 0);
        return 0;
}

/* --- the load --- */

static struct {
        char address[32];
        int64_t until_ns;
        _Atomic int64_t messages;
} load;

static int talk(void *arg)
{
        char message[MESSAGE_BYTES] = "hello", answer[MESSAGE_BYTES];
        int fd = plait_dial(load.address, PLAIT_NEVER);
        int64_t n = 0;

        (void)arg;
        if (fd < 0)
                return fd;
        for (; plait_now_ns() < load.until_ns; n++)
                if (plait_write_full(fd, message, sizeof message, PLAIT_NEVER) != MESSAGE_BYTES ||
                    plait_read_full(fd, answer, sizeof answer, PLAIT_NEVER) != MESSAGE_BYTES)
                        return -EIO;
        load.messages += n;
        return plait_close(fd);
}

static int talk_all(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        const int64_t *n = arg;

        for (int64_t i = 0; i < *n; i++)
                bench_must(plait_scope_go(&scope, talk, NULL), "spawn");
        return plait_scope_join(&scope);
}

static int put_load(char **argv)
{
        int64_t port = bench_size(argv, 2), connections = bench_size(argv, 3), ms = bench_size(argv, 4);

        snprintf(load.address, sizeof load.address, "127.0.0.1:%" PRId64, port);
        load.until_ns = plait_in_ms(ms);
        if (bench_run(talk_all, &connections, 1))
                return 1;
        printf("{\"per_second\": %.0f}\n", (double)load.messages * 1e3 / (double)ms);
        return 0;
}

static int measure_size(const char *path)
{
        struct plait_recording_info info = {.size = sizeof info};
        struct plait_recording *recording;

        bench_must(plait_recording_open(&recording, path), path);
        plait_recording_get_info(recording, &info);
        printf("{\"events\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"bytes_per_event\": %.2f}\n", info.events,
               info.dropped, info.events ? (double)info.file_bytes / (double)info.events : 0);
        plait_recording_close(recording);
        return 0;
}

int main(int argc, char **argv)
{
        if (argc >= 4 && strcmp(argv[1], "events") == 0)
                return measure_events(argv);
        if (argc == 5 && strcmp(argv[1], "load") == 0)
                return put_load(argv);
        if (argc == 3 && strcmp(argv[1], "size") == 0)
                return measure_size(argv[2]);
        fprintf(stderr, "what is to be measured? See the beginning of trace.c\n");
        return 2;
}
