/*
 * Messages about stuck workers, for those who set PLAIT_STUCK_MS.
 *
 * Only the thread itself can say what it runs, so it is sent SIGURG, which nobody misses: its handler, on the signal
 * stack, leaves the task's name and the stack's addresses for the teller. What the task is doing goes on afterwards; a
 * system call that cannot be restarted ends with EINTR, which is why this is not done unasked.
 */
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sched/worker.h"

enum { FRAMES = 48, HANDLER_FRAMES = 2, ANSWER_NS = 50 * 1000 * 1000, ANSWERS_MOST = 20 };

static bool telling;
static struct {
        _Atomic uint32_t asked, answered;
        uint64_t id;
        char name[PL_TASK_NAME_BYTES];
        void *frames[FRAMES];
        int n;
} answer;

static void on_signal(int number)
{
        const struct pl_worker *worker = pl_sched_self_get();
        const struct plait_task *task = worker ? worker->current : NULL;

        (void)number;
        if (!task || atomic_load(&answer.asked) == atomic_load(&answer.answered))
                return;
        answer.id = task->id;
        memset(answer.name, 0, sizeof answer.name);
        if (task->name)
                memcpy(answer.name, task->name, strnlen(task->name, sizeof answer.name - 1));
        answer.n = backtrace(answer.frames, FRAMES);
        atomic_store(&answer.answered, atomic_load(&answer.asked));
        pl_plat_futex_wake(&answer.answered, 1);
}

void pl_sched_stuck_init(void)
{
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
        void *frame[1];

        telling = getenv("PLAIT_STUCK_MS") != NULL;
        if (!telling)
                return;
        (void)!backtrace(frame, 1); /* the first call loads a library: not in a handler */
        sigaction(SIGURG, &action, NULL);
}

void pl_sched_stuck_thread_init(void)
{
        sigset_t set;

        if (!telling)
                return;
        sigemptyset(&set);
        sigaddset(&set, SIGURG);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* False: it did not answer in time. */
static bool await_answer(uint32_t answered)
{
        int64_t until = pl_plat_now_ns() + ANSWER_NS;

        while (atomic_load(&answer.answered) == answered)
                if (pl_plat_futex_wait(&answer.answered, answered, until) == -ETIMEDOUT)
                        break;
        return atomic_load(&answer.answered) != answered;
}

/* Who only waits for a processor has more time to answer than who is blocked where no signal comes through. */
static bool ask(const struct pl_worker *worker)
{
        uint32_t answered = atomic_load(&answer.answered);
        bool known = false;

        atomic_store(&answer.asked, answered + 1);
        if (tgkill(getpid(), (pid_t)worker->tid, SIGURG) < 0)
                return false;
        for (int i = 0; i < ANSWERS_MOST && !known && (i == 0 || pl_plat_thread_is_runnable(worker->tid)); i++)
                known = await_answer(answered);
        return known;
}

void pl_sched_stuck_tell(const struct pl_worker *worker, int64_t ns, bool blocked)
{
        const char *state = blocked ? "is blocked in a system call" : "computes";
        long long ms = ns / 1000000;

        if (!telling)
                return;
        if (!ask(worker)) {
                pl_warn("a task has held up worker %u for %lld ms: it %s", worker->index, ms, state);
                return;
        }
        pl_warn("task '%s' (#%llu) has held up worker %u for %lld ms: it %s. Use plait_yield() or plait_blocking(). "
                "Its stack:",
                answer.name, (unsigned long long)answer.id, worker->index, ms, state);
        backtrace_symbols_fd(answer.frames + HANDLER_FRAMES, answer.n - HANDLER_FRAMES, STDERR_FILENO);
}
