/* Tuners as a program uses them: options, what can be seen, and many threads at once. How they decide:
 * unit/test_tuner.c. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/test.h"
#include "plait/registry.h"
#include "plait/trace.h"
#include "plait/tuner.h"

#define MS INT64_C(1000000)

static struct plait_tuner *make(const struct plait_tuner_opts *opts)
{
        struct plait_tuner *tuner = NULL;

        CHECK_INT(plait_tuner_new(&tuner, opts), ==, 0);
        return tuner;
}

static unsigned limit_of(struct plait_tuner *tuner)
{
        struct plait_tuner_view view;

        plait_tuner_look(tuner, &view);
        return view.limit;
}

/* A generation of calls that all go well. */
static int64_t go_well(struct plait_tuner *tuner, int64_t now_ns)
{
        struct plait_tuner_call calls[2048];
        struct plait_tuner_sample well = {.first_byte_ns = 10 * MS};
        unsigned n = plait_tuner_room(tuner, now_ns);

        for (unsigned i = 0; i < n; i++)
                plait_tuner_begin(tuner, &calls[i], now_ns);
        CHECK_UINT(plait_tuner_room(tuner, now_ns), ==, 0);
        now_ns += 10 * MS;
        for (unsigned i = 0; i < n; i++)
                plait_tuner_end(tuner, &calls[i], &well, now_ns);
        return now_ns;
}

TEST(options_out_of_range_are_refused)
{
        struct plait_tuner *tuner = NULL;
        const struct plait_tuner_opts bad[] = {
                {.size = 3},
                {.size = sizeof(struct plait_tuner_opts), .least = 9, .first = 8},
                {.size = sizeof(struct plait_tuner_opts), .first = 10, .most = 9},
                {.size = sizeof(struct plait_tuner_opts), .most = 1000001},
                {.size = sizeof(struct plait_tuner_opts), .kind = (enum plait_tuner_kind)7},
        };

        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                CHECK_INT(plait_tuner_new(&tuner, &bad[i]), ==, -EINVAL);
        CHECK(!tuner);
        plait_tuner_free(NULL);
}

TEST(defaults_are_those_of_the_header)
{
        struct plait_tuner *tuner = make(NULL);

        CHECK_UINT(limit_of(tuner), ==, 8);
        for (int64_t now_ns = 0, i = 0; i < 20; i++)
                now_ns = go_well(tuner, now_ns);
        CHECK_UINT(limit_of(tuner), ==, PLAIT_TUNER_MOST);
        plait_tuner_free(tuner);
        tuner = make(&(struct plait_tuner_opts){.size = sizeof(struct plait_tuner_opts), .most = 4});
        CHECK_UINT(limit_of(tuner), ==, 4);
        plait_tuner_free(tuner);
        tuner = make(&(struct plait_tuner_opts){
                .size = sizeof(struct plait_tuner_opts), .kind = PLAIT_TUNER_CPU, .processors = 3});
        CHECK_UINT(limit_of(tuner), ==, 3);
        plait_tuner_free(tuner);
}

static void note_change(void *arg, const struct plait_tuner_view *view)
{
        struct plait_tuner_view *last = arg;

        CHECK_UINT(view->limit, !=, view->was);
        CHECK_UINT(view->was, ==, last->limit);
        *last = *view;
}

TEST(each_change_is_told_with_its_reason)
{
        struct plait_tuner_view last = {.limit = 8};
        struct plait_tuner *tuner = make(&(struct plait_tuner_opts){
                .size = sizeof(struct plait_tuner_opts), .on_change = note_change, .arg = &last});
        struct plait_tuner_call call;
        int64_t now_ns = 5 * MS;

        for (int i = 0; i < 5; i++)
                now_ns = go_well(tuner, now_ns);
        CHECK_UINT(last.limit, ==, limit_of(tuner));
        CHECK_UINT(last.limit, >, 8);
        CHECK_INT(last.reason, ==, PLAIT_TUNER_DOUBLED);
        CHECK(strstr(plait_tuner_reason_name(last.reason), "doubled"));
        plait_tuner_begin(tuner, &call, now_ns);
        plait_tuner_end(tuner, &call, &(struct plait_tuner_sample){.outcome = PLAIT_TUNER_REFUSED}, now_ns + MS);
        CHECK_INT(last.reason, ==, PLAIT_TUNER_REFUSALS);
        CHECK_INT(last.changed_ns, ==, now_ns + MS);
        CHECK_UINT(last.refused, ==, 1);
        CHECK_UINT(last.limit, <, last.was);
        plait_tuner_free(tuner);
}

