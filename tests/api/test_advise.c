/* Advice: the fit finds the law that made the figures, also through noise, and says when they tell nothing. */
#include <math.h>
#include <stdint.h>

#include "harness/test.h"
#include "plait/advise.h"

static double law(double n, double one, double serial, double coherence)
{
        return one * n / (1 + serial * (n - 1) + coherence * n * (n - 1));
}

/* Between -1 and 1. */
static double draw(uint64_t *seed)
{
        uint64_t z = (*seed += 0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return (double)((z ^ z >> 31) >> 11) / 4503599627370496.0 - 1;
}

static bool near(double value, double expected, double within)
{
        return fabs(value - expected) <= within;
}

TEST(exact_figures_give_the_very_law)
{
        for (int i = 0; i < 20; i++) {
                double serial = 0.01 + 0.02 * i;
                double coherence = 0.0005 * (i + 1);
                struct plait_advise_run runs[8];
                struct plait_advice advice;

                for (int k = 0; k < 8; k++)
                        runs[k] = (struct plait_advise_run){1 << k, law(1 << k, 70, serial, coherence)};
                CHECK_INT(plait_advise(runs, 8, &advice), ==, 0);
                CHECK(near(advice.one_per_s, 70, 1e-6));
                CHECK(near(advice.serial, serial, 1e-6));
                CHECK(near(advice.coherence, coherence, 1e-8));
                CHECK(near(advice.peak, sqrt((1 - serial) / coherence), 1e-3));
                CHECK(law(advice.workers, 70, serial, coherence) >=
                      law(advice.workers + 1, 70, serial, coherence) - 1e-6);
                CHECK(law(advice.workers, 70, serial, coherence) >=
                      law(advice.workers - 1, 70, serial, coherence) - 1e-6);
                CHECK(advice.error < 1e-6 && !advice.extrapolated);
        }
}

TEST(noise_moves_the_advice_only_a_little)
{
        /* Each figure is up to 5 % off. What so many do as are advised is near to what the best number does. */
        for (uint64_t seed = 1; seed <= 200; seed++) {
                uint64_t state = seed;
                struct plait_advise_run runs[24];
                struct plait_advice advice;

                for (int k = 0; k < 24; k++) {
                        double n = 1 << k % 6;
                        runs[k] = (struct plait_advise_run){n, law(n, 500, 0.05, 0.002) * (1 + 0.05 * draw(&state))};
                }
                CHECK_INT(plait_advise(runs, 24, &advice), ==, 0);
                CHECK(near(advice.serial, 0.05, 0.03));
                CHECK(near(advice.coherence, 0.002, 0.0008));
                CHECK(near(advice.one_per_s, 500, 25));
                CHECK(near(advice.peak, 21.8, 6));
                CHECK(advice.error > 0.005 && advice.error < 0.05);
                CHECK(law(advice.workers, 500, 0.05, 0.002) > 0.97 * law(22, 500, 0.05, 0.002));
        }
}

TEST(noise_without_a_peak_is_amdahls_law_or_has_its_peak_far_out)
{
        for (uint64_t seed = 1; seed <= 100; seed++) {
                uint64_t state = seed;
                struct plait_advise_run runs[20];
                struct plait_advice advice;

                for (int k = 0; k < 20; k++) {
                        double n = 1 << k % 5;
                        runs[k] = (struct plait_advise_run){n, law(n, 10, 0.1, 0) * (1 + 0.03 * draw(&state))};
                }
                CHECK_INT(plait_advise(runs, 20, &advice), ==, 0);
                CHECK(near(advice.serial, 0.1, 0.04));
                CHECK(advice.peak > 16);
        }
}

TEST(amdahl_alone_advises_nine_tenths_of_what_can_be_had)
{
        struct plait_advise_run runs[] = {{1, law(1, 9, 0.25, 0)}, {2, law(2, 9, 0.25, 0)}, {8, law(8, 9, 0.25, 0)}};
        struct plait_advice advice;

        CHECK_INT(plait_advise(runs, 3, &advice), ==, 0);
        CHECK(near(advice.serial, 0.25, 1e-6) && isinf(advice.peak));
        CHECK_UINT(advice.workers, ==, 27);
        CHECK(near(advice.speedup, 3.6, 1e-3)); /* of at most 4 */
        CHECK(advice.extrapolated);
}

TEST(perfect_scaling_speaks_against_no_number)
{
        struct plait_advise_run runs[] = {{1, 10}, {2, 20}, {4, 40}, {8, 80}};
        struct plait_advice advice;

        CHECK_INT(plait_advise(runs, 4, &advice), ==, 0);
        CHECK_UINT(advice.workers, ==, 0);
        CHECK(isinf(advice.peak) && near(advice.speedup, 8, 1e-6) && near(advice.serial, 0, 1e-6));
}

TEST(better_than_perfect_is_taken_for_perfect)
{
        struct plait_advise_run runs[] = {{1, 10}, {2, 21}, {4, 45}};
        struct plait_advice advice;

        CHECK_INT(plait_advise(runs, 3, &advice), ==, 0);
        CHECK(advice.serial >= 0 && advice.coherence >= 0 && advice.error < 0.1);
        CHECK_UINT(advice.workers, ==, 0);
}

TEST(two_numbers_give_the_serial_fraction_alone)
{
        struct plait_advise_run runs[] = {{2, law(2, 5, 0.2, 0)}, {6, law(6, 5, 0.2, 0)}, {2, law(2, 5, 0.2, 0)}};
        struct plait_advice advice;

        CHECK_INT(plait_advise(runs, 3, &advice), ==, 0);
        CHECK(near(advice.serial, 0.2, 1e-6) && near(advice.one_per_s, 5, 1e-6));
        CHECK(advice.coherence <= 0 && isinf(advice.peak));
}

TEST(more_workers_that_do_less_are_advised_against)
{
        struct plait_advise_run runs[] = {{1, 100}, {2, 90}, {4, 70}};
        struct plait_advice advice;

        CHECK_INT(plait_advise(runs, 3, &advice), ==, 0);
        CHECK_UINT(advice.workers, ==, 1);
}

TEST(runs_that_tell_nothing_are_refused)
{
        struct plait_advise_run same[] = {{4, 10}, {4, 11}, {4, 12}};
        struct plait_advise_run bad[] = {{4, 10}, {2, 0}};
        struct plait_advise_run less[] = {{4, 10}, {0, 5}};
        struct plait_advise_run nan[] = {{4, 10}, {8, NAN}};
        struct plait_advice advice = {.workers = 77};

        CHECK_INT(plait_advise(same, 3, &advice), ==, -ENODATA);
        CHECK_INT(plait_advise(same, 1, &advice), ==, -EINVAL);
        CHECK_INT(plait_advise(bad, 2, &advice), ==, -EINVAL);
        CHECK_INT(plait_advise(less, 2, &advice), ==, -EINVAL);
        CHECK_INT(plait_advise(nan, 2, &advice), ==, -EINVAL);
        CHECK_INT(plait_advise(NULL, 2, &advice), ==, -EINVAL);
        CHECK_UINT(advice.workers, ==, 77);
}

TEST(littles_law_is_rate_times_time)
{
        CHECK_UINT(plait_advise_in_flight(2000, 0.05), ==, 100);
        CHECK_UINT(plait_advise_in_flight(10, 0.101), ==, 2);
        CHECK_UINT(plait_advise_in_flight(0, 5), ==, 1);
        CHECK_UINT(plait_advise_in_flight(1e30, 5), ==, UINT32_MAX);
}
