/* A program that works for a moment and then has nothing to do: tasks wait for an event that never comes. */
#include <plait/plait.h>

#include <stdio.h>

enum { TASKS = 2000 };

static struct plait_event never;

static int works(void *arg)
{
        int r = plait_sleep(plait_in_ns((int64_t)(uintptr_t)arg * 10000));

        plait_yield();
        return r;
}

static int waits(void *arg)
{
        (void)arg;
        return plait_event_wait(&never, PLAIT_NEVER);
}

static int all_do(int (*fn)(void *))
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (uintptr_t i = 0; i < TASKS; i++)
                if (plait_scope_go(&scope, fn, (void *)i) < 0)
                        break;
        return plait_scope_join(&scope);
}

static int app(void *arg)
{
        int r = all_do(works);

        (void)arg;
        if (r < 0)
                return r;
        puts("worked");
        fflush(stdout);
        return all_do(waits);
}

int main(void)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 4};

        return plait_run(app, NULL, &opts) < 0;
}
