/*
 * The control loop of tuners against simulated servers: in virtual time, with seeds, so each run is the same.
 *
 * A client keeps as many requests under way as the limit says for a number of seconds. What it gets done is compared
 * with what the best of many fixed limits gets done against the same server.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/test.h"
#include "pool/control.h"

#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)

enum { MOST = 512 };

/* --- a server --- */

struct server {
        int64_t base_ns;    /* what a request takes when it is alone */
        bool jitter;        /* on average, distributed exponentially beyond a fifth of it */
        unsigned slots;     /* requests that are worked on at once; others queue. 0: any number */
        unsigned refuse_at; /* with so many there, another one is refused at once. 0: never */
        int64_t refuse_ns;  /* how long that takes */
        int64_t retry_after_ns;
        int64_t warm_ns; /* it begins with *cold_slots*, and has all of them after that time */
        unsigned cold_slots;
        double bytes_per_s; /* of all bodies together; 0: bodies are empty */
        uint64_t body_bytes;
        unsigned slower_from; /* with more there than that, each takes longer in proportion to the square */
        int64_t stall_ns;     /* at that time it is held up for a tenth of a second. 0: never */
};

struct request {
        struct plait_tuner_call call;
        struct plait_tuner_sample sample;
        int64_t asked_ns, end_ns;
};

struct simulation {
        struct server server;
        struct pl_pool_control control;
        unsigned fixed; /* limit; 0: the control loop's */
        uint64_t seed;
        int64_t now_ns;
        int64_t slot_free_ns[MOST]; /* when each slot is free again */
        int64_t line_free_ns;       /* and the line that bodies come over */
        struct request *heap[MOST + 1];
        struct request requests[MOST];
        unsigned n; /* under way */
        struct request *unused[MOST];
        unsigned n_unused;
        uint64_t ok, refused;
        double area; /* of the limit, times ns */
};

