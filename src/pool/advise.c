/*
 * Advice by the Universal Scalability Law; the mathematics are told in plait/advise.h.
 *
 * With y = N / X(N) the law is y = a + b (N - 1) + c N (N - 1), where a = 1 / X1, b = s / X1 and c = k / X1. Its
 * weighted least squares with none of the three negative has its solution among those in which some of b and c are zero
 * and the rest are free: there are four such, so all are tried.
 */
#include "plait/advise.h"

#include <math.h>

#include "base/attributes.h"

enum { TERMS = 3 };

/* What the sums over all runs are, of the normal equations: products of terms, and of terms with y. */
struct sums {
        double product[TERMS][TERMS];
        double with_y[TERMS];
        double y_y;
        double most; /* workers */
        double least;
};

static void terms_of(double workers, double ret[TERMS])
{
        ret[0] = 1;
        ret[1] = workers - 1;
        ret[2] = workers * (workers - 1);
}

static int add_run(struct sums *sums, const struct plait_advise_run *run)
{
        double terms[TERMS];

        if (!(run->workers >= 0.5 && run->workers <= 1e9) || !(run->per_s > 0 && run->per_s <= 1e18))
                return -EINVAL;
        double y = run->workers / run->per_s;
        double weight = 1 / (y * y); /* what counts is the relative error */
        terms_of(run->workers, terms);
        for (int i = 0; i < TERMS; i++) {
                for (int k = 0; k < TERMS; k++)
                        sums->product[i][k] += weight * terms[i] * terms[k];
                sums->with_y[i] += weight * terms[i] * y;
        }
        sums->y_y += weight * y * y;
        if (run->workers > sums->most)
                sums->most = run->workers;
        if (run->workers < sums->least)
                sums->least = run->workers;
        return 0;
}

/* Solves the normal equations of the terms in *used* (a bit each); the others are zero. False: they do not tell. */
static bool solve(const struct sums *sums, unsigned used, double ret[TERMS])
{
        double rows[TERMS][TERMS + 1];

        for (int i = 0; i < TERMS; i++) {
                bool free_term = used >> i & 1;

                for (int k = 0; k < TERMS; k++)
                        rows[i][k] = free_term && used >> k & 1 ? sums->product[i][k] : i == k;
                rows[i][TERMS] = free_term ? sums->with_y[i] : 0;
        }
        /* The matrix is symmetric and positive, so no pivots have to be looked for. */
        for (int i = 0; i < TERMS; i++) {
                if (!(rows[i][i] > 1e-9 * sums->product[i][i] * (used >> i & 1)))
                        return false;
                for (int below = i + 1; below < TERMS; below++) {
                        double factor = rows[below][i] / rows[i][i];

                        for (int k = i; k <= TERMS; k++)
                                rows[below][k] -= factor * rows[i][k];
                }
        }
        for (int i = TERMS - 1; i >= 0; i--) {
                ret[i] = rows[i][TERMS];
                for (int k = i + 1; k < TERMS; k++)
                        ret[i] -= rows[i][k] * ret[k];
                ret[i] /= rows[i][i];
        }
        return true;
}

/* The sum of the squared relative errors. */
static double residual(const struct sums *sums, const double c[TERMS])
{
        double sum = sums->y_y;

        for (int i = 0; i < TERMS; i++) {
                sum -= 2 * c[i] * sums->with_y[i];
                for (int k = 0; k < TERMS; k++)
                        sum += c[i] * c[k] * sums->product[i][k];
        }
        return sum > 0 ? sum : 0;
}

/* The best solution that is possible, among those with so many different numbers of workers. */
static bool fit(const struct sums *sums, bool three, double ret[TERMS], double *ret_residual)
{
        static const unsigned choices[] = {7, 3, 5, 1}; /* all, Amdahl's, pairs alone, none */
        bool found = false;

        for (size_t i = 0; i < PL_ARRAY_SIZE(choices); i++) {
                double c[TERMS];

                if ((choices[i] & 4 && !three) || !solve(sums, choices[i], c) || !(c[0] > 0) || c[1] < 0 || c[2] < 0 ||
                    c[1] > c[0])
                        continue;
                double left = residual(sums, c);
                if (found && left >= *ret_residual)
                        continue;
                for (int k = 0; k < TERMS; k++)
                        ret[k] = c[k];
                *ret_residual = left;
                found = true;
        }
        return found;
}

static double speedup(const struct plait_advice *advice, double workers)
{
        return workers / (1 + advice->serial * (workers - 1) + advice->coherence * workers * (workers - 1));
}

static unsigned whole(double value)
{
        return value < 1 ? 1 : value > UINT32_MAX ? UINT32_MAX : (unsigned)value;
}

/* What is within a thousandth of nothing at all up to the most that were measured, is nothing. */
static void choose(struct plait_advice *advice, double most)
{
        const double negligible = 1e-3;

        advice->peak = HUGE_VAL;
        if (advice->coherence * most * most > negligible) {
                advice->peak = sqrt((1 - advice->serial) / advice->coherence);
                advice->workers = whole(advice->peak);
                if (speedup(advice, advice->workers + 1.0) > speedup(advice, advice->workers))
                        advice->workers++;
        } else if (advice->serial * most > negligible) {
                advice->workers = whole(ceil(9 * (1 - advice->serial) / advice->serial - 1e-6));
        } else {
                advice->workers = 0;
        }
        advice->speedup = speedup(advice, advice->workers ? advice->workers : most);
        advice->extrapolated = advice->workers > 2 * most;
}

static bool three_differ(const struct plait_advise_run *runs, size_t n, const struct sums *sums)
{
        for (size_t i = 0; i < n; i++)
                if (runs[i].workers > sums->least && runs[i].workers < sums->most)
                        return true;
        return false;
}

int plait_advise(const struct plait_advise_run *runs, size_t n, struct plait_advice *ret)
{
        struct sums sums = {.least = HUGE_VAL};
        struct plait_advice advice = {0};
        double c[TERMS] = {0};
        double left = 0;

        if (!runs || !ret || n < 2)
                return -EINVAL;
        for (size_t i = 0; i < n; i++) {
                int r = add_run(&sums, &runs[i]);

                if (r < 0)
                        return r;
        }
        if (!(sums.most > sums.least) || !fit(&sums, three_differ(runs, n, &sums), c, &left))
                return -ENODATA;
        advice.one_per_s = 1 / c[0];
        advice.serial = c[1] / c[0];
        advice.coherence = c[2] / c[0];
        advice.error = sqrt(left / (double)n);
        choose(&advice, sums.most);
        *ret = advice;
        return 0;
}

unsigned plait_advise_in_flight(double per_s, double seconds_each)
{
        double n = per_s * seconds_each;

        return n > 0 ? whole(ceil(n - 1e-9)) : 1;
}
