/*
 * Recording on behalf of somebody outside: `plait trace --pid` writes what it wants into plait_trace_mailbox, which it
 * finds by the registry, and wakes a worker. The kernel decides who may: whoever may write this process' memory.
 *
 * A worker looks when it looks at its timers. It begins a recording itself; the end of one is the recorder's business.
 */
#include <errno.h>
#include <string.h>

#include "plait/trace.h"
#include "trace/session.h"

struct plait_trace_mailbox pl_trace_mailbox = {.wake_fd = -1};

void pl_trace_wake_by(int fd)
{
        __atomic_store_n(&pl_trace_mailbox.wake_fd, fd, __ATOMIC_RELAXED);
}

/* In a child: nobody wakes its workers yet, and it owes no answer. Never what would be a descriptor of another kind. */
void pl_trace_mailbox_forget(void)
{
        struct plait_trace_mailbox *box = &pl_trace_mailbox;

        pl_trace_wake_by(-1);
        __atomic_store_n(&box->answered, __atomic_load_n(&box->asked, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

static uint32_t taken; /* the question that was taken last; under the session's lock */

/* The next one may stand there already: it is not this one's answer that it waits for. */
static void answer(int result)
{
        struct plait_trace_mailbox *box = &pl_trace_mailbox;

        box->result = result;
        __atomic_store_n(&box->answered, taken, __ATOMIC_RELEASE);
}

bool pl_trace_is_asked(void)
{
        struct plait_trace_mailbox *box = &pl_trace_mailbox;

        return __atomic_load_n(&box->asked, __ATOMIC_RELAXED) != __atomic_load_n(&box->answered, __ATOMIC_RELAXED);
}

/*
 * Who asked may be gone before he was heard, and somebody else be writing what he wants by now; but he takes back the
 * other's question first.
 */
static int start(const struct plait_trace_mailbox *box)
{
        char path[PL_TRACE_PATH_BYTES];
        struct pl_trace_wish wish = {.path = path,
                                     .ring_bytes = (size_t)box->ring_bytes,
                                     .for_mailbox = true,
                                     .until_ns = box->until_ns,
                                     .watcher = box->watcher};

        memcpy(path, box->path, sizeof path);
        path[sizeof path - 1] = '\0';
        atomic_thread_fence(memory_order_acquire);
        bool taken_back = __atomic_load_n(&box->answered, __ATOMIC_RELAXED) == taken;
        if (taken_back || pl_trace_is_gone(wish.watcher))
                return -ESRCH;
        return path[0] == '/' ? pl_trace_begin(&wish) : -EINVAL;
}

/* A recording whose watcher is gone ends by itself before long; but somebody wants the next one now. */
static bool end_abandoned(struct pl_trace_session *session)
{
        if (session->state != PL_TRACE_RECORDING || !session->for_mailbox || !pl_trace_is_gone(session->watcher))
                return false;
        atomic_store(&session->stopping, 1);
        pl_trace_wake_recorder();
        return true;
}

static int start_unless_busy(struct pl_trace_session *session)
{
        if (session->joining)
                return -EBUSY;
        return end_abandoned(session) ? -EAGAIN : start(&pl_trace_mailbox);
}

/* Under the session's lock. */
static void do_as_asked(struct pl_trace_session *session)
{
        const struct plait_trace_mailbox *box = &pl_trace_mailbox;

        switch (__atomic_load_n(&box->command, __ATOMIC_RELAXED)) {
        case PLAIT_TRACE_START: answer(start_unless_busy(session)); break;
        case PLAIT_TRACE_STOP:
                if (session->state != PL_TRACE_RECORDING || !session->for_mailbox)
                        answer(-EALREADY);
                else if (!atomic_exchange(&session->stopping, 1))
                        pl_trace_wake_recorder(); /* it answers when the file is complete */
                break;
        default: answer(-EINVAL);
        }
}

/*
 * Waits for the lock, held for moments by the recorder and others: all workers may sleep after this, and nobody would
 * come back to the question. What has been taken is not answered twice while the recorder finishes a file.
 */
void pl_trace_answer(void)
{
        struct pl_trace_session *session = &pl_trace_session;

        pl_lock_acquire(&session->lock);
        uint32_t asked = __atomic_load_n(&pl_trace_mailbox.asked, __ATOMIC_ACQUIRE);
        if (asked != taken) {
                taken = asked;
                do_as_asked(session);
        }
        pl_lock_release(&session->lock);
}

void pl_trace_mailbox_ended(void)
{
        struct pl_trace_session *session = &pl_trace_session;
        struct plait_trace_mailbox *box = &pl_trace_mailbox;

        box->events = atomic_load(&session->events);
        box->dropped = atomic_load(&session->dropped);
        box->bytes = atomic_load(&session->bytes);
        if (pl_trace_is_asked() && __atomic_load_n(&box->command, __ATOMIC_RELAXED) == PLAIT_TRACE_STOP)
                answer(session->result);
}
