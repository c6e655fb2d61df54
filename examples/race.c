/*
 * A race, and three ways to mend it. A thousand tasks add 1 to a counter: each reads it, thinks, and writes what it has
 * read plus 1. Between reading and writing, others read the same number, and all but one of their additions are lost.
 * See docs/guide/race.md.
 */
#include <plait/plait.h>

#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 1000 };

struct counter {
        struct plait_mutex mutex; /* guards count where it is used */
        int count;
        struct plait_channel *additions; /* int: to the counter's owner */
};

static int read_count(const struct counter *counter)
{
        return __atomic_load_n(&counter->count, __ATOMIC_RELAXED);
}

static void write_count(struct counter *counter, int count)
{
        __atomic_store_n(&counter->count, count, __ATOMIC_RELAXED);
}

static int add_slowly(struct counter *counter)
{
        const int count = read_count(counter);

        plait_yield(); /* as if the sum took a while */
        write_count(counter, count + 1);
        return 0;
}

static int add_racing(void *counter)
{
        return add_slowly(counter);
}

/* Mended by a lock: reading and writing are one step for all others who lock it. */
static int add_locked(void *arg)
{
        struct counter *counter = arg;
        int r = plait_mutex_lock(&counter->mutex, PLAIT_NEVER);

        if (r < 0)
                return r;
        r = add_slowly(counter);
        plait_mutex_unlock(&counter->mutex);
        return r;
}

/* Mended by one operation: nothing can come in between, since there is no between. */
static int add_atomically(void *arg)
{
        struct counter *counter = arg;

        __atomic_add_fetch(&counter->count, 1, __ATOMIC_RELAXED);
        return 0;
}

/* Mended by an owner: nobody else touches the counter, others send what is to be added. */
static int add_by_owner(void *arg)
{
        struct counter *counter = arg;
        const int one = 1;

        return plait_channel_send(counter->additions, &one, PLAIT_NEVER);
}

static int own(void *arg)
{
        struct counter *counter = arg;
        int addition, r;

        while ((r = plait_channel_receive(counter->additions, &addition, PLAIT_NEVER)) == 0)
                counter->count += addition;
        return r == -EPIPE ? 0 : r;
}

static int count_up(int (*add)(void *counter), struct counter *counter)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < TASKS; i++)
                plait_scope_go(&scope, add, counter);
        return plait_scope_join(&scope);
}

static int count_by_owner(struct counter *counter)
{
        struct plait_scope owner = PLAIT_SCOPE_INIT;
        int r = plait_channel_new(sizeof(int), 10, &counter->additions);

        if (r < 0)
                return r;
        plait_scope_go(&owner, own, counter);
        r = count_up(add_by_owner, counter);
        plait_channel_close(counter->additions);
        int joined = plait_scope_join(&owner);
        plait_channel_free(counter->additions);
        return r < 0 ? r : joined;
}

static int app(void *arg)
{
        struct counter racing = {.count = 0}, locked = {.count = 0}, atomic = {.count = 0}, owned = {.count = 0};

        (void)arg;
        int r = count_up(add_racing, &racing);
        if (r == 0)
                r = count_up(add_locked, &locked);
        if (r == 0)
                r = count_up(add_atomically, &atomic);
        if (r == 0)
                r = count_by_owner(&owned);
        if (r < 0)
                return r;
        printf("racing: %s\n", racing.count < TASKS ? "some additions were lost" : "all came through");
        printf("with a lock: %d\n", locked.count);
        printf("atomically: %d\n", atomic.count);
        printf("by an owner: %d\n", owned.count);
        return 0;
}

int main(void)
{
        return plait_run(app, NULL, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