static double draw(struct simulation *s)
{
        uint64_t z = (s->seed += 0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return ((double)((z ^ z >> 31) >> 11) + 0.5) / 9007199254740992.0;
}

static void push(struct simulation *s, struct request *request)
{
        unsigned i = s->n++;

        for (; i > 0 && s->heap[(i - 1) / 2]->end_ns > request->end_ns; i = (i - 1) / 2)
                s->heap[i] = s->heap[(i - 1) / 2];
        s->heap[i] = request;
}

static struct request *pop(struct simulation *s)
{
        struct request *top = s->heap[0];
        struct request *moved = s->heap[--s->n];
        unsigned i = 0;

        for (unsigned child; (child = 2 * i + 1) < s->n; i = child) {
                if (child + 1 < s->n && s->heap[child + 1]->end_ns < s->heap[child]->end_ns)
                        child++;
                if (s->heap[child]->end_ns >= moved->end_ns)
                        break;
                s->heap[i] = s->heap[child];
        }
        s->heap[i] = moved;
        return top;
}

static unsigned slots_now(const struct simulation *s)
{
        const struct server *server = &s->server;

        if (s->now_ns >= server->warm_ns)
                return server->slots;
        return server->cold_slots +
               (unsigned)((double)(server->slots - server->cold_slots) * (double)s->now_ns / (double)server->warm_ns);
}

/* When a request that comes now has its first byte: the slot that is free first works on it. */
static int64_t work(struct simulation *s)
{
        const struct server *server = &s->server;
        double takes = (double)server->base_ns;
        int64_t begin_ns = s->now_ns;
        unsigned slots = slots_now(s);
        unsigned first = 0;

        if (server->jitter)
                takes *= 0.2 - 0.8 * log(draw(s));
        if (server->slower_from && s->n + 1 > server->slower_from)
                takes *= pow((double)(s->n + 1) / server->slower_from, 2);
        if (server->stall_ns && s->now_ns >= server->stall_ns && s->now_ns < server->stall_ns + 100 * MS)
                begin_ns = server->stall_ns + 100 * MS;
        for (unsigned i = 1; i < slots; i++)
                if (s->slot_free_ns[i] < s->slot_free_ns[first])
                        first = i;
        if (slots && s->slot_free_ns[first] > begin_ns)
                begin_ns = s->slot_free_ns[first];
        if (slots)
                s->slot_free_ns[first] = begin_ns + (int64_t)takes;
        return begin_ns + (int64_t)takes;
}

static void ask(struct simulation *s)
{
        const struct server *server = &s->server;
        struct request *request = s->unused[--s->n_unused];

        request->asked_ns = s->now_ns;
        request->sample = (struct plait_tuner_sample){.outcome = PLAIT_TUNER_OK, .bytes = server->body_bytes};
        pl_pool_control_begin(&s->control, &request->call, s->now_ns);
        if (server->refuse_at && s->n >= server->refuse_at) {
                request->sample.outcome = PLAIT_TUNER_REFUSED;
                request->sample.retry_after_ns = server->retry_after_ns;
                request->end_ns = s->now_ns + server->refuse_ns;
        } else {
                request->end_ns = work(s);
                request->sample.first_byte_ns = request->end_ns - s->now_ns;
        }
        if (server->bytes_per_s > 0 && request->sample.outcome == PLAIT_TUNER_OK) {
                if (s->line_free_ns < request->end_ns)
                        s->line_free_ns = request->end_ns;
                s->line_free_ns += (int64_t)((double)server->body_bytes / server->bytes_per_s * 1e9);
                request->end_ns = s->line_free_ns;
        }
        push(s, request);
}

static unsigned limit_of(const struct simulation *s)
{
        return s->fixed ? s->fixed : pl_pool_control_limit(&s->control);
}

static unsigned room(const struct simulation *s)
{
        if (s->fixed)
                return s->now_ns < s->control.hold_until_ns || s->n >= s->fixed ? 0 : s->fixed - s->n;
        return pl_pool_control_room(&s->control, s->now_ns);
}

static void step(struct simulation *s, int64_t until_ns)
{
        while (room(s) > 0 && s->n_unused > 0)
                ask(s);
        int64_t next_ns = s->n ? s->heap[0]->end_ns : s->control.hold_until_ns;
        if (next_ns > until_ns)
                next_ns = until_ns;
        s->area += (double)limit_of(s) * (double)(next_ns - s->now_ns);
        s->now_ns = next_ns;
        if (next_ns == until_ns || s->n == 0)
                return;
        struct request *request = pop(s);
        s->ok += request->sample.outcome == PLAIT_TUNER_OK;
        s->refused += request->sample.outcome == PLAIT_TUNER_REFUSED;
        pl_pool_control_end(&s->control, &request->call, &request->sample, s->now_ns);
        s->unused[s->n_unused++] = request;
}

static struct simulation *simulate(const struct server *server, unsigned fixed, uint64_t seed, int64_t ns)
{
        struct simulation *s = calloc(1, sizeof *s);

        CHECK(s);
        s->server = *server;
        s->fixed = fixed;
        s->seed = seed;
        for (unsigned i = 0; i < MOST; i++)
                s->unused[s->n_unused++] = &s->requests[i];
        pl_pool_control_init(&s->control, PLAIT_TUNER_IO, 1, 8, MOST, 0);
        while (s->now_ns < ns)
                step(s, ns);
        return s;
}

static uint64_t best_fixed(const struct server *server, uint64_t seed, int64_t ns, unsigned *ret_limit)
{
        static const unsigned limits[] = {4, 8, 16, 32, 40, 48, 50, 64, 128, 256, 512};
        uint64_t best = 0;

        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
                if (server->refuse_at && limits[i] > 2 * server->refuse_at)
                        break; /* most of them are refused all the time */
                struct simulation *s = simulate(server, limits[i], seed, ns);

                if (s->ok > best) {
                        best = s->ok;
                        *ret_limit = limits[i];
                }
                free(s);
        }
        return best;
}

/* For several seeds: within so many per cent of the best fixed limit, and with so few refusals. */
static void compare(const struct server *server, int64_t ns, double within)
{
        for (uint64_t seed = 1; seed <= 3; seed++) {
                unsigned limit = 0;
                uint64_t best = best_fixed(server, seed, ns, &limit);
                struct simulation *s = simulate(server, 0, seed, ns);
                double share = (double)s->ok / (double)best;
                double refused = (double)s->refused / (double)(s->ok + s->refused);

                fprintf(stderr,
                        "seed %llu: best fixed limit %u; %.3f of what that does, limit %.0f on average, %.2f %% "
                        "refused\n",
                        (unsigned long long)seed, limit, share, s->area / (double)ns, 100 * refused);
                CHECK(share >= 1 - within);
                CHECK(refused < 0.05);
                free(s);
        }
}

