/*
 * Who has the next turn on a busy worker: what news from the kernel or a timer woke goes ahead of tasks that yield,
 * those get their turns nevertheless, and a worker looks for news in time however long its tasks take. Turns are
 * counted, not time: nothing here depends on how fast the machine is.
 */
#include <errno.h>
#include <plait/plait.h>
#include <unistd.h>

#include "api/alone.h"

enum { YIELDERS = 1000, READERS = 20, RING = 200 };

static bool over;
static long turns; /* that tasks have had which only yield */

static int yield_always(void *arg)
{
        (void)arg;
        while (!over) {
                turns++;
                plait_yield();
        }
        return 0;
}

static struct plait_task_opts of_kind(unsigned flags)
{
        return (struct plait_task_opts){.size = sizeof(struct plait_task_opts), .flags = flags};
}

static void start_yielders(struct plait_scope *scope, unsigned kind)
{
        struct plait_task_opts opts = of_kind(kind);

        over = false;
        turns = 0;
        for (int i = 0; i < YIELDERS; i++)
                CHECK_OK(plait_scope_start(scope, yield_always, NULL, &opts, NULL));
}

/* --- ahead of those that yield --- */

struct reader {
        int ends[2];
        int64_t deadline_ns;
        long *turn; /* set to the number of turns there had been when it went on */
};

static int begun; /* to wait, since a reader does not yield in between */

static int read_one(void *arg)
{
        static char byte; /* a compact task must not lend its stack */
        const struct reader *reader = arg;

        begun++;
        CHECK_INT(plait_read(reader->ends[0], &byte, 1, PLAIT_NEVER), ==, 1);
        *reader->turn = turns;
        return 0;
}

/* Unlike a sleep that comes too late, a wait that does is over at once. */
static int wait_once(void *arg)
{
        static struct plait_semaphore nobody_releases;
        const struct reader *reader = arg;

        begun++;
        CHECK_INT(plait_semaphore_acquire(&nobody_releases, reader->deadline_ns), ==, -ETIMEDOUT);
        *reader->turn = turns;
        return 0;
}

/*
 * All of *readers* are woken by one look at what is new. The first is of high priority, so it says when that was. Then
 * come the others, which are of *kind* like those that yield, each of them after a few of those at most.
 */
static void check_ahead(const struct reader *readers, int (*fn)(void *), void (*wake)(const struct reader *),
                        unsigned kind)
{
        struct plait_task_opts high = of_kind(PLAIT_TASK_HIGH), others = of_kind(kind);
        struct plait_scope yielding = PLAIT_SCOPE_INIT, reading = PLAIT_SCOPE_INIT;

        begun = 0;
        start_yielders(&yielding, kind);
        for (int i = 0; i < READERS; i++)
                CHECK_OK(plait_scope_start(&reading, fn, (void *)(uintptr_t)&readers[i], i ? &others : &high, NULL));
        while (begun < READERS || turns < 2L * YIELDERS)
                plait_yield();
        if (wake)
                wake(readers);
        CHECK_OK(plait_scope_join(&reading));
        over = true;
        CHECK_OK(plait_scope_join(&yielding));
        for (int i = 1; i < READERS; i++)
                CHECK_INT(*readers[i].turn - *readers[0].turn, <=, YIELDERS / 4);
}

static void write_to_all(const struct reader *readers)
{
        for (int i = 0; i < READERS; i++)
                CHECK_INT(write(readers[i].ends[1], "x", 1), ==, 1);
}

static void check_news(unsigned kind)
{
        struct reader readers[READERS];
        long when[READERS];

        for (int i = 0; i < READERS; i++) {
                readers[i].turn = &when[i];
                CHECK_OK(plait_pipe(readers[i].ends));
        }
        check_ahead(readers, read_one, write_to_all, kind);
        for (int i = 0; i < READERS; i++) {
                CHECK_OK(plait_close(readers[i].ends[0]));
                CHECK_OK(plait_close(readers[i].ends[1]));
        }
}

