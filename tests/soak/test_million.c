/* A million tasks at once, with each poller and on one and two workers. No setting of the system is changed for it. */
#include "stress/crowd.h"

enum { TASKS = 1000000 };

static int gather(void *arg)
{
        (void)arg;
        for (int round = 0; round < 2; round++) {
                int64_t bytes = crowd_gathers(TASKS);

                printf("%.0f bytes resident per task\n", (double)bytes / TASKS);
                crowd_is_gone();
        }
        return 0;
}

static void run_with(const char *poller, unsigned workers)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = workers};

        CHECK_INT(setenv("PLAIT_POLLER", poller, 1), ==, 0);
        CHECK_INT(plait_run(gather, NULL, &opts), ==, 0);
}

TEST(a_million_tasks_block_and_their_memory_comes_back_with_epoll, .timeout_ms = 120000)
{
        run_with("epoll", 0);
}

TEST(a_million_tasks_block_and_their_memory_comes_back_with_io_uring, .timeout_ms = 120000)
{
        run_with("io_uring", 0);
}

TEST(a_million_tasks_block_and_their_memory_comes_back_on_one_worker, .timeout_ms = 120000)
{
        run_with("epoll", 1);
}
