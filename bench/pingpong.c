/* pingpong: A sends i over a channel without capacity, B answers i + 1 over another. Arguments: workers n. */
#include "bench.h"

static int64_t n;
static struct plait_channel *there, *back;

static int answer(void *arg)
{
        uint64_t i;
        int r;

        (void)arg;
        while ((r = plait_channel_receive(there, &i, PLAIT_NEVER)) == 0) {
                i++;
                bench_must(plait_channel_send(back, &i, PLAIT_NEVER), "answer");
        }
        return r == -EPIPE ? 0 : r;
}

static int ask(void *ret_sum)
{
        uint64_t reply;

        for (uint64_t i = 0; i < (uint64_t)n; i++) {
                bench_must(plait_channel_send(there, &i, PLAIT_NEVER), "ask");
                bench_must(plait_channel_receive(back, &reply, PLAIT_NEVER), "receive");
                *(uint64_t *)ret_sum += reply;
        }
        plait_channel_close(there);
        return 0;
}

static int app(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        uint64_t sum = 0;

        (void)arg;
        bench_must(plait_channel_new(sizeof(uint64_t), 0, &there), "channel");
        bench_must(plait_channel_new(sizeof(uint64_t), 0, &back), "channel");
        int64_t start_ns = plait_now_ns();
        bench_must(plait_scope_go(&scope, answer, NULL), "spawn");
        bench_must(plait_scope_go(&scope, ask, &sum), "spawn");
        bench_must(plait_scope_join(&scope), "join");
        bench_report(n, plait_now_ns() - start_ns, sum);
        plait_channel_free(there);
        plait_channel_free(back);
        return 0;
}

int main(int argc, char **argv)
{
        (void)argc;
        n = bench_size(argv, 2);
        return bench_run(app, NULL, (unsigned)bench_size(argv, 1));
}
