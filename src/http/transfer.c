/* A transfer, as the task that waits for it sees it; see transfer.h. */
#include "http/transfer.h"

#include <errno.h>

#include "http/driver.h"
#include "plait/time.h"

void pl_http_transfer_init(struct pl_http_transfer *transfer, CURL *easy)
{
        *transfer = (struct pl_http_transfer){.easy = easy};
        pl_list_init(&transfer->order_link);
        pl_list_init(&transfer->round_link);
}

void pl_http_transfer_begin(struct pl_http_transfer *transfer, struct pl_http_driver *driver)
{
        transfer->driver = driver;
        transfer->result = CURLE_OK;
        transfer->continued = false;
        transfer->fresh = 0;
        transfer->news = 0;
        transfer->waiter = NULL;
        pl_http_driver_order(driver, transfer, PL_HTTP_ORDER_ADD);
}

/* Wait until a bit of *mask* is there, and take the bits. */
static int wait_for(struct pl_http_transfer *transfer, unsigned mask, int64_t deadline_ns, unsigned flags)
{
        for (;;) {
                struct pl_wait *wait;
                unsigned news;
                int r;

                pl_lock_acquire(&transfer->lock);
                news = transfer->news & mask;
                if (news) {
                        transfer->news &= ~(unsigned)PL_HTTP_NEWS;
                        pl_lock_release(&transfer->lock);
                        return (int)news;
                }
                wait = pl_sched_wait_begin(PL_WAIT_HTTP, transfer);
                transfer->waiter = wait;
                pl_lock_release(&transfer->lock);
                r = pl_sched_wait_finish(wait, deadline_ns, flags | PL_WAIT_LENDS);
                if (r < 0) {
                        pl_lock_acquire(&transfer->lock);
                        transfer->waiter = NULL;
                        news = transfer->news & mask;
                        pl_lock_release(&transfer->lock);
                        if (!news) /* what has come counts, even at the last moment */
                                return r;
                }
        }
}

int pl_http_transfer_wait(struct pl_http_transfer *transfer, int64_t deadline_ns, unsigned flags)
{
        int news = wait_for(transfer, PL_HTTP_NEWS | PL_HTTP_DONE, deadline_ns, flags);

        if (news > 0 && (news & PL_HTTP_DONE) && transfer->continued)
                pl_http_transfer_abandon(transfer); /* an order about it may still be under way */
        return news;
}

void pl_http_transfer_continue(struct pl_http_transfer *transfer)
{
        transfer->continued = true;
        pl_http_driver_order(transfer->driver, transfer, PL_HTTP_ORDER_CONTINUE);
}

bool pl_http_transfer_abandon(struct pl_http_transfer *transfer)
{
        bool done;

        pl_http_driver_order(transfer->driver, transfer, PL_HTTP_ORDER_REMOVE);
        while (wait_for(transfer, PL_HTTP_ABANDONED, PLAIT_NEVER, PL_WAIT_UNINTERRUPTIBLE) < 0)
                ;
        pl_lock_acquire(&transfer->lock);
        done = transfer->news & PL_HTTP_DONE;
        pl_lock_release(&transfer->lock);
        return done;
}