TEST(constant_server_gets_as_many_as_there_are, .timeout_ms = 120000)
{
        compare(&(struct server){.base_ns = 50 * MS}, 20 * SECOND, 0.10);
}

TEST(stall_at_the_beginning_is_made_up_for, .timeout_ms = 120000)
{
        for (int64_t at_ns = 60 * MS; at_ns < 400 * MS; at_ns += 90 * MS)
                compare(&(struct server){.base_ns = 50 * MS, .stall_ns = at_ns}, 20 * SECOND, 0.10);
}

TEST(jitter_is_not_taken_for_a_queue, .timeout_ms = 120000)
{
        compare(&(struct server){.base_ns = 50 * MS, .jitter = true}, 20 * SECOND, 0.10);
}

TEST(limited_server_is_kept_busy_without_a_long_queue, .timeout_ms = 120000)
{
        const struct server server = {.base_ns = 20 * MS, .slots = 32};

        compare(&server, 20 * SECOND, 0.10);
        struct simulation *s = simulate(&server, 0, 1, 60 * SECOND);
        CHECK(s->area / 60e9 < 2 * 32);
        free(s);
}

TEST(limited_server_with_jitter_is_kept_busy, .timeout_ms = 120000)
{
        compare(&(struct server){.base_ns = 20 * MS, .slots = 32, .jitter = true}, 20 * SECOND, 0.10);
}

TEST(server_that_refuses_above_fifty_gets_just_under, .timeout_ms = 120000)
{
        compare(&(struct server){.base_ns = 20 * MS, .refuse_at = 50, .refuse_ns = MS}, 20 * SECOND, 0.10);
        compare(&(struct server){.base_ns = 20 * MS, .jitter = true, .refuse_at = 50, .refuse_ns = MS}, 20 * SECOND,
                0.10);
}

TEST(retry_after_is_honoured_and_hardly_ever_provoked, .timeout_ms = 120000)
{
        const struct server server = {.base_ns = 20 * MS, .refuse_at = 50, .refuse_ns = MS, .retry_after_ns = SECOND};

        compare(&server, 60 * SECOND, 0.10);
}

TEST(server_that_warms_up_is_followed, .timeout_ms = 120000)
{
        compare(&(struct server){.base_ns = 30 * MS, .slots = 64, .cold_slots = 4, .warm_ns = 6 * SECOND}, 20 * SECOND,
                0.10);
}

TEST(server_that_gets_slower_when_crowded_is_not_crowded, .timeout_ms = 120000)
{
        compare(&(struct server){.base_ns = 20 * MS, .slower_from = 40}, 20 * SECOND, 0.15);
}

TEST(full_line_is_seen_by_goodput, .timeout_ms = 120000)
{
        /* First bytes are as quick as ever; 20 MB/s are there for bodies of 200 kB: 100 a second, 5 at once are enough.
         */
        const struct server server = {.base_ns = 50 * MS, .bytes_per_s = 20e6, .body_bytes = 200000};

        compare(&server, 60 * SECOND, 0.10);
        struct simulation *s = simulate(&server, 0, 1, 120 * SECOND);
        fprintf(stderr, "limit %u after two minutes\n", pl_pool_control_limit(&s->control));
        CHECK_UINT(pl_pool_control_limit(&s->control), <, 40);
        free(s);
}

/* --- single decisions --- */

static void begin_many(struct pl_pool_control *control, struct plait_tuner_call *calls, unsigned n, int64_t now_ns)
{
        for (unsigned i = 0; i < n; i++)
                pl_pool_control_begin(control, &calls[i], now_ns);
}

static void end_many(struct pl_pool_control *control, struct plait_tuner_call *calls, unsigned n,
                     const struct plait_tuner_sample *sample, int64_t now_ns)
{
        for (unsigned i = 0; i < n; i++)
                pl_pool_control_end(control, &calls[i], sample, now_ns);
}

