/* Executors of threads and of tasks: maps over arrays, and lazy ones. */
#include <limits.h>

#include "api/executor.h"

enum { N = 20000 };

/* --- arrays --- */

static void check_map(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        static long numbers[N], squares[N];

        for (long i = 0; i < N; i++)
                numbers[i] = i;
        memset(squares, 0, sizeof squares);
        CHECK_INT(plait_executor_map(executor, square, numbers, sizeof *numbers, squares, sizeof *squares, N, NULL), ==,
                  0);
        for (long i = 0; i < N; i++)
                CHECK_INT(squares[i], ==, i * i);
        plait_executor_free(executor);
}

TEST(a_map_keeps_the_order)
{
        with_each_kind(check_map);
}

static int add_one(void *arg, void *result)
{
        (void)result;
        return ++*(unsigned char *)arg;
}

/* Each item once, whatever the chunks: in place, without results. */
static void check_chunks(const struct kind *kind)
{
        const size_t chunks[] = {0, 1, 7, 1000, 1 << 20};
        static unsigned char items[1003];
        static int codes[1003];
        struct plait_executor *executor = open_executor(kind, NULL);

        memset(items, 0, sizeof items);
        for (unsigned i = 0; i < 5; i++) {
                for (size_t n = 0; n <= 1003; n += 59) {
                        struct plait_executor_map_opts opts = {.size = sizeof opts, .chunk = chunks[i], .codes = codes};
                        unsigned char before = items[0];

                        CHECK_INT(plait_executor_map(executor, add_one, items, 1, NULL, 0, n, &opts), ==, 0);
                        for (size_t k = 0; k < n; k++) {
                                CHECK_INT(items[k], ==, n ? before + 1 : before);
                                CHECK_INT(codes[k], ==, items[k]);
                        }
                        memset(items, 0, sizeof items);
                }
        }
        plait_executor_free(executor);
}

TEST(each_item_is_in_one_chunk)
{
        with_each_kind(check_chunks);
}

static int fail_at(void *arg, void *result)
{
        int number = *(const int *)arg;

        (void)result;
        return number % 100 == 50 ? -EDOM : number;
}

static void check_errors(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        static int numbers[1000], codes[1000];
        struct plait_executor_map_opts collect = {
                .size = sizeof collect, .flags = PLAIT_EXECUTOR_MAP_COLLECT, .codes = codes};
        struct plait_executor_map_opts stop = {.size = sizeof stop, .codes = codes};

        for (int i = 0; i < 1000; i++)
                numbers[i] = i;
        CHECK_INT(plait_executor_map(executor, fail_at, numbers, sizeof(int), NULL, 0, 1000, &collect), ==, 10);
        for (int i = 0; i < 1000; i++)
                CHECK_INT(codes[i], ==, i % 100 == 50 ? -EDOM : i);
        CHECK_INT(plait_executor_map(executor, fail_at, numbers, sizeof(int), NULL, 0, 1000, &stop), ==, -EDOM);
        int failed = 0;
        for (int i = 0; i < 1000; i++) {
                CHECK(codes[i] == i || codes[i] == -ECANCELED || codes[i] == -EDOM);
                failed += codes[i] == -EDOM;
        }
        CHECK_INT(failed, >=, 1);
        plait_executor_free(executor);
}

TEST(an_error_of_an_item_ends_a_map_or_is_counted)
{
        with_each_kind(check_errors);
}

static int map_inner(void *arg, void *result)
{
        struct plait_executor *executor = *(struct plait_executor **)arg;
        long numbers[10], squares[10];

        for (long i = 0; i < 10; i++)
                numbers[i] = i;
        int r = plait_executor_map(executor, square, numbers, sizeof *numbers, squares, sizeof *squares, 10, NULL);
        *(long *)result = squares[9];
        return r;
}

static void check_nested(const struct kind *kind)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 2};
        struct plait_executor *executor = open_executor(kind, &opts);
        struct plait_executor *executors[100];
        long results[100];

        for (int i = 0; i < 100; i++)
                executors[i] = executor;
        CHECK_INT(plait_executor_map(executor, map_inner, executors, sizeof(void *), results, sizeof *results, 100,
                                     NULL),
                  ==, 0);
        for (int i = 0; i < 100; i++)
                CHECK_INT(results[i], ==, 81);
        plait_executor_free(executor);
}

TEST(a_map_in_a_map_of_the_same_executor_ends)
{
        with_each_kind(check_nested);
}

static int wait_at_gate(void *arg, void *result)
{
        return until_cancelled(*(struct gate **)arg, result);
}