TEST(news_go_ahead_of_tasks_that_yield, .run = alone)
{
        check_news(0);
}

TEST(news_go_ahead_among_tasks_of_a_kind, .run = alone)
{
        check_news(PLAIT_TASK_COMPACT);
        check_news(PLAIT_TASK_LOW);
}

TEST(tasks_whose_time_has_come_go_ahead_of_tasks_that_yield, .run = alone)
{
        struct reader readers[READERS];
        int64_t deadline_ns = plait_in_ms(100);
        long when[READERS];

        for (int i = 0; i < READERS; i++)
                readers[i] = (struct reader){.turn = &when[i], .deadline_ns = deadline_ns};
        check_ahead(readers, wait_once, NULL, 0);
}

/* --- those that yield have their turns --- */

static int ring[RING][2];
static int last; /* who had the last turn; -1: who yields */
static long in_a_row, most_in_a_row, passed_on;

/*
 * Read what the one before has written, and let the next one read: there is always news. What more there is to be read
 * at once is read in the same turn.
 */
static int pass_on(void *arg)
{
        int i = (int)(intptr_t)arg;
        char byte;

        while (plait_read(ring[i][0], &byte, 1, PLAIT_NEVER) == 1) {
                in_a_row += last != i;
                last = i;
                if (in_a_row > most_in_a_row)
                        most_in_a_row = in_a_row;
                passed_on++;
                CHECK_INT(in_a_row, <, 1000);
                CHECK_INT(write(ring[(i + 1) % RING][1], &byte, 1), ==, 1);
        }
        return 0;
}

TEST(news_without_end_leave_turns_to_tasks_that_yield, .run = alone)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < RING; i++)
                CHECK_OK(plait_pipe(ring[i]));
        for (intptr_t i = 0; i < RING; i++)
                CHECK_OK(plait_scope_go(&scope, pass_on, (void *)i));
        let_others_run(); /* all of them have begun to read */
        let_others_run();
        for (int i = 0; i < RING; i += 2)
                CHECK_INT(write(ring[i][1], "x", 1), ==, 1);
        while (passed_on < 5000) {
                plait_yield();
                in_a_row = 0;
                last = -1;
        }
        CHECK_INT(most_in_a_row, <=, 8);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), <=, 0);
        for (int i = 0; i < RING; i++) {
                CHECK_OK(plait_close(ring[i][0]));
                CHECK_OK(plait_close(ring[i][1]));
        }
}

/* --- a worker whose tasks take long looks for news in time --- */

static int compute_and_yield(void *arg)
{
        (void)arg;
        while (!over) {
                int64_t until_ns = plait_in_ns(300000);

                turns++;
                while (plait_now_ns() < until_ns) {}
                plait_yield();
        }
        return 0;
}

static long written;

static int read_often(void *arg)
{
        const int *ends = arg;
        long late = 0;
        char byte;

        for (int i = 0; i < 10; i++) {
                CHECK_INT(plait_read(ends[0], &byte, 1, PLAIT_NEVER), ==, 1);
                if (turns - written > late)
                        late = turns - written;
        }
        over = true;
        CHECK_INT(late, <=, 16);
        return 0;
}

/* A worker that looked after 64 turns, as it does where those are short, would be this late once in 10^10 runs. */
TEST(news_do_not_wait_for_many_turns_that_take_long, .run = alone)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        long before = 0;
        int ends[2];

        CHECK_OK(plait_pipe(ends));
        CHECK_OK(plait_scope_go(&scope, read_often, ends));
        for (int i = 0; i < 4; i++)
                CHECK_OK(plait_scope_go(&scope, compute_and_yield, NULL));
        while (!over) {
                plait_yield();
                if (turns < before + 67) /* at another place each time, if it were every 64 turns */
                        continue;
                before = written = turns;
                CHECK_INT(write(ends[1], "x", 1), ==, 1);
        }
        CHECK_OK(plait_scope_join(&scope));
        CHECK_OK(plait_close(ends[0]));
        CHECK_OK(plait_close(ends[1]));
}