TEST(other_processors_are_told_and_allow_more)
{
        struct plait_tuner_view last = {.limit = 2};
        struct plait_tuner_opts opts = {
                .size = sizeof opts, .kind = PLAIT_TUNER_CPU, .processors = 2, .on_change = note_change, .arg = &last};
        struct plait_tuner *tuner = make(&opts), *requests = make(NULL);

        CHECK_INT(plait_tuner_set_processors(tuner, 2, MS), ==, 0);
        CHECK_UINT(last.limit, ==, 2);
        CHECK_INT(plait_tuner_set_processors(tuner, 40, 2 * MS), ==, 0); /* more than 8 for each of 2 */
        CHECK_UINT(last.limit, ==, 40);
        CHECK_UINT(last.was, ==, 2);
        CHECK_INT(last.reason, ==, PLAIT_TUNER_PROCESSORS);
        CHECK_INT(last.changed_ns, ==, 2 * MS);
        CHECK_INT(plait_tuner_set_processors(tuner, 0, 3 * MS), ==, -EINVAL);
        CHECK_INT(plait_tuner_set_processors(tuner, 125001, 3 * MS), ==, -EINVAL);
        CHECK_INT(plait_tuner_set_processors(requests, 2, 3 * MS), ==, -EINVAL);
        CHECK_UINT(limit_of(tuner), ==, 40);
        plait_tuner_free(requests);
        plait_tuner_free(tuner);
}

TEST(every_reason_has_a_name)
{
        for (int i = 0; i < PLAIT_TUNER_REASONS; i++)
                CHECK(strlen(plait_tuner_reason_name((enum plait_tuner_reason)i)) > 3);
        CHECK(strcmp(plait_tuner_reason_name(PLAIT_TUNER_REASONS), "unknown") == 0);
}

TEST(what_was_measured_can_be_advised_upon)
{
        struct plait_tuner *tuner = make(NULL);
        struct plait_advise_run runs[64];
        struct plait_advice advice;
        int64_t now_ns = 0;

        for (int i = 0; i < 12; i++)
                now_ns = go_well(tuner, now_ns);
        size_t n = plait_tuner_runs(tuner, runs, 64);
        CHECK_UINT(n, >=, 4);
        for (size_t i = 1; i < n; i++)
                CHECK(runs[i].workers > runs[i - 1].workers);
        CHECK_INT(plait_advise(runs, n, &advice), ==, 0);
        CHECK(advice.serial < 0.01 && advice.one_per_s > 90 && advice.one_per_s < 110);
        CHECK_UINT(plait_tuner_runs(tuner, runs, 2), ==, 2);
        plait_tuner_free(tuner);
}

/* Whether a file has *text* in it. */
static bool has_text(const char *path, const char *text)
{
        static char bytes[4 << 20];
        FILE *file = fopen(path, "rb");

        CHECK(file);
        size_t n = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        return memmem(bytes, n, text, strlen(text)) != NULL;
}

TEST(a_recording_has_each_change)
{
        char path[] = "tuner-XXXXXX";
        int fd = mkstemp(path);
        struct plait_tuner *tuner = make(
                &(struct plait_tuner_opts){.size = sizeof(struct plait_tuner_opts), .name = "example.org:80"});

        CHECK(fd >= 0 && close(fd) == 0);
        int r = plait_trace_start(path, NULL);
        CHECK_INT(r, ==, 0);
        int64_t now_ns = go_well(tuner, go_well(tuner, 0));
        go_well(tuner, now_ns);
        plait_trace_stop(NULL);
        bool there = has_text(path, "limit of example.org:80: 16, was 8: all goes well: doubled");
        unlink(path);
        CHECK(there);
        plait_tuner_free(tuner);
}

static struct plait_tuner *shared;
static _Atomic unsigned under_way, done;

static void *work(void *arg)
{
        struct plait_tuner_sample sample = {.first_byte_ns = MS};
        int64_t now_ns = 0;

        for (int i = 0; i < 20000; i++) {
                struct plait_tuner_call call;

                plait_tuner_begin(shared, &call, now_ns);
                atomic_fetch_add(&under_way, 1);
                now_ns += MS / 8;
                sample.outcome = i % 100 == 99 ? PLAIT_TUNER_REFUSED : PLAIT_TUNER_OK;
                atomic_fetch_sub(&under_way, 1);
                plait_tuner_end(shared, &call, &sample, now_ns);
                atomic_fetch_add(&done, sample.outcome == PLAIT_TUNER_OK);
        }
        return arg;
}

TEST(threads_share_a_tuner)
{
        pthread_t threads[4];
        struct plait_tuner_view view;

        shared = make(NULL);
        for (int i = 0; i < 4; i++)
                CHECK_INT(pthread_create(&threads[i], NULL, work, NULL), ==, 0);
        for (int i = 0; i < 4; i++)
                pthread_join(threads[i], NULL);
        plait_tuner_look(shared, &view);
        CHECK_UINT(view.in_flight, ==, 0);
        CHECK_UINT(view.ok, ==, atomic_load(&done));
        CHECK_UINT(view.refused, ==, 4 * 200);
        CHECK_UINT(view.limit, >=, 1);
        plait_tuner_free(shared);
}

TEST(the_registry_says_where_tuners_are)
{
        const struct plait_registry *r = &plait_registry;

        CHECK(r->size >= sizeof *r && r->tuner_pool && r->n_tuner_reasons == PLAIT_TUNER_REASONS);
        CHECK(strcmp(r->tuner_reasons[PLAIT_TUNER_REFUSALS], plait_tuner_reason_name(PLAIT_TUNER_REFUSALS)) == 0);
        CHECK(r->tuner.limit.size == 4 && r->tuner.changed_ns.size == 8 && r->tuner.name.size >= 32);
}