struct mapper {
        struct plait_executor *executor;
        struct gate gate;
        int result;
        int codes[100];
};

static int map_in_scope(void *arg)
{
        struct mapper *self = arg;
        struct gate *gates[100];
        struct plait_executor_map_opts opts = {.size = sizeof opts, .codes = self->codes};

        for (int i = 0; i < 100; i++)
                gates[i] = &self->gate;
        self->result = plait_executor_map(self->executor, wait_at_gate, gates, sizeof(void *), NULL, 0, 100, &opts);
        return 0;
}

static void check_cancelled(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct mapper self = {.executor = executor};
        int not_begun = 0;

        if (plait_task_self()) {
                plait_scope_go(&scope, map_in_scope, &self);
                CHECK_INT(plait_event_wait(&self.gate.entered, PLAIT_NEVER), ==, 0);
                plait_scope_cancel(&scope);
                CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
                CHECK_INT(self.result, ==, -ECANCELED);
                for (int i = 0; i < 100; i++)
                        not_begun += self.codes[i] == -ECANCELED;
                CHECK_INT(not_begun, ==, 100);
        }
        plait_executor_free(executor);
}

TEST(a_map_is_cancelled_with_its_scope)
{
        with_each_kind(check_cancelled);
}

static void check_deadline(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        struct gate gate = {0}, *gates[8] = {&gate, &gate, &gate, &gate, &gate, &gate, &gate, &gate};
        struct plait_executor_map_opts opts = {.size = sizeof opts, .deadline_ns = plait_in_ms(2)};

        CHECK_INT(plait_executor_map(executor, wait_at_gate, gates, sizeof(void *), NULL, 0, 8, &opts), ==, -ETIMEDOUT);
        plait_executor_free(executor);
}

TEST(a_map_ends_at_its_deadline)
{
        with_each_kind(check_deadline);
}

static void check_arguments(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        struct plait_executor_map_opts chunk = {.size = sizeof chunk, .chunk = (1 << 20) + 1};
        struct plait_executor_map_opts flags = {.size = sizeof flags, .flags = 2};
        struct plait_executor_flow flow = {.fn = square};
        long x = 1;

        CHECK_INT(plait_executor_map(executor, NULL, &x, sizeof x, NULL, 0, 1, NULL), ==, -EINVAL);
        CHECK_INT(plait_executor_map(executor, add_one, NULL, 1, NULL, 0, 1, NULL), ==, -EINVAL);
        CHECK_INT(plait_executor_map(executor, add_one, &x, 1, NULL, 1, 1, NULL), ==, -EINVAL);
        CHECK_INT(plait_executor_map(executor, add_one, &x, 1, NULL, 0, 1, &chunk), ==, -EINVAL);
        CHECK_INT(plait_executor_map(executor, add_one, &x, 1, NULL, 0, 1, &flags), ==, -EINVAL);
        CHECK_INT(plait_executor_map(executor, add_one, NULL, 0, NULL, 0, 0, NULL), ==, 0);
        CHECK_INT(plait_executor_stream(executor, &flow, NULL), ==, -EINVAL);
        CHECK_INT(x, ==, 1);
        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_executor_map(executor, add_one, &x, 1, NULL, 0, 1, NULL), ==, -EPIPE);
        plait_executor_free(executor);
}

TEST(misuse_of_a_map_is_refused)
{
        with_each_kind(check_arguments);
}

/* --- streams --- */

struct source {
        struct plait_executor *executor;
        long next, n, reported, most_out;
        int end;      /* what next() returns after the last */
        long fail_at; /* done() fails there; -1: nowhere */
        int errors;
};

static int next_number(void *context, void *item)
{
        struct source *source = context;

        if (source->next == source->n)
                return source->end;
        *(long *)item = source->next++;
        if (source->next - source->reported > source->most_out)
                source->most_out = source->next - source->reported;
        return 1;
}

static int check_square(void *context, void *item, const struct plait_job_end *end)
{
        struct source *source = context;
        long number = *(long *)item;

        CHECK_INT(number, ==, source->reported);
        source->reported++;
        if (end->result < 0) {
                source->errors++;
        } else {
                CHECK_INT(end->status, ==, PLAIT_JOB_RETURNED);
                CHECK_INT(*(long *)end->data, ==, number * number);
        }
        return number == source->fail_at ? -EPROTO : 0;
}

static const struct plait_executor_flow squares = {.next = next_number,
                                                   .fn = square,
                                                   .done = check_square,
                                                   .arg_bytes = sizeof(long),
                                                   .result_bytes = sizeof(long)};