TEST(it_does_not_grow_while_less_than_half_is_used)
{
        const struct plait_tuner_sample well = {.first_byte_ns = 10 * MS};
        struct pl_pool_control control;
        struct plait_tuner_call calls[16];

        pl_pool_control_init(&control, PLAIT_TUNER_IO, 1, 32, 512, 0);
        for (int64_t now_ns = 0; now_ns < 10 * SECOND; now_ns += 10 * MS) {
                begin_many(&control, calls, 15, now_ns);
                end_many(&control, calls, 15, &well, now_ns + 10 * MS);
        }
        CHECK_UINT(pl_pool_control_limit(&control), ==, 32);
        for (int64_t now_ns = 10 * SECOND; now_ns < 11 * SECOND; now_ns += 10 * MS) {
                begin_many(&control, calls, 16, now_ns);
                end_many(&control, calls, 16, &well, now_ns + 10 * MS);
        }
        CHECK_UINT(pl_pool_control_limit(&control), >, 32);
        CHECK_INT(control.reason, ==, PLAIT_TUNER_DOUBLED);
}

TEST(a_burst_of_refusals_cuts_once)
{
        const struct plait_tuner_sample refused = {.outcome = PLAIT_TUNER_REFUSED};
        struct pl_pool_control control;
        struct plait_tuner_call calls[101];

        pl_pool_control_init(&control, PLAIT_TUNER_IO, 1, 100, 512, 0);
        control.starting = false;
        begin_many(&control, calls, 100, 0);
        end_many(&control, calls + 98, 2, &refused, MS); /* the two that came last */
        CHECK_UINT(pl_pool_control_limit(&control), ==, 89);
        CHECK_INT(control.reason, ==, PLAIT_TUNER_REFUSALS);
        CHECK_UINT(control.ceiling, ==, 98);
        pl_pool_control_begin(&control, &calls[100], 2 * MS);
        end_many(&control, calls + 100, 1, &refused, 3 * MS); /* it came after the cut */
        CHECK_UINT(pl_pool_control_limit(&control), ==, 80);
        CHECK_UINT(control.refused, ==, 3);
}

TEST(time_outs_cut_as_refusals_do_and_other_failures_do_not)
{
        struct pl_pool_control control;
        struct plait_tuner_call calls[50];

        pl_pool_control_init(&control, PLAIT_TUNER_IO, 1, 50, 512, 0);
        control.starting = false;
        begin_many(&control, calls, 50, 0);
        end_many(&control, calls, 1, &(struct plait_tuner_sample){.outcome = PLAIT_TUNER_FAILED}, MS);
        CHECK_UINT(pl_pool_control_limit(&control), ==, 50);
        end_many(&control, calls + 49, 1, &(struct plait_tuner_sample){.outcome = PLAIT_TUNER_TIMED_OUT}, MS);
        CHECK_UINT(pl_pool_control_limit(&control), ==, 45);
        CHECK_INT(control.reason, ==, PLAIT_TUNER_TIMEOUTS);
}

TEST(the_limit_never_falls_below_one)
{
        const struct plait_tuner_sample refused = {.outcome = PLAIT_TUNER_REFUSED};
        struct pl_pool_control control;
        struct plait_tuner_call call;

        pl_pool_control_init(&control, PLAIT_TUNER_IO, 1, 8, 512, 0);
        for (int64_t now_ns = 0; now_ns < SECOND; now_ns += MS) {
                begin_many(&control, &call, 1, now_ns);
                end_many(&control, &call, 1, &refused, now_ns);
        }
        CHECK_UINT(pl_pool_control_limit(&control), ==, 1);
        CHECK_UINT(pl_pool_control_room(&control, SECOND), ==, 1);
}

TEST(retry_after_closes_the_door_until_then)
{
        struct pl_pool_control control;
        struct plait_tuner_call call;

        pl_pool_control_init(&control, PLAIT_TUNER_IO, 1, 8, 512, 0);
        begin_many(&control, &call, 1, 0);
        end_many(&control, &call, 1,
                 &(struct plait_tuner_sample){.outcome = PLAIT_TUNER_REFUSED, .retry_after_ns = 2 * SECOND}, MS);
        CHECK_UINT(pl_pool_control_room(&control, SECOND), ==, 0);
        CHECK_UINT(pl_pool_control_room(&control, MS + 2 * SECOND), >, 0);
}

