/*
 * Scopes that are watched, or followed, and calls at once, while everything is cancelled at random. The counts at the
 * end are exact.
 */
#include <plait/plait.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "stress/flows.h"

enum { TASKS = 8, THREADS = 2 };

static int rounds(int n)
{
        return n / test_slowness() + 1;
}

/* --- watched scopes --- */

struct crew {
        struct plait_scope *scope;
        atomic_uint seed;
        atomic_int running, most, begun, ended;
};

static int be_busy(struct crew *crew)
{
        uint32_t random = atomic_fetch_add(&crew->seed, 0x9e3779b9) | 1;
        int now = atomic_fetch_add(&crew->running, 1) + 1;
        int seen = atomic_load(&crew->most);
        int r = 0;

        while (now > seen && !atomic_compare_exchange_weak(&crew->most, &seen, now))
                ;
        atomic_fetch_add(&crew->begun, 1);
        switch (next_random(&random) % 4) {
        case 0: plait_yield(); break;
        case 1: r = plait_sleep(plait_in_ns(next_random(&random) % 50000)); break;
        case 2: r = next_random(&random) % 32 ? 0 : -EDOM; break;
        default: break;
        }
        atomic_fetch_sub(&crew->running, 1);
        atomic_fetch_add(&crew->ended, 1);
        return r;
}

static int member(void *arg)
{
        return be_busy(arg);
}

/* Starts siblings. */
static int recruiter(void *arg)
{
        struct crew *crew = arg;

        for (int i = 0; i < 5; i++)
                CHECK_OK(plait_scope_go(crew->scope, member, crew));
        return be_busy(crew);
}

static int sum_up(struct crew *crew, struct plait_scope_record *record, struct plait_scope *scope, int limit)
{
        int r = plait_scope_join(scope);

        CHECK_INT(crew->begun, ==, crew->ended);
        CHECK_INT((int)record->started, ==, crew->begun);
        CHECK_INT((int)record->finished, ==, crew->begun);
        CHECK_INT((int)record->running, ==, 0);
        CHECK_INT((int)record->queued, ==, 0);
        CHECK_INT(crew->most, <=, limit);
        return r;
}

TEST(limits_and_records_are_exact_however_tasks_end, .run = in_task, .timeout_ms = 120000)
{
        uint32_t random = 12345;

        for (int i = 0; i < rounds(300); i++) {
                int limit = 1 + (int)(next_random(&random) % 6);
                bool supervised = i % 2;
                struct plait_scope_record record = {0};
                struct plait_scope scope = PLAIT_SCOPE_WITH(.limit = (unsigned)limit, .record = &record,
                                                            .flags = supervised ? PLAIT_SCOPE_SUPERVISOR : 0);
                struct crew crew = {.scope = &scope, .seed = random};

                for (int k = 0; k < 20; k++)
                        CHECK_OK(plait_scope_go(&scope, k % 4 ? member : recruiter, &crew));
                if (i % 3 == 0)
                        plait_scope_cancel_because(&scope, "it is a stress test");
                int r = sum_up(&crew, &record, &scope, limit);
                int failed = (int)(record.failed + record.cancelled + record.timed_out);
                CHECK_INT(crew.begun, ==, 20 + 5 * 5);
                if (i % 3 == 0)
                        CHECK(r == -ECANCELED || (!supervised && r == -EDOM));
                else if (supervised)
                        CHECK_INT(r, ==, failed);
                else
                        CHECK_INT(r<0, ==, failed> 0);
        }
}

struct outsider {
        struct plait_scope *scope;
        struct crew *crew;
        int turns;
};

