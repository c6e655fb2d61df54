/*
 * The poller on io_uring: a ring per worker, which only its owner touches (SINGLE_ISSUER, DEFER_TASKRUN where the
 * kernel has them). Descriptors are watched with poll requests, so no memory is lent to the kernel. Requests are
 * prepared while tasks run and submitted together by the next wait(); looking for news costs no system call when there
 * are none.
 *
 * A poll request keeps its file open, whatever close() says, so it is taken back before the descriptor is closed. Other
 * threads hand such requests to the owner through its mailbox.
 *
 * Locking: the common lock guards the mailbox; everything else is the owner's.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/attributes.h"
#include "base/list.h"
#include "io/backend.h"
#include "io/fd_table.h"
#include "plat/panic.h"
#include "plat/sys.h"
#include "sched/runtime.h"
#include "sched/wait.h"

enum { ENTRIES = 512, COMPLETIONS = 8192 };

/* In the tag of a request that takes back another: the other's tag, and this bit, which no descriptor has. */
#define TAG_TAKES_BACK (UINT64_C(1) << 31)

struct mail {
        struct pl_list link;
        uint64_t tag;         /* whose poll request is to be taken back */
        struct pl_wait *wait; /* who waits for that, and owns this; NULL: nobody, free it */
};

struct uring_poller {
        struct pl_poller common;
        struct io_uring ring;
        bool task_work_flag; /* the kernel says by a flag when it has work to be done at the next call */
        uint32_t requests;   /* whose last completion has not been seen, but for the eventfd's */
        _Atomic bool has_mail;
        struct pl_list mails;
};

static struct pl_poller *pollers[PL_IO_POLLERS];

static struct uring_poller *of(struct pl_poller *poller)
{
        return PL_CONTAINER_OF(poller, struct uring_poller, common);
}

static struct io_uring_sqe *next_sqe(struct uring_poller *poller)
{
        struct io_uring_sqe *sqe = io_uring_get_sqe(&poller->ring);

        while (PL_UNLIKELY(!sqe)) {
                int r = io_uring_submit(&poller->ring);

                if (r < 0 && r != -EINTR && r != -EAGAIN && r != -EBUSY)
                        pl_panic("cannot submit to io_uring: error %d; run with PLAIT_POLLER=epoll", -r);
                if (r == -EBUSY) /* completions first */
                        (void)io_uring_get_events(&poller->ring);
                sqe = io_uring_get_sqe(&poller->ring);
        }
        return sqe;
}

static int arm(struct pl_poller *poller, int fd, uint32_t seq, enum pl_io_arming arming, unsigned events, bool again)
{
        struct io_uring_sqe *sqe = next_sqe(of(poller));

        (void)again;
        if (arming == PL_IO_STANDING)
                io_uring_prep_poll_multishot(sqe, fd, events);
        else
                io_uring_prep_poll_add(sqe, fd, events);
        io_uring_sqe_set_data64(sqe, pl_io_tag(fd, seq));
        of(poller)->requests++;
        return 0;
}

static void take_back(struct uring_poller *poller, uint64_t tag)
{
        struct io_uring_sqe *sqe = next_sqe(poller);

        io_uring_prep_poll_remove(sqe, tag);
        io_uring_sqe_set_data64(sqe, tag | TAG_TAKES_BACK);
        poller->requests++;
}

/* A request that has just seen an event cannot be taken back until that is dealt with: try again. */
static void taken_back(struct uring_poller *poller, uint64_t tag, int result)
{
        if (result == -EALREADY)
                take_back(poller, tag & ~TAG_TAKES_BACK);
}

