/* Maps over processes: a worker that dies in a chunk costs one item, or none. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <plait/plait.h>

#include "harness/test.h"

enum { ITEMS = 3000, DEADLY = 777 };

static struct plait_executor *open_executor(unsigned retries)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 2, .retries = retries};
        struct plait_executor *executor;

        CHECK_INT(plait_executor_processes(&opts, &executor), ==, 0);
        return executor;
}

static int square_or_die(void *arg, void *result)
{
        long number = *(const long *)arg;

        if (number == DEADLY)
                (void)raise(SIGKILL);
        *(long *)result = number * number;
        return 0;
}

static void check_all_but_one(unsigned retries)
{
        struct plait_executor *executor = open_executor(retries);
        static long numbers[ITEMS], squares[ITEMS];
        static int codes[ITEMS];
        struct plait_executor_map_opts opts = {
                .size = sizeof opts, .flags = PLAIT_EXECUTOR_MAP_COLLECT, .codes = codes};

        for (long i = 0; i < ITEMS; i++)
                numbers[i] = i;
        memset(squares, 0, sizeof squares);
        CHECK_INT(plait_executor_map(executor, square_or_die, numbers, sizeof *numbers, squares, sizeof *squares, ITEMS,
                                     &opts),
                  ==, 1);
        for (long i = 0; i < ITEMS; i++) {
                CHECK_INT(codes[i], ==, i == DEADLY ? -EOWNERDEAD : 0);
                CHECK_INT(squares[i], ==, i == DEADLY ? 0 : i * i);
        }
        plait_executor_free(executor);
}

TEST(a_crash_costs_one_item_of_a_map)
{
        check_all_but_one(0);
}

TEST(an_item_that_always_kills_its_worker_is_given_up_after_the_retries)
{
        check_all_but_one(2);
}

struct source {
        long next, reported;
        int crashed, signal;
};

static int next_number(void *context, void *item)
{
        struct source *source = context;

        if (source->next == ITEMS)
                return 0;
        *(long *)item = source->next++;
        return 1;
}

static int see(void *context, void *item, const struct plait_job_end *end)
{
        struct source *source = context;
        long number = *(long *)item;

        CHECK_INT(number, ==, source->reported);
        source->reported++;
        if (end->status == PLAIT_JOB_CRASHED) {
                CHECK_INT(number, ==, DEADLY);
                source->crashed++;
                source->signal = end->signal;
        } else {
                CHECK_INT(*(long *)end->data, ==, number * number);
        }
        return 0;
}

TEST(a_stream_says_which_item_crashed_and_how)
{
        struct plait_executor *executor = open_executor(0);
        struct source source = {0};
        const struct plait_executor_flow flow = {.next = next_number,
                                                 .fn = square_or_die,
                                                 .done = see,
                                                 .context = &source,
                                                 .arg_bytes = sizeof(long),
                                                 .result_bytes = sizeof(long)};
        struct plait_executor_map_opts opts = {.size = sizeof opts, .flags = PLAIT_EXECUTOR_MAP_COLLECT};

        CHECK_INT(plait_executor_stream(executor, &flow, &opts), ==, 1);
        CHECK_INT(source.reported, ==, ITEMS);
        CHECK_INT(source.crashed, ==, 1);
        CHECK_INT(source.signal, ==, SIGKILL);
        plait_executor_free(executor);
}