/* A thread that starts tasks in a scope and asks for its statistics, and cancels it at last. */
static void *interfere(void *arg)
{
        struct outsider *outsider = arg;
        struct plait_scope_record seen;

        for (int i = 0; i < outsider->turns; i++) {
                CHECK_OK(plait_scope_go(outsider->scope, member, outsider->crew));
                CHECK_OK(plait_scope_stats(outsider->scope, &seen));
                CHECK(seen.started == seen.queued + seen.running + seen.finished);
                CHECK(seen.running <= 3);
        }
        plait_scope_cancel_because(outsider->scope, "a thread says so");
        return NULL;
}

static int until(void *event)
{
        int r = 0;

        PLAIT_SHIELDED
        {
                r = plait_event_wait(event, PLAIT_NEVER);
        }
        return r;
}

TEST(threads_start_and_cancel_while_tasks_end, .run = in_task, .timeout_ms = 120000)
{
        for (int i = 0; i < rounds(60); i++) {
                struct plait_event joined = PLAIT_EVENT_INIT;
                struct plait_scope_record record = {0};
                struct plait_scope scope = PLAIT_SCOPE_WITH(.limit = 3, .record = &record,
                                                            .flags = PLAIT_SCOPE_SUPERVISOR);
                struct crew crew = {.scope = &scope, .seed = (unsigned)i};
                struct outsider outsider = {&scope, &crew, 50};
                pthread_t threads[THREADS];

                CHECK_OK(plait_scope_go(&scope, until, &joined)); /* the threads know that the scope is open */
                for (int t = 0; t < THREADS; t++)
                        CHECK_INT(pthread_create(&threads[t], NULL, interfere, &outsider), ==, 0);
                for (int k = 0; k < 50; k++)
                        CHECK_OK(plait_scope_go(&scope, member, &crew));
                while (atomic_load(&crew.begun) < 50)
                        plait_yield();
                for (int t = 0; t < THREADS; t++)
                        pthread_join(threads[t], NULL);
                plait_event_set(&joined);
                CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
                CHECK_INT(crew.begun, ==, 50 + THREADS * 50);
                CHECK_INT((int)record.finished, ==, 51 + THREADS * 50);
                CHECK_STR(record.reason, "a thread says so");
        }
}

/* --- followed scopes --- */

static int add_one(void *arg, void *result)
{
        *(int *)result = *(const int *)arg + 1;
        return 0;
}

/* The first of a scope to do so gives the scope room for what follows it, while the others ask what it is called. */
static int have_it_computed(void *executor)
{
        int one = 1, two = 0;
        struct plait_job job = {
                .fn = add_one, .arg = &one, .arg_bytes = sizeof one, .result = &two, .result_bytes = sizeof two};

        CHECK_OK(plait_executor_call(executor, &job, PLAIT_NEVER, NULL));
        CHECK_INT(two, ==, 2);
        return 0;
}

TEST(the_first_jobs_of_a_scope_begin_at_once, .run = in_task, .timeout_ms = 120000)
{
        struct plait_executor *executor;

        CHECK_OK(plait_executor_threads(NULL, &executor));
        for (int i = 0; i < rounds(500); i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                for (int t = 0; t < TASKS; t++)
                        CHECK_OK(plait_scope_go(&scope, have_it_computed, executor));
                CHECK_OK(plait_scope_join(&scope));
        }
        plait_executor_free(executor);
}

static int do_nothing(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return 0;
}

static atomic_int ready;

static void meet_other(void)
{
        atomic_fetch_add(&ready, 1);
        for (int i = 0; atomic_load(&ready) % 2 && i < 100000; i++)
                ;
}

static int have_it_submitted(void *executor)
{
        struct plait_job job = {.fn = do_nothing};

        meet_other();
        (void)!plait_executor_submit(executor, &job, NULL);
        return 0;
}

static int say_why(void *scope)
{
        meet_other();
        plait_scope_cancel_because(scope, "because");
        return 0;
}

