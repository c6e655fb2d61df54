/* skynet: a tree of tasks with ten children each; leaves return their number, parents the sum. Arguments: leaves. */
#include "bench.h"

struct node {
        int64_t first, leaves, sum;
};

static int node(void *arg)
{
        struct node *self = arg;

        if (self->leaves == 1) {
                self->sum = self->first;
                return 0;
        }
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct node children[10];
        for (int i = 0; i < 10; i++) {
                children[i] = (struct node){self->first + i * (self->leaves / 10), self->leaves / 10, 0};
                bench_must(plait_scope_go(&scope, node, &children[i]), "spawn");
        }
        bench_must(plait_scope_join(&scope), "join");
        self->sum = 0;
        for (int i = 0; i < 10; i++)
                self->sum += children[i].sum;
        return 0;
}

static int app(void *leaves)
{
        struct node root = {0, *(int64_t *)leaves, 0};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int64_t start_ns = plait_now_ns();

        bench_must(plait_scope_go(&scope, node, &root), "spawn");
        bench_must(plait_scope_join(&scope), "join");
        bench_report((10 * root.leaves - 1) / 9, plait_now_ns() - start_ns, (uint64_t)root.sum);
        return 0;
}

int main(int argc, char **argv)
{
        int64_t leaves = bench_size(argv, 1);

        (void)argc;
        return bench_run(app, &leaves, 0);
}