TEST(total_goodput_ends_growth)
{
        /* Beyond 60, nothing more gets done: each call takes the longer. First bytes are of servers of all kinds. */
        const struct plait_tuner_sample well = {.first_byte_ns = 1};
        struct pl_pool_control control;
        static struct plait_tuner_call calls[1024];
        int64_t now_ns = 0;
        double area = 0;

        pl_pool_control_init(&control, PLAIT_TUNER_GOODPUT, 1, 16, 1024, 0);
        while (now_ns < 120 * SECOND) {
                unsigned n = pl_pool_control_room(&control, now_ns);
                int64_t takes_ns = n > 60 ? 50 * MS * n / 60 : 50 * MS;

                begin_many(&control, calls, n, now_ns);
                end_many(&control, calls, n, &well, now_ns + takes_ns);
                area += n * (double)takes_ns;
                now_ns += takes_ns;
        }
        CHECK(area / (double)now_ns > 54);
        CHECK(area / (double)now_ns < 120);
}

/* --- processors --- */

struct job_kind {
        double cpu_ms, blocked_ms; /* alone */
        double inflation;          /* of cpu_ms, for each further worker */
        unsigned slots;            /* so many are served at once by what they wait for; 0: any number */
};

static int64_t compute_ns; /* the time */

/* Workers on so many processors, in rounds: returns jobs per second at the end, and the limit. */
static double compute(struct pl_pool_control *control, unsigned processors, const struct job_kind *kind, int rounds)
{
        struct plait_tuner_call calls[256];
        double per_s = 0;

        for (int i = 0; i < rounds; i++) {
                unsigned n = pl_pool_control_room(control, compute_ns);
                double cpu_ms = kind->cpu_ms * (1 + kind->inflation * (n - 1));
                double blocked_ms = kind->blocked_ms * (kind->slots && n > kind->slots ? (double)n / kind->slots : 1);
                double share = n * cpu_ms / (cpu_ms + blocked_ms); /* processors that they want */
                double takes_ms = (cpu_ms + blocked_ms) * (share > processors ? share / processors : 1);
                struct plait_tuner_sample sample = {.cpu_ns = (int64_t)(cpu_ms * 1e6),
                                                    .blocked_ns = (int64_t)(blocked_ms * 1e6)};

                begin_many(control, calls, n, compute_ns);
                compute_ns += (int64_t)(takes_ms * 1e6);
                end_many(control, calls, n, &sample, compute_ns);
                per_s = n / takes_ms * 1e3;
        }
        return per_s;
}

TEST(computing_takes_as_many_workers_as_processors)
{
        for (unsigned processors = 1; processors <= 64; processors *= 4) {
                struct pl_pool_control control;

                pl_pool_control_init(&control, PLAIT_TUNER_CPU, 1, processors, 8 * processors, processors);
                compute(&control, processors, &(struct job_kind){.cpu_ms = 10}, 2000);
                CHECK_UINT(pl_pool_control_limit(&control), ==, processors);
        }
}

TEST(blocking_takes_more_workers_and_its_end_fewer)
{
        struct pl_pool_control control;

        pl_pool_control_init(&control, PLAIT_TUNER_CPU, 1, 4, 32, 4);
        double alone = compute(&control, 4, &(struct job_kind){.cpu_ms = 10}, 200);
        compute(&control, 4, &(struct job_kind){.cpu_ms = 5, .blocked_ms = 15}, 2000);
        CHECK_UINT(pl_pool_control_limit(&control), >=, 14);
        CHECK_UINT(pl_pool_control_limit(&control), <=, 29);
        compute(&control, 4, &(struct job_kind){.cpu_ms = 10}, 2000);
        CHECK_UINT(pl_pool_control_limit(&control), ==, 4);
        CHECK(compute(&control, 4, &(struct job_kind){.cpu_ms = 10}, 1) >= alone * 0.99);
}

