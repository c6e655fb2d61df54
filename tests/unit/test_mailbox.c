/* The mailbox of plait/trace.h at moments that an asker from outside can hardly hit. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/test.h"
#include "plait/trace.h"
#include "trace/session.h"

/* As a worker hears it that has seen a question before it took the lock. */
static int hear(struct plait_trace_mailbox *box, enum plait_trace_command command, uint32_t asked)
{
        __atomic_store_n(&box->command, command, __ATOMIC_RELAXED); /* the recorder looks, too */
        __atomic_store_n(&box->asked, asked, __ATOMIC_RELEASE);
        pl_trace_answer();
        while (__atomic_load_n(&box->answered, __ATOMIC_ACQUIRE) != asked)
                sched_yield();
        return box->result;
}

TEST(a_question_that_was_taken_back_is_not_answered_by_what_the_next_one_wants)
{
        struct plait_trace_mailbox *box = &pl_trace_mailbox;

        snprintf(box->path, sizeof box->path, "/tmp/plait-test-mailbox-XXXXXX");
        int fd = CHECK_SYS(mkstemp(box->path));
        close(fd);
        box->watcher = getpid();
        box->answered = 7;
        CHECK_INT(hear(box, PLAIT_TRACE_START, 7), ==, -ESRCH);
        CHECK_INT(hear(box, PLAIT_TRACE_STOP, 8), ==, -EALREADY);
        CHECK_INT(hear(box, PLAIT_TRACE_START, 9), ==, 0);
        CHECK_INT(hear(box, PLAIT_TRACE_STOP, 10), ==, 0);
        CHECK_SYS(unlink(box->path));
}

TEST(recording_of_somebody_who_is_gone_is_ended_for_the_next_one)
{
        struct plait_trace_mailbox *box = &pl_trace_mailbox;
        uint32_t asked = 21;

        snprintf(box->path, sizeof box->path, "/tmp/plait-test-mailbox-XXXXXX");
        close(CHECK_SYS(mkstemp(box->path)));
        pid_t watcher = CHECK_SYS(fork());
        if (watcher == 0) {
                pause();
                _exit(0);
        }
        box->watcher = watcher;
        CHECK_INT(hear(box, PLAIT_TRACE_START, asked), ==, 0);
        CHECK_INT(hear(box, PLAIT_TRACE_START, ++asked), ==, -EBUSY);
        CHECK_SYS(kill(watcher, SIGKILL));
        CHECK_INT(waitpid(watcher, NULL, 0), ==, watcher);
        box->watcher = getpid();
        int r = hear(box, PLAIT_TRACE_START, ++asked);
        while (r == -EAGAIN)
                r = hear(box, PLAIT_TRACE_START, ++asked);
        CHECK_INT(r, ==, 0);
        CHECK_INT(hear(box, PLAIT_TRACE_STOP, ++asked), ==, 0);
        CHECK_SYS(unlink(box->path));
}
