/*
 * A program that has much to record: groups of tasks that meet at a lock and a channel, with spans, counters and
 * sleeps, until about as many events were made as are asked for.
 *
 * usage: busy EVENTS
 */
#include <plait/plait.h>
#include <plait/trace.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENTS 40
#define WRITERS 6
#define EVENTS_A_TURN 3 /* of a client, on the average */

struct work {
        struct plait_mutex lock;
        struct plait_channel *channel;
        atomic_long turns;
        long sum;
};

/* Something that takes a while and is not left out. */
static long compute(long rounds)
{
        volatile long sum = 0;

        for (long i = 0; i < rounds; i++)
                sum = sum + i;
        return sum;
}

static int serve_client(void *arg)
{
        struct work *work = arg;

        for (long turn; (turn = atomic_fetch_sub(&work->turns, 1)) > 0;) {
                PLAIT_SPAN("serve");
                long value = compute(turn % 97);

                int error = plait_mutex_lock(&work->lock, PLAIT_NEVER);
                if (error)
                        return error;
                work->sum += value + compute(turn % 13);
                if (turn % 500 == 0)
                        plait_yield(); /* others have to wait for the lock */
                plait_mutex_unlock(&work->lock);
                if (turn % 50 == 0) {
                        error = plait_channel_send(work->channel, &turn, PLAIT_NEVER);
                        if (error)
                                return error;
                }
                if (turn % 1000 == 0)
                        PLAIT_COUNTER("turns left", (double)turn);
                if (turn % 4000 == 0)
                        plait_sleep(plait_in_ms(1));
                else
                        plait_yield();
        }
        return 0;
}

static int write_journal(void *arg)
{
        struct work *work = arg;
        long turn;

        while (plait_channel_receive(work->channel, &turn, PLAIT_NEVER) == 0) {
                PLAIT_SPAN("write");
                compute(2000);
                if (turn % 10000 == 0)
                        PLAIT_INSTANT("checkpoint", turn);
        }
        return 0;
}

static int app(void *arg)
{
        struct work *work = arg;
        struct plait_scope clients = PLAIT_SCOPE_INIT, writers = PLAIT_SCOPE_INIT;
        int error = plait_channel_new(sizeof(long), 16, &work->channel);

        if (error)
                return error;
        for (int i = 0; i < WRITERS; i++)
                plait_scope_go(&writers, write_journal, work);
        for (int i = 0; i < CLIENTS; i++)
                plait_scope_go(&clients, serve_client, work);
        error = plait_scope_join(&clients);
        plait_channel_close(work->channel);
        int other = plait_scope_join(&writers);
        plait_channel_free(work->channel);
        return error ? error : other;
}

int main(int argc, char **argv)
{
        static struct work work = {.lock = PLAIT_MUTEX_INIT};

        if (argc != 2) {
                fputs("usage: busy EVENTS\n", stderr);
                return 2;
        }
        atomic_init(&work.turns, strtol(argv[1], NULL, 10) / EVENTS_A_TURN);
        return plait_run(app, &work, NULL) < 0;
}