TEST(workers_in_each_others_way_become_fewer)
{
        struct pl_pool_control control;

        pl_pool_control_init(&control, PLAIT_TUNER_CPU, 1, 16, 128, 16);
        compute(&control, 16, &(struct job_kind){.cpu_ms = 10}, 200);
        /* Now a lock that is spun on: 16 do no more than few do. */
        compute(&control, 16, &(struct job_kind){.cpu_ms = 10, .inflation = 0.5}, 5000);
        CHECK_UINT(pl_pool_control_limit(&control), <, 16);
}

TEST(longer_jobs_are_not_taken_for_inflation)
{
        struct pl_pool_control control;

        pl_pool_control_init(&control, PLAIT_TUNER_CPU, 1, 8, 64, 8);
        compute(&control, 8, &(struct job_kind){.cpu_ms = 10}, 200);
        compute(&control, 8, &(struct job_kind){.cpu_ms = 30}, 2000);
        CHECK_UINT(pl_pool_control_limit(&control), ==, 8);
        CHECK_INT(control.reason, ==, PLAIT_TUNER_FEWER_LOSE);
}

TEST(waiting_for_what_serves_a_few_takes_few_workers)
{
        const struct job_kind kind = {.cpu_ms = 0.1, .blocked_ms = 20, .slots = 10};
        struct pl_pool_control control;

        pl_pool_control_init(&control, PLAIT_TUNER_CPU, 1, 8, 64, 8);
        compute(&control, 8, &kind, 1000);
        CHECK_UINT(pl_pool_control_limit(&control), >=, 9);
        CHECK_UINT(pl_pool_control_limit(&control), <=, 13);
        CHECK(compute(&control, 8, &kind, 1) > 0.9 * kind.slots / (kind.blocked_ms + kind.cpu_ms) * 1e3);
}

TEST(waiting_for_what_serves_all_keeps_many_workers)
{
        struct pl_pool_control control;
        unsigned full = 0;

        pl_pool_control_init(&control, PLAIT_TUNER_CPU, 1, 8, 64, 8);
        for (int i = 0; i < 100; i++) {
                compute(&control, 8, &(struct job_kind){.cpu_ms = 0.1, .blocked_ms = 20}, 50);
                full += pl_pool_control_limit(&control) == 64;
        }
        CHECK_UINT(full, >=, 85); /* the rest are trials with fewer */
}

TEST(other_processors_change_the_limit_in_proportion)
{
        struct pl_pool_control control;

        pl_pool_control_init(&control, PLAIT_TUNER_CPU, 1, 8, 64, 8);
        compute(&control, 8, &(struct job_kind){.cpu_ms = 10}, 100);
        CHECK(pl_pool_control_set_processors(&control, 2, 16, compute_ns));
        CHECK_UINT(pl_pool_control_limit(&control), ==, 2);
        CHECK_INT(control.reason, ==, PLAIT_TUNER_PROCESSORS);
        CHECK_INT(control.changed_ns, ==, compute_ns);
        CHECK(!pl_pool_control_set_processors(&control, 2, 16, compute_ns + 1));
        compute(&control, 2, &(struct job_kind){.cpu_ms = 10}, 200);
        CHECK_UINT(pl_pool_control_limit(&control), ==, 2);
        CHECK(pl_pool_control_set_processors(&control, 4, 32, compute_ns));
        compute(&control, 4, &(struct job_kind){.cpu_ms = 5, .blocked_ms = 15}, 200);
        CHECK_UINT(pl_pool_control_limit(&control), >=, 12);
}

TEST(a_chunk_counts_as_the_jobs_in_it)
{
        const struct plait_tuner_sample chunk = {.cpu_ns = 100 * MS, .pieces = 50};
        struct pl_pool_control control;
        struct plait_tuner_call calls[2];
        int64_t now_ns = 0;

        pl_pool_control_init(&control, PLAIT_TUNER_CPU, 1, 2, 16, 2);
        for (int i = 0; i < 4; i++) {
                begin_many(&control, calls, 2, now_ns);
                now_ns += 100 * MS;
                end_many(&control, calls, 2, &chunk, now_ns);
        }
        CHECK_UINT(control.ok, ==, 400);
        CHECK(control.per_s > 450 && control.per_s < 1050);
        CHECK(control.least_cpu_ns > 1.99e6 && control.least_cpu_ns < 2.01e6);
}
