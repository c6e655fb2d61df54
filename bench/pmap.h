/* The functions that the pmap benchmarks map: squares, inverse, fine. What they are is in README.md. */
#ifndef BENCH_PMAP_H
#define BENCH_PMAP_H

#include <math.h>
#include <string.h>

#include "bench.h"

/* The sum of v * v for v < limit; the barrier keeps the compiler from finding the closed form. */
static inline uint64_t squares(uint64_t limit)
{
        uint64_t sum = 0;

        for (uint64_t v = 0; v < limit; v++) {
                sum += v * v;
                __asm__ volatile("" : "+r"(sum));
        }
        return sum;
}

static inline uint64_t xorshift(uint64_t x, uint64_t rounds)
{
        while (rounds--) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
        }
        return x;
}

/* Matrix *number*: random entries from 0 to 1, and n more on the diagonal, so that it has an inverse. */
static inline void fill(double *a, size_t n, uint64_t number)
{
        uint64_t x = number + 1;

        for (size_t i = 0; i < n * n; i++) {
                x = xorshift(x, 1);
                a[i] = (double)(x >> 11) * 0x1p-53 + (i % (n + 1) == 0 ? (double)n : 0);
        }
}

static inline void swap_rows(double *a, size_t n, size_t r, size_t s)
{
        for (size_t j = 0; j < n && r != s; j++) {
                double t = a[r * n + j];

                a[r * n + j] = a[s * n + j];
                a[s * n + j] = t;
        }
}

static inline size_t pivot_row(const double *a, size_t n, size_t column)
{
        size_t best = column;

        for (size_t r = column + 1; r < n; r++)
                if (fabs(a[r * n + column]) > fabs(a[best * n + column]))
                        best = r;
        return best;
}

/* Gauss-Jordan with partial pivoting: *a* becomes the identity, *b* its inverse. */
static inline void invert(double *restrict a, double *restrict b, size_t n)
{
        memset(b, 0, n * n * sizeof *b);
        for (size_t i = 0; i < n; i++)
                b[i * n + i] = 1;
        for (size_t c = 0; c < n; c++) {
                size_t best = pivot_row(a, n, c);

                swap_rows(a, n, c, best);
                swap_rows(b, n, c, best);
                double scale = 1 / a[c * n + c];
                for (size_t j = 0; j < n; j++) {
                        a[c * n + j] *= scale;
                        b[c * n + j] *= scale;
                }
                for (size_t r = 0; r < n; r++) {
                        double factor = a[r * n + c];

                        if (r == c)
                                continue;
                        for (size_t j = 0; j < n; j++) {
                                a[r * n + j] -= factor * a[c * n + j];
                                b[r * n + j] -= factor * b[c * n + j];
                        }
                }
        }
}

/* How far *row* of a times b is from that of the identity. */
static inline double row_error(const double *a, const double *b, size_t n, size_t row)
{
        double worst = 0;

        for (size_t j = 0; j < n; j++) {
                double dot = row == j ? -1 : 0;

                for (size_t m = 0; m < n; m++)
                        dot += a[row * n + m] * b[m * n + j];
                worst = fmax(worst, fabs(dot));
        }
        return worst;
}

static inline uint64_t inverse(uint64_t number, size_t n)
{
        double *a = malloc(2 * n * n * sizeof *a);

        bench_must(a ? 0 : -ENOMEM, "matrix");
        double *b = a + n * n;
        fill(a, n, number);
        invert(a, b, n);
        fill(a, n, number);
        bool good = row_error(a, b, n, 0) < 1e-9 && row_error(a, b, n, n - 1) < 1e-9;
        free(a);
        return good;
}

#endif