static void check_stream(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        struct source source = {.n = N, .fail_at = -1};
        struct plait_executor_flow flow = squares;
        struct plait_executor_map_opts limited = {.size = sizeof limited, .limit = 10};
        struct plait_executor_map_opts chunked = {.size = sizeof chunked, .chunk = 33};

        flow.context = &source;
        CHECK_INT(plait_executor_stream(executor, &flow, NULL), ==, 0);
        CHECK_INT(source.reported, ==, N);
        CHECK_INT(source.errors, ==, 0);
        source = (struct source){.n = 1000, .fail_at = -1};
        CHECK_INT(plait_executor_stream(executor, &flow, &limited), ==, 0);
        CHECK_INT(source.reported, ==, 1000);
        CHECK_INT(source.most_out, <=, 10);
        source = (struct source){.n = 1000, .fail_at = -1};
        CHECK_INT(plait_executor_stream(executor, &flow, &chunked), ==, 0);
        CHECK_INT(source.reported, ==, 1000);
        source = (struct source){.fail_at = -1};
        CHECK_INT(plait_executor_stream(executor, &flow, NULL), ==, 0);
        CHECK_INT(source.reported, ==, 0);
        plait_executor_free(executor);
}

TEST(a_stream_reports_in_order_and_asks_for_no_more_than_it_needs)
{
        with_each_kind(check_stream);
}

static int odd_fails(void *arg, void *result)
{
        square(arg, result);
        return *(const long *)arg % 2 ? -ERANGE : 0;
}

static void check_stream_errors(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        struct source source = {.n = 1000, .fail_at = 500};
        struct plait_executor_flow flow = squares;
        struct plait_executor_map_opts collect = {.size = sizeof collect, .flags = PLAIT_EXECUTOR_MAP_COLLECT};

        flow.context = &source;
        CHECK_INT(plait_executor_stream(executor, &flow, NULL), ==, -EPROTO);
        CHECK_INT(source.reported, ==, source.next); /* whatever was handed out comes back */
        source = (struct source){.n = 100, .fail_at = -1, .end = -ENOLINK};
        CHECK_INT(plait_executor_stream(executor, &flow, NULL), ==, -ENOLINK);
        CHECK_INT(source.reported, ==, source.next);
        flow.fn = odd_fails;
        source = (struct source){.n = 1000, .fail_at = -1};
        CHECK_INT(plait_executor_stream(executor, &flow, NULL), ==, -ERANGE);
        CHECK_INT(source.reported, ==, source.next);
        source = (struct source){.n = 1000, .fail_at = -1};
        CHECK_INT(plait_executor_stream(executor, &flow, &collect), ==, 500);
        CHECK_INT(source.reported, ==, 1000);
        CHECK_INT(source.errors, ==, 500);
        plait_executor_free(executor);
}

TEST(an_error_ends_a_stream_and_nothing_is_lost)
{
        with_each_kind(check_stream_errors);
}

static int stream_inner(void *arg, void *result)
{
        struct plait_executor *executor = arg;
        struct source source = {.n = 100, .fail_at = -1};
        struct plait_executor_flow flow = squares;

        (void)result;
        flow.context = &source;
        int r = plait_executor_stream(executor, &flow, NULL);
        return r < 0 ? r : (int)source.reported;
}

static void check_stream_inside(const struct kind *kind)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1};
        struct plait_executor *executor = open_executor(kind, &opts);
        struct plait_job job = {.fn = stream_inner, .arg = executor};

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 100);
        plait_executor_free(executor);
}

TEST(a_stream_in_a_job_of_the_same_executor_ends)
{
        with_each_kind(check_stream_inside);
}

static int shut_down_others(void *context, void *item, const struct plait_job_end *end)
{
        struct source *source = context;

        (void)item;
        (void)end;
        if (source->reported++ == 50)
                CHECK_INT(plait_executor_shutdown(source->executor, PLAIT_SHUTDOWN_NOW, 0), <=, 0);
        return 0;
}

static void check_stream_shutdown(const struct kind *kind)
{
        struct plait_executor *executor = open_executor(kind, NULL);
        struct source source = {.executor = executor, .n = LONG_MAX, .fail_at = -1};
        struct plait_executor_flow flow = squares;

        flow.context = &source;
        flow.done = shut_down_others;
        int r = plait_executor_stream(executor, &flow, NULL);
        CHECK(r == -ECANCELED || r == -EPIPE);
        CHECK_INT(source.reported, ==, source.next);
        plait_executor_free(executor);
}

TEST(a_stream_ends_when_its_executor_is_shut_down)
{
        with_each_kind(check_stream_shutdown);
}