TEST(a_reason_is_not_lost_to_the_first_job_of_a_scope, .run = in_task, .timeout_ms = 120000)
{
        struct plait_executor *executor;

        CHECK_OK(plait_executor_threads(NULL, &executor));
        for (int i = 0; i < rounds(5000); i++) {
                struct plait_scope_record record = {0};
                struct plait_scope scope = {.record = &record};

                atomic_store(&ready, 0);
                CHECK_OK(
                        plait_scope_go(&scope, i % 2 ? have_it_submitted : say_why, i % 2 ? executor : (void *)&scope));
                CHECK_OK(
                        plait_scope_go(&scope, i % 2 ? say_why : have_it_submitted, i % 2 ? (void *)&scope : executor));
                CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
                CHECK_STR(record.reason, "because");
        }
        plait_executor_free(executor);
}

/* --- calls at once --- */

static atomic_int calls_under_way;
static atomic_uint call_seed;

static int call(void *arg)
{
        uint32_t random = atomic_fetch_add(&call_seed, 0x9e3779b9) | 1;
        int r = 0;

        (void)arg;
        atomic_fetch_add(&calls_under_way, 1);
        if (next_random(&random) % 3)
                r = plait_sleep(plait_in_ns(next_random(&random) % 40000));
        if (r == 0 && next_random(&random) % 8 == 0)
                r = -EAGAIN;
        atomic_fetch_sub(&calls_under_way, 1);
        return r;
}

static int next_item(void *arg, void **ret_item)
{
        int *left = arg;

        *ret_item = left;
        plait_yield();
        return (*left)-- > 0;
}

static int call_for_item(void *item, void *arg)
{
        (void)item;
        return call(arg);
}

static int count_report(void *item, int result, void *arg)
{
        (void)item;
        (void)result;
        (void)arg;
        return 0;
}

/* One of the ways of making calls, which must return what it says it can, with nothing left under way of its own. */
static int make_calls(uint32_t way)
{
        struct plait_map_opts map = {.size = sizeof map, .limit = 3, .flags = way % 4, .done = count_report};
        struct plait_gather_opts gather = {.size = sizeof gather, .limit = way % 3};
        struct plait_retry_opts retry = {.size = sizeof retry, .first_ns = 10000, .attempt_ns = 50000};
        struct plait_as_completed each;
        struct plait_call calls[6], *ended;
        size_t winner = 0;
        int items = 20, r;

        for (int i = 0; i < 6; i++)
                calls[i] = (struct plait_call){.fn = call};
        switch (way / 4 % 6) {
        case 0: return plait_gather(calls, 6, &gather);
        case 1:
                r = plait_race(calls, 6, PLAIT_NEVER, &winner);
                CHECK(r < 0 || (winner < 6 && calls[winner].result == r));
                return r;
        case 2: return plait_hedge(calls, 6, 10000, PLAIT_NEVER, NULL);
        case 3: return plait_map(next_item, call_for_item, &items, &map);
        case 4: return plait_retry(call, NULL, &retry);
        default:
                r = plait_as_completed_start(&each, calls, 6, &gather);
                if (r < 0)
                        return r;
                for (int i = 0; i < 4 && (r = plait_as_completed_next(&each, PLAIT_NEVER, &ended)) > 0; i++)
                        CHECK(ended >= calls && ended < calls + 6);
                plait_as_completed_finish(&each);
                return r;
        }
}

static int call_in_all_ways(void *arg)
{
        uint32_t random = (uint32_t)(uintptr_t)arg * 2654435761U | 1;

        for (int i = 0; i < 6; i++) {
                int r = make_calls(next_random(&random));

                CHECK(r >= 0 || r == -EAGAIN || r == -ECANCELED || r == -ETIMEDOUT);
        }
        return 0;
}

static void cancel_it(void *scope)
{
        plait_scope_cancel(scope);
}

