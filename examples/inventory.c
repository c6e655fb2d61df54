/*
 * The inventory that must not go negative. A buyer looks whether there is anything left, pays, and takes it. While he
 * pays, others look, too: each finds the last item on the shelf. That the stock itself is read and written by atomic
 * operations does not help; checking and acting must be one step. See docs/guide/inventory.md.
 */
#include <plait/plait.h>

#include <stdio.h>
#include <stdlib.h>

enum { STOCK = 20, BUYERS = 100, DAYS_MOST = 1000 };

struct shop {
        struct plait_mutex mutex; /* in the mended shop, guards what follows */
        int stock;
        int sold;
};

static int stock_of(struct shop *shop)
{
        return __atomic_load_n(&shop->stock, __ATOMIC_RELAXED);
}

static int check_pay_and_take(struct shop *shop)
{
        if (stock_of(shop) <= 0)
                return 0;
        int r = plait_sleep(plait_in_ms(1)); /* the bank answers */
        if (r < 0)
                return r;
        __atomic_sub_fetch(&shop->stock, 1, __ATOMIC_RELAXED);
        __atomic_add_fetch(&shop->sold, 1, __ATOMIC_RELAXED);
        return 0;
}

static int buy_racing(void *shop)
{
        return check_pay_and_take(shop);
}

static int buy(void *arg)
{
        struct shop *shop = arg;
        int r = plait_mutex_lock(&shop->mutex, PLAIT_NEVER);

        if (r < 0)
                return r;
        r = check_pay_and_take(shop);
        plait_mutex_unlock(&shop->mutex);
        return r;
}

/* A day: all buyers come at once. */
static int open_shop(struct shop *shop, int (*buyer)(void *shop))
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < BUYERS; i++)
                plait_scope_go(&scope, buyer, shop);
        return plait_scope_join(&scope);
}

/* A race comes up when it likes: open the shop day after day until more was sold than there was. */
static int race(void)
{
        for (int day = 0; day < DAYS_MOST; day++) {
                struct shop shop = {.stock = STOCK};
                int r = open_shop(&shop, buy_racing);

                if (r < 0)
                        return r;
                if (shop.stock < 0) {
                        printf("without a lock: more was sold than there was\n");
                        return 0;
                }
        }
        printf("without a lock: %d days went well\n", DAYS_MOST);
        return 0;
}

static int mended(void)
{
        struct shop shop = {.stock = STOCK};
        int r = open_shop(&shop, buy);

        if (r == 0)
                printf("with a lock: %d sold, %d left\n", shop.sold, shop.stock);
        return r;
}

static int app(void *arg)
{
        (void)arg;
        int r = race();

        return r < 0 ? r : mended();
}

int main(void)
{
        return plait_run(app, NULL, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
