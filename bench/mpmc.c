/*
 * mpmc: producer j of p sends the numbers below n that are j modulo p through one bounded channel; c consumers sum them
 * until it is closed. Arguments: p c n capacity.
 */
#include "bench.h"

static int64_t producers, consumers, n;
static struct plait_channel *channel;

static int produce(void *first)
{
        for (uint64_t v = (uint64_t)(uintptr_t)first; v < (uint64_t)n; v += (uint64_t)producers)
                bench_must(plait_channel_send(channel, &v, PLAIT_NEVER), "send");
        return 0;
}

static int consume(void *ret_sum)
{
        uint64_t v, sum = 0;
        int r;

        while ((r = plait_channel_receive(channel, &v, PLAIT_NEVER)) == 0)
                sum += v;
        __atomic_add_fetch((uint64_t *)ret_sum, sum, __ATOMIC_RELAXED);
        return r == -EPIPE ? 0 : r;
}

static int app(void *capacity)
{
        struct plait_scope sending = PLAIT_SCOPE_INIT;
        struct plait_scope receiving = PLAIT_SCOPE_INIT;
        uint64_t sum = 0;

        bench_must(plait_channel_new(sizeof(uint64_t), *(size_t *)capacity, &channel), "channel");
        int64_t start_ns = plait_now_ns();
        for (int64_t i = 0; i < consumers; i++)
                bench_must(plait_scope_go(&receiving, consume, &sum), "spawn");
        for (int64_t j = 0; j < producers; j++)
                bench_must(plait_scope_go(&sending, produce, (void *)(uintptr_t)j), "spawn");
        bench_must(plait_scope_join(&sending), "join");
        plait_channel_close(channel);
        bench_must(plait_scope_join(&receiving), "join");
        bench_report(n, plait_now_ns() - start_ns, sum);
        plait_channel_free(channel);
        return 0;
}

int main(int argc, char **argv)
{
        size_t capacity;

        (void)argc;
        producers = bench_size(argv, 1);
        consumers = bench_size(argv, 2);
        n = bench_size(argv, 3);
        capacity = (size_t)bench_size(argv, 4);
        return bench_run(app, &capacity, 0);
}