TEST(calls_at_once_end_whenever_they_are_cancelled, .run = in_task, .timeout_ms = 120000)
{
        uint32_t random = 777;

        for (int i = 0; i < rounds(150); i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                struct plait_timer timer = PLAIT_TIMER_INIT;

                if (i % 3 == 0)
                        scope.deadline_ns = plait_in_ns(next_random(&random) % 2000000);
                CHECK_OK(plait_scope_open(&scope));
                for (uintptr_t t = 0; t < TASKS; t++)
                        CHECK_OK(plait_scope_go(&scope, call_in_all_ways, (void *)(t * 1000 + (uintptr_t)i)));
                CHECK_OK(plait_timer_start(&timer, plait_in_ns(next_random(&random) % 3000000), cancel_it, &scope));
                CHECK_INT(plait_sleep(plait_in_ns(next_random(&random) % 3000000)), <=, 0);
                plait_timer_cancel(&timer);
                int r = plait_scope_join(&scope);
                CHECK(r == 0 || r == -ECANCELED);
                CHECK_INT(calls_under_way, ==, 0);
        }
}

/* --- the rate limiter --- */

struct till {
        struct plait_limiter limiter;
        atomic_long taken;
        int rounds;
};

static int take_tokens(void *arg)
{
        struct flow *flow = arg;
        struct till *till = flow->arg;
        uint32_t random = flow->number + 1;

        for (int i = 0; i < till->rounds; i++) {
                unsigned tokens = 1 + next_random(&random) % 5;
                int64_t deadline_ns = next_random(&random) % 3 ? PLAIT_NEVER
                                                               : plait_in_ns(next_random(&random) % 100000);
                int r = plait_limiter_acquire(&till->limiter, tokens, deadline_ns);

                CHECK(r == 0 || r == -ETIMEDOUT);
                if (r == 0)
                        atomic_fetch_add(&till->taken, tokens);
        }
        return 0;
}

TEST(a_limiter_never_gives_more_than_its_rate, .run = in_task, .timeout_ms = 120000)
{
        struct till till = {.rounds = rounds(200)};
        int64_t start_ns = plait_now_ns();

        CHECK_OK(plait_limiter_init(&till.limiter, 20000, 5));
        run_flows(TASKS, THREADS, take_tokens, &till);
        int64_t passed_ns = plait_now_ns() - start_ns;
        CHECK_INT(till.taken, <=, 5 + passed_ns / 50000 + 1);
        CHECK_INT(till.taken, >, 0);
}

/* --- the breaker --- */

struct service {
        struct plait_breaker breaker;
        atomic_bool down;
        atomic_int answered, refused, failed;
        int rounds;
};

static int ask(void *arg)
{
        struct service *service = arg;

        plait_yield();
        return atomic_load(&service->down) ? -ECONNREFUSED : 0;
}

static int ask_often(void *arg)
{
        struct flow *flow = arg;
        struct service *service = flow->arg;

        for (int i = 0; i < service->rounds; i++) {
                int r = plait_breaker_call(&service->breaker, ask, service);

                CHECK(r == 0 || r == -ECONNREFUSED || r == -EAGAIN);
                atomic_fetch_add(r == 0 ? &service->answered : r == -EAGAIN ? &service->refused : &service->failed, 1);
                if (i % 16 == 0)
                        atomic_store(&service->down, i % 32 == 0);
                if (r == -EAGAIN)
                        CHECK_INT(plait_sleep(plait_in_ns(20000)), ==, 0);
        }
        return 0;
}

TEST(a_breaker_that_many_share_closes_again, .run = in_task, .timeout_ms = 120000)
{
        struct service service = {.breaker = PLAIT_BREAKER_INIT(4, 0, 30000), .rounds = rounds(400)};

        run_flows(TASKS, THREADS, ask_often, &service);
        CHECK_INT(service.answered + service.refused + service.failed, ==, (TASKS + THREADS) * service.rounds);
        atomic_store(&service.down, false);
        while (plait_breaker_call(&service.breaker, ask, &service) != 0)
                CHECK_OK(plait_sleep(plait_in_ms(1)));
        CHECK(!plait_breaker_is_open(&service.breaker));
}
