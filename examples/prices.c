/*
 * Prices of a share, simulated for many days and many ways in which things may go, by worker processes into an array
 * that all share. A job gets a handle and the number of a row; nothing is copied, and nothing comes back but the row
 * itself. The array is then used where it is. See docs/guide/prices.md.
 */
#include <plait/plait.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATHS = 400, DAYS = 250 };

struct job {
        struct plait_array_handle prices;
        unsigned row;
};

/* Numbers from 0 to 1 that are the same each time: splitmix64. */
static double uniform(uint64_t *state)
{
        uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return (double)((z ^ z >> 31) >> 11) / (double)(UINT64_C(1) << 53);
}

/* About normal: the sum of twelve of them. */
static double normal(uint64_t *state)
{
        double sum = -6;

        for (int i = 0; i < 12; i++)
                sum += uniform(state);
        return sum;
}

/* In a worker: one row of the array. */
static int simulate(void *arg, void *result)
{
        const struct job *job = arg;
        struct plait_array prices = PLAIT_ARRAY_INIT;
        uint64_t state = job->row;
        double price = 100;
        int r = plait_array_open(&job->prices, &prices);

        (void)result;
        if (r < 0)
                return r;
        for (size_t day = 0; day < prices.shape[1]; day++) {
                price *= exp(0.0002 + 0.01 * normal(&state));
                plait_array_at(&prices, double, job->row, day) = price;
        }
        plait_array_done(&prices);
        return 0;
}

/* The mean of a column: a view of the array, whose elements lie a row apart. */
static double mean_of_day(const struct plait_array *prices, size_t day)
{
        struct plait_array column = PLAIT_ARRAY_INIT;
        double sum = 0;

        if (plait_array_pick(prices, 1, day, &column) < 0)
                return NAN;
        for (size_t row = 0; row < column.shape[0]; row++)
                sum += plait_array_at(&column, double, row);
        plait_array_done(&column);
        return sum / PATHS;
}

static int simulate_all(struct plait_array *prices)
{
        static struct job jobs[PATHS];
        struct plait_executor *executor;
        int r = plait_array_share(prices, &jobs[0].prices);

        if (r == 0)
                r = plait_executor_processes(NULL, &executor);
        if (r < 0)
                return r;
        for (unsigned row = 0; row < PATHS; row++)
                jobs[row] = (struct job){.prices = jobs[0].prices, .row = row};
        r = plait_executor_map(executor, simulate, jobs, sizeof jobs[0], NULL, 0, PATHS, NULL);
        plait_executor_free(executor);
        return r;
}

int main(void)
{
        struct plait_array prices = PLAIT_ARRAY_INIT;
        int r = plait_array_init(&prices, PLAIT_ARRAY_F64, 2, (const size_t[]){PATHS, DAYS}, NULL);

        if (r == 0)
                r = simulate_all(&prices);
        if (r == 0) {
                printf("after a day: %.1f on average\n", mean_of_day(&prices, 0));
                printf("after a year: %.1f on average\n", mean_of_day(&prices, DAYS - 1));
        }
        plait_array_done(&prices);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