/* Completions that the kernel holds back until it is called, or (in old kernels) may hold back. */
static bool kernel_has_news(struct uring_poller *poller)
{
        unsigned flags = IO_URING_READ_ONCE(*poller->ring.sq.kflags);

        return !poller->task_work_flag || flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static void enter_kernel(struct uring_poller *poller)
{
        int r;

        do
                r = io_uring_submit_and_get_events(&poller->ring);
        while (r == -EINTR);
}

/* Take back a request now, so that its file is let go of. */
static void take_back_now(struct uring_poller *poller, uint64_t tag)
{
        if (kernel_has_news(poller))
                enter_kernel(poller);
        take_back(poller, tag);
        enter_kernel(poller);
}

/* False: the ring is gone, and its requests with it. */
static bool send_mail(struct pl_poller *poller, struct mail *mail)
{
        pl_lock_acquire(&poller->lock);

        bool open = atomic_load(&poller->epoch) & 1;

        if (open) {
                pl_list_push_back(&of(poller)->mails, &mail->link);
                atomic_store_explicit(&of(poller)->has_mail, true, memory_order_relaxed);
                pl_io_poller_notify(poller);
        }
        pl_lock_release(&poller->lock);
        return open;
}

static void read_mail(struct uring_poller *poller)
{
        struct pl_list mails;
        struct pl_list *link;

        if (PL_LIKELY(!atomic_load_explicit(&poller->has_mail, memory_order_relaxed))) /* whoever sends also notifies */
                return;
        pl_list_init(&mails);
        pl_lock_acquire(&poller->common.lock);
        atomic_store_explicit(&poller->has_mail, false, memory_order_relaxed);
        pl_list_splice_back(&mails, &poller->mails);
        pl_lock_release(&poller->common.lock);
        for (link = mails.next; link != &mails; link = link->next) {
                struct mail *mail = PL_CONTAINER_OF(link, struct mail, link);

                if (mail->wait)
                        take_back_now(poller, mail->tag);
                else
                        take_back(poller, mail->tag);
        }
        while ((link = pl_list_pop_front(&mails))) {
                struct mail *mail = PL_CONTAINER_OF(link, struct mail, link);

                if (!mail->wait)
                        free(mail);
                else if (pl_sched_wake_claim(mail->wait))
                        pl_sched_wake_ready(mail->wait);
        }
}

static void disarm_elsewhere(struct pl_poller *poller, uint64_t tag, enum pl_io_reason reason)
{
        struct mail own = {.tag = tag};

        if (reason == PL_IO_REPLACE || reason == PL_IO_UNWATCH) {
                struct mail *mail = malloc(sizeof *mail);

                if (!mail)
                        return; /* the request stays until its event comes, which is ignored */
                *mail = own;
                if (!send_mail(poller, mail))
                        free(mail);
                return;
        }
        own.wait = pl_sched_wait_begin(reason == PL_IO_CLOSE ? PL_WAIT_FD_READ : PL_WAIT_FD_WRITE, NULL);
        if (!send_mail(poller, &own)) {
                pl_sched_wait_abandon(own.wait);
                return;
        }

        int r = pl_sched_wait_finish(own.wait, PL_PLAT_NEVER, PL_WAIT_UNINTERRUPTIBLE | PL_WAIT_LENDS);

        (void)r; /* nothing but the owner ends it */
}

static void disarm(struct pl_poller *poller, int fd, uint32_t seq, enum pl_io_reason reason)
{
        uint64_t tag = pl_io_tag(fd, seq);

        if (!pl_sched_in_task() || pl_sched_poller() != poller) {
                disarm_elsewhere(poller, tag, reason);
                return;
        }
        if (reason == PL_IO_REPLACE || reason == PL_IO_UNWATCH)
                take_back(of(poller), tag);
        else
                take_back_now(of(poller), tag);
}

static const struct pl_io_backend backend = {.shared = false, .arm = arm, .disarm = disarm};

/* From the newest kernels (6.1) to the oldest with multishot poll requests (5.13). */
static int new_ring(struct io_uring *ring)
{
        static const unsigned flags[] = {
                IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                        IORING_SETUP_SUBMIT_ALL,
                IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
                0,
        };
        int r = -EINVAL;

        for (unsigned i = 0; i < PL_ARRAY_SIZE(flags) && r == -EINVAL; i++) {
                struct io_uring_params params = {.flags = flags[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
                                                 .cq_entries = COMPLETIONS};

                r = io_uring_queue_init_params(ENTRIES, ring, &params);
        }
        if (r < 0)
                return r;
        if (!(ring->features & IORING_FEAT_RSRC_TAGS) || !(ring->features & IORING_FEAT_EXT_ARG)) {
                io_uring_queue_exit(ring);
                return -ENOSYS;
        }
        /* A child of fork() shares the ring's memory otherwise, and could corrupt it. */
        if (io_uring_ring_dontfork(ring) < 0) {
                io_uring_queue_exit(ring);
                return -ENOMEM;
        }
        (void)io_uring_register_ring_fd(ring); /* spares a lookup per call, where the kernel can */
        return 0;
}

int pl_io_uring_probe(void)
{
        struct io_uring ring;
        int saved = errno;
        int r = new_ring(&ring);

        if (r == 0)
                io_uring_queue_exit(&ring);
        errno = saved;
        return r;
}

static void watch_notify(struct uring_poller *poller)
{
        struct io_uring_sqe *sqe = next_sqe(poller);

        io_uring_prep_poll_multishot(sqe, poller->common.notify_fd, POLLIN);
        io_uring_sqe_set_data64(sqe, PL_IO_TAG_NOTIFY);
}

static int open_ring(struct uring_poller *poller)
{
        int r = new_ring(&poller->ring);

        if (r < 0)
                return r;
        poller->task_work_flag = poller->ring.flags & IORING_SETUP_TASKRUN_FLAG;
        poller->requests = 0;
        pl_list_init(&poller->mails);
        r = pl_io_poller_open(&poller->common);
        if (r < 0) {
                io_uring_queue_exit(&poller->ring);
                return r;
        }
        watch_notify(poller);
        return 0;
}

static int open_poller(struct pl_poller **ret, unsigned index)
{
        struct pl_poller *poller = pl_io_poller_at(pollers, index, sizeof(struct uring_poller), &backend);
        int saved = errno;

        if (!poller)
                return -ENOMEM;
        int r = open_ring(of(poller));

        errno = saved;
        if (r == 0)
                *ret = poller;
        return r;
}

static void close_poller(struct pl_poller *poller)
{
        pl_io_poller_close(poller);
        read_mail(of(poller));
        io_uring_queue_exit(&of(poller)->ring);
}

static void enter(struct uring_poller *poller, int64_t ns)
{
        struct io_uring_cqe *cqe;
        int r = 0;

        if (ns == 0) {
                if (io_uring_sq_ready(&poller->ring) || kernel_has_news(poller))
                        r = io_uring_submit_and_get_events(&poller->ring);
        } else if (ns == PL_PLAT_NEVER) {
                r = io_uring_submit_and_wait(&poller->ring, 1);
        } else {
                struct __kernel_timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

                r = io_uring_submit_and_wait_timeout(&poller->ring, &cqe, 1, &time, NULL);
        }
        if (r < 0 && r != -EINTR && r != -ETIME && r != -EAGAIN && r != -EBUSY)
                pl_panic("cannot wait for events: io_uring: error %d; run with PLAIT_POLLER=epoll", -r);
}

static void reap(struct uring_poller *poller)
{
        struct io_uring_cqe *cqe;
        unsigned head, seen = 0;

        io_uring_for_each_cqe(&poller->ring, head, cqe)
        {
                bool last = !(cqe->flags & IORING_CQE_F_MORE);

                seen++;
                if (cqe->user_data == PL_IO_TAG_NOTIFY && last)
                        watch_notify(poller);
                if (cqe->user_data == PL_IO_TAG_NOTIFY)
                        continue;
                poller->requests -= last;
                if (cqe->user_data & TAG_TAKES_BACK)
                        taken_back(poller, cqe->user_data, cqe->res);
                else
                        pl_io_fd_report(cqe->user_data, cqe->res >= 0 ? (unsigned)cqe->res : POLLNVAL, last);
        }
        io_uring_cq_advance(&poller->ring, seen);
}

/* True: it has slept; the kernel, which has nothing to do for this ring, was not asked. */
static bool sleep_lightly(struct uring_poller *poller, int64_t deadline_ns)
{
        if (poller->requests)
                return false;
        if (io_uring_sq_ready(&poller->ring))
                enter(poller, 0);
        return !io_uring_cq_ready(&poller->ring) && pl_io_poller_sleep(&poller->common, deadline_ns);
}

static void wait(struct pl_poller *common, int64_t deadline_ns)
{
        struct uring_poller *poller = of(common);
        int64_t ns = deadline_ns;
        int saved = errno;

        read_mail(poller);
        if (deadline_ns > 0 && sleep_lightly(poller, deadline_ns)) {
                errno = saved;
                read_mail(poller);
                return;
        }
        if (ns > 0 && ns != PL_PLAT_NEVER) {
                ns -= pl_plat_now_ns();
                ns = ns < 0 ? 0 : ns;
        } else if (ns < 0) {
                ns = 0;
        }
        if (ns > 0 && (io_uring_cq_ready(&poller->ring) || !pl_io_poller_park(common)))
                ns = 0;
        enter(poller, ns);
        errno = saved;
        pl_io_poller_unpark(common);
        read_mail(poller);
        reap(poller);
}

const struct pl_poller_ops pl_io_uring = {
        .name = "io_uring",
        .open = open_poller,
        .close = close_poller,
        .wait = wait,
        .notify = pl_io_poller_notify,
        .watching = pl_io_poller_watching,
        .bell = pl_io_poller_bell,
};
