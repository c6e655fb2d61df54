/* Many tasks at once, and their memory afterwards; the soak suite has the same with a million. */
#include "stress/crowd.h"

TEST(fifty_thousand_tasks_block_at_once_and_their_memory_comes_back, .run = in_task, .timeout_ms = 120000)
{
        long n = test_slowness() > 1 ? 2000 : 50000; /* a sanitizer has room for some thousand stacks */

        for (int round = 0; round < 2; round++) {
                crowd_gathers(n);
                if (test_slowness() == 1)
                        crowd_is_gone();
        }
}
