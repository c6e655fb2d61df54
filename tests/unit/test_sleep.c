/* How the owner of a poller sleeps, and who gets it up: both pollers, driven by hand, without a runtime. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "harness/test.h"
#include "io/backend.h"
#include "plat/sys.h"

enum { INDEX = PL_IO_POLLERS - 1 };

struct owner {
        const struct pl_poller_ops *ops;
        bool has_bell;
        struct pl_poller *_Atomic poller; /* once it is open */
        int bell;
        int64_t deadline_ns;
        _Atomic int waits; /* how many have returned */
        _Atomic bool done;
        pthread_t thread;
};

static void *own(void *arg)
{
        struct owner *owner = arg;
        struct pl_poller *poller;

        CHECK_INT(owner->ops->open(&poller, INDEX), ==, 0);
        if (owner->has_bell)
                owner->bell = owner->ops->bell(poller);
        owner->poller = poller;
        while (!owner->done) {
                owner->ops->wait(poller, owner->deadline_ns);
                owner->waits++;
        }
        return NULL;
}

static void start(struct owner *owner)
{
        CHECK_INT(pthread_create(&owner->thread, NULL, own, owner), ==, 0);
        while (!owner->poller)
                sched_yield();
}

/* Wait until it does so; it can only be woken then. */
static void wait_until(const struct owner *owner, enum pl_io_sleep how)
{
        while (atomic_load(&owner->poller->sleep) != how)
                sched_yield();
}

static void wait_for_return(const struct owner *owner, int waits)
{
        while (owner->waits == waits)
                sched_yield();
}

static void stop(struct owner *owner)
{
        owner->done = true;
        owner->ops->notify(owner->poller);
        CHECK_INT(pthread_join(owner->thread, NULL), ==, 0);
        owner->ops->close(owner->poller);
}

static void is_notified_on_the_word(const struct pl_poller_ops *ops)
{
        struct owner owner = {.ops = ops, .deadline_ns = PL_PLAT_NEVER};

        start(&owner);
        for (int i = 0; i < 3; i++) {
                int waits = owner.waits;

                wait_until(&owner, PL_IO_ASLEEP);
                ops->notify(owner.poller);
                wait_for_return(&owner, waits);
        }
        stop(&owner);
}

static void sleeps_no_longer_than_told(const struct pl_poller_ops *ops)
{
        struct owner owner = {.ops = ops, .deadline_ns = pl_plat_now_ns() + 1000000};

        start(&owner);
        wait_for_return(&owner, 0);
        CHECK_INT(pl_plat_now_ns(), >=, owner.deadline_ns);
        stop(&owner);
}

/* As pl_io_fd_arm() does it. */
static void gets_up_when_others_arm(const struct pl_poller_ops *ops)
{
        struct owner owner = {.ops = ops, .deadline_ns = PL_PLAT_NEVER};

        start(&owner);
        wait_until(&owner, PL_IO_ASLEEP);
        atomic_fetch_add(&owner.poller->armed, 1);
        pl_io_poller_armed(owner.poller);
        wait_until(&owner, PL_IO_PARKED);
        stop(&owner);
}

static void hears_the_bell(const struct pl_poller_ops *ops)
{
        struct owner owner = {.ops = ops, .has_bell = true, .deadline_ns = PL_PLAT_NEVER};
        uint64_t one = 1;

        start(&owner);
        for (int i = 0; i < 3; i++) {
                int waits = owner.waits;

                wait_until(&owner, PL_IO_PARKED);
                CHECK_INT(write(owner.bell, &one, sizeof one), ==, sizeof one);
                wait_for_return(&owner, waits);
        }
        stop(&owner);
}

/* Whatever is told while it is awake makes the next wait return. */
static void forgets_no_news(const struct pl_poller_ops *ops)
{
        struct pl_poller *poller;

        CHECK_INT(ops->open(&poller, INDEX), ==, 0);
        for (int i = 0; i < 2; i++) {
                ops->notify(poller);
                ops->wait(poller, PL_PLAT_NEVER);
                atomic_fetch_add(&poller->armed, 1);
        }
        CHECK_INT(atomic_load(&poller->sleep), ==, PL_IO_RUNNING);
        ops->close(poller);
}

static void both(void (*test)(const struct pl_poller_ops *ops))
{
        test(&pl_io_epoll);
        if (pl_io_uring_probe() == 0)
                test(&pl_io_uring);
}

TEST(an_owner_that_watches_nothing_sleeps_on_the_word_until_it_is_notified)
{
        both(is_notified_on_the_word);
}

TEST(an_owner_sleeps_no_longer_than_it_is_told)
{
        both(sleeps_no_longer_than_told);
}

TEST(an_owner_gets_up_when_others_arm_a_descriptor_with_it)
{
        gets_up_when_others_arm(&pl_io_epoll);
}

TEST(an_owner_with_a_bell_hears_it)
{
        both(hears_the_bell);
}

TEST(an_owner_does_not_sleep_when_it_has_been_notified_before)
{
        both(forgets_no_news);
}
