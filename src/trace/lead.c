/* Recording together with another process; see lead.h. */
#include "trace/lead.h"

#include <errno.h>
#include <string.h>

#include "plait/trace.h"
#include "plat/panic.h"
#include "trace/session.h"

enum { RING_BYTES = 1 << 20 }; /* there may be many followers, and shared memory is scarce */

bool pl_trace_lead(uint32_t known, struct pl_trace_lead *ret)
{
        const struct pl_trace_session *session = &pl_trace_session;

        pl_lock_acquire(&pl_trace_session.lock);
        bool news = session->state == PL_TRACE_RECORDING && session->number != known;
        if (news) {
                ret->number = session->number;
                memcpy(ret->path, session->path, sizeof ret->path);
                memcpy(ret->image, session->mapping.path, sizeof ret->image);
        }
        pl_lock_release(&pl_trace_session.lock);
        return news;
}

void pl_trace_follow(const struct pl_trace_lead *lead)
{
        struct pl_trace_session *session = &pl_trace_session;
        struct pl_trace_wish wish = {.path = lead->path, .leader = lead->image, .ring_bytes = RING_BYTES, .join = true};

        pl_lock_acquire(&session->lock);
        bool follows = session->state == PL_TRACE_RECORDING && *session->leader;
        bool same = follows && strcmp(session->leader, lead->image) == 0;
        pl_lock_release(&session->lock);
        if (same)
                return;
        if (follows)
                (void)plait_trace_stop(NULL);
        pl_lock_acquire(&session->lock);
        int r = session->joining ? -EBUSY : pl_trace_begin(&wish);
        pl_lock_release(&session->lock);
        if (r < 0 && r != -EBUSY && r != -ESRCH && r != -ENOENT) /* its own, or the other one's has ended */
                pl_warn("this process is not in the recording %s: %s", lead->path, strerror(-r));
}
