/*
 * The inventory that must not go negative, sold by processes, of which one dies in the middle of a sale. The stock and
 * its lock lie in memory that all share. Who comes after the dead one is told (-EOWNERDEAD), looks at the books, and
 * puts right what was half done. See docs/guide/shared_inventory.md.
 */
#include <plait/plait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { STOCK = 50, BUYERS = 200, UNLUCKY_SALE = 20 };

/* In shared memory. Together, stock and sold are always STOCK, but for the moment between two lines of sell(). */
struct shop {
        struct plait_shared_mutex mutex; /* guards what follows */
        int stock, sold;
        int mended, victims;
};

static void sell(struct shop *shop)
{
        if (shop->stock == 0)
                return;
        shop->stock--;
        if (shop->sold == UNLUCKY_SALE && !shop->victims) {
                shop->victims = 1;
                raise(SIGKILL); /* out of stock, but not sold */
        }
        shop->sold++;
}

static int lock_and_mend(struct shop *shop)
{
        int r = plait_shared_mutex_lock(&shop->mutex, PLAIT_NEVER);

        if (r == -EOWNERDEAD) {
                shop->stock = STOCK - shop->sold;
                shop->mended++;
                r = plait_shared_mutex_consistent(&shop->mutex);
        }
        return r;
}

/* In a worker. */
static int buy(void *arg, void *result)
{
        const struct plait_array_handle *handle = arg;
        struct plait_array memory = PLAIT_ARRAY_INIT;
        int r = plait_array_open(handle, &memory);

        (void)result;
        if (r < 0)
                return r;
        struct shop *shop = memory.data;

        r = lock_and_mend(shop);
        if (r == 0) {
                sell(shop);
                plait_shared_mutex_unlock(&shop->mutex);
        }
        plait_array_done(&memory);
        return r;
}

static int open_shop(const struct plait_array *memory)
{
        static struct plait_array_handle handles[BUYERS]; /* a buyer needs to know nothing else */
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = 4};
        struct plait_executor_map_opts map = {.size = sizeof map, .flags = PLAIT_EXECUTOR_MAP_COLLECT};
        struct plait_executor *executor;
        int r = plait_array_share(memory, &handles[0]);

        if (r == 0)
                r = plait_executor_processes(&opts, &executor);
        if (r < 0)
                return r;
        for (int i = 1; i < BUYERS; i++)
                handles[i] = handles[0];
        r = plait_executor_map(executor, buy, handles, sizeof handles[0], NULL, 0, BUYERS, &map);
        plait_executor_free(executor);
        return r;
}

int main(void)
{
        struct plait_array memory = PLAIT_ARRAY_INIT;
        int failed = plait_array_init(&memory, PLAIT_ARRAY_U8, 1, (const size_t[]){sizeof(struct shop)}, NULL);

        if (failed == 0) {
                struct shop *shop = memory.data;

                shop->stock = STOCK;
                failed = open_shop(&memory);
                printf("%d sold, %d left, %d purchase failed\n", shop->sold, shop->stock, failed);
                printf("mended %d time\n", shop->mended);
        }
        plait_array_done(&memory);
        return failed < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
