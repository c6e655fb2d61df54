/*
 * Money goes from one account to another, and both are locked meanwhile. With "wrong", each transfer locks the account
 * that it takes from first: one transfer there and one back, and each has what the other needs. It works nearly always.
 * With "mended", both are locked at once. With "meet", the wrong transfers are made to meet in the middle, which is the
 * one time in a million. See docs/guide/deadlocks.md.
 */
#include <plait/plait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct account {
        struct plait_mutex mutex; /* guards balance */
        long balance;
};

static struct account savings = {.balance = 1000}, current = {.balance = 1000};

static void move(struct account *from, struct account *to)
{
        from->balance -= 10;
        to->balance += 10;
}

static struct plait_barrier meeting;
static bool meet;

/* Whose order is that of the arguments. */
static int transfer_wrong(struct account *from, struct account *to)
{
        int r = plait_mutex_lock(&from->mutex, PLAIT_NEVER);

        if (r < 0)
                return r;
        if (meet)
                r = plait_barrier_wait(&meeting, PLAIT_NEVER);
        if (r >= 0)
                r = plait_mutex_lock(&to->mutex, PLAIT_NEVER);
        if (r >= 0) {
                move(from, to);
                plait_mutex_unlock(&to->mutex);
        }
        plait_mutex_unlock(&from->mutex);
        return r;
}

static int transfer_mended(struct account *from, struct account *to)
{
        struct plait_lock both[] = {PLAIT_LOCK_MUTEX(&from->mutex), PLAIT_LOCK_MUTEX(&to->mutex)};
        int r = plait_lock_all(2, both, PLAIT_NEVER);

        if (r < 0)
                return r;
        move(from, to);
        plait_unlock_all(2, both);
        return 0;
}

static int (*transfer)(struct account *from, struct account *to) = transfer_wrong;

static int save(void *arg)
{
        (void)arg;
        return transfer(&current, &savings);
}

static int spend(void *arg)
{
        (void)arg;
        return transfer(&savings, &current);
}

static int app(void *arg)
{
        struct plait_task_opts saver = {.size = sizeof saver, .name = "save"};
        struct plait_task_opts spender = {.size = sizeof spender, .name = "spend"};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        plait_scope_start(&scope, save, NULL, &saver, NULL);
        plait_scope_start(&scope, spend, NULL, &spender, NULL);
        return plait_scope_join(&scope);
}

int main(int argc, char **argv)
{
        const char *how = argc > 1 ? argv[1] : "wrong";

        if (strcmp(how, "mended") == 0)
                transfer = transfer_mended;
        meet = strcmp(how, "meet") == 0;
        if (meet && plait_barrier_init(&meeting, 2) < 0)
                return EXIT_FAILURE;

        int r = plait_run(app, NULL, NULL);
        if (r < 0) {
                fprintf(stderr, "deadlocks: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        printf("savings %ld, current %ld\n", savings.balance, current.balance);
        return EXIT_SUCCESS;
}
