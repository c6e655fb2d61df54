/*
 * Inverts matrices of 100 x 100 with OpenBLAS in worker processes: first 8, which lie in an array that all share, then
 * 8,000 (or as many as the argument says), which come one after the other and are never all in memory. Each inverse is
 * multiplied with its matrix, and what that differs from the identity is told. See docs/guide/invert.md.
 */
#include <plait/plait.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of BLAS and LAPACK, both in OpenBLAS: matrices are column by column there, and neither an inverse nor its proof
 * minds. */
void dgemm_(const char *transpose_a, const char *transpose_b, const int *m, const int *n, const int *k,
            const double *alpha, const double *a, const int *lda, const double *b, const int *ldb, const double *beta,
            double *c, const int *ldc);
void dgetrf_(const int *m, const int *n, double *a, const int *lda, int *pivots, int *info);
void dgetri_(const int *n, double *a, const int *lda, const int *pivots, double *work, const int *lwork, int *info);

/* Of OpenBLAS itself. */
void openblas_set_num_threads(int threads);

enum { N = 100, FEW = 8, MANY = 8000 };

struct matrix {
        double at[N][N];
};

/* Matrix number *number*: numbers from 0 to 1, and N more on the diagonal, so that there is an inverse. */
static void make(struct matrix *matrix, unsigned number)
{
        uint64_t state = number;

        for (int i = 0; i < N; i++)
                for (int k = 0; k < N; k++) {
                        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                        matrix->at[i][k] = (double)(state >> 11) / (double)(UINT64_C(1) << 53) + (i == k ? N : 0);
                }
}

static int invert(struct matrix *matrix)
{
        static double work[N * N];
        const int n = N, work_size = N * N;
        int pivots[N], info;

        dgetrf_(&n, &n, &matrix->at[0][0], &n, pivots, &info);
        if (info == 0)
                dgetri_(&n, &matrix->at[0][0], &n, pivots, work, &work_size, &info);
        return info == 0 ? 0 : -EDOM;
}

/* How far *matrix* times *inverse* is from the identity, at its worst. */
static double error_of(const struct matrix *matrix, const struct matrix *inverse)
{
        static struct matrix product;
        const int n = N;
        const double one = 1, none = 0;
        double worst = 0;

        dgemm_("N", "N", &n, &n, &n, &one, &matrix->at[0][0], &n, &inverse->at[0][0], &n, &none, &product.at[0][0], &n);
        for (int i = 0; i < N; i++)
                for (int k = 0; k < N; k++)
                        worst = fmax(worst, fabs(product.at[i][k] - (i == k ? 1 : 0)));
        return worst;
}

/* --- few: in an array --- */

struct place {
        struct plait_array_handle matrices;
        unsigned index;
};

static int invert_there(void *arg, void *result)
{
        const struct place *place = arg;
        struct plait_array matrices = PLAIT_ARRAY_INIT;
        int r = plait_array_open(&place->matrices, &matrices);

        (void)result;
        if (r == 0)
                r = invert((struct matrix *)&plait_array_at(&matrices, double, place->index, 0, 0));
        plait_array_done(&matrices);
        return r;
}

static int invert_few(struct plait_executor *executor, struct matrix *matrices, const struct plait_array_handle *handle)
{
        struct place places[FEW];
        struct matrix original;
        double worst = 0;

        for (unsigned i = 0; i < FEW; i++) {
                make(&matrices[i], i);
                places[i] = (struct place){.matrices = *handle, .index = i};
        }
        int r = plait_executor_map(executor, invert_there, places, sizeof places[0], NULL, 0, FEW, NULL);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < FEW; i++) {
                make(&original, i);
                worst = fmax(worst, error_of(&original, &matrices[i]));
        }
        printf("%d matrices: %s\n", FEW, worst < 1e-9 ? "inverted" : "wrong");
        return 0;
}

/* --- many: one after the other --- */

struct progress {
        unsigned next, all, right;
};

static int next_number(void *context, void *item)
{
        struct progress *progress = context;

        if (progress->next == progress->all)
                return 0;
        *(unsigned *)item = progress->next++;
        return 1;
}

/* In a worker. The matrix is made where it is used: what need not travel does not. */
static int make_and_invert(void *arg, void *result)
{
        static struct matrix matrix, inverse;

        make(&matrix, *(const unsigned *)arg);
        inverse = matrix;
        int r = invert(&inverse);
        if (r == 0)
                *(double *)result = error_of(&matrix, &inverse);
        return r;
}

static int take(void *context, void *item, const struct plait_job_end *end)
{
        struct progress *progress = context;

        (void)item;
        if (end->result < 0)
                return end->result;
        progress->right += *(const double *)end->data < 1e-9;
        return 0;
}

static int invert_many(struct plait_executor *executor, unsigned n)
{
        struct progress progress = {.all = n};
        const struct plait_executor_flow flow = {.next = next_number,
                                                 .fn = make_and_invert,
                                                 .done = take,
                                                 .context = &progress,
                                                 .arg_bytes = sizeof(unsigned),
                                                 .result_bytes = sizeof(double)};
        int r = plait_executor_stream(executor, &flow, NULL);

        if (r == 0)
                printf("%u matrices: %s\n", n, progress.right == n ? "inverted" : "wrong");
        return r;
}

/* In each worker. The processes are the threads; and the program itself does not need any. */
static int use_one_thread(void *arg)
{
        (void)arg;
        openblas_set_num_threads(1);
        return 0;
}

int main(int argc, char **argv)
{
        const unsigned many = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : MANY;
        struct plait_array array = PLAIT_ARRAY_INIT;
        struct plait_executor_opts opts = {.size = sizeof opts, .initializer = use_one_thread};
        struct plait_array_handle handle;
        struct plait_executor *executor;

        use_one_thread(NULL);
        int r = plait_array_init(&array, PLAIT_ARRAY_F64, 3, (const size_t[]){FEW, N, N}, NULL);
        if (r == 0)
                r = plait_array_share(&array, &handle);
        if (r == 0)
                r = plait_executor_processes(&opts, &executor);
        if (r == 0) {
                r = invert_few(executor, array.data, &handle);
                if (r == 0)
                        r = invert_many(executor, many);
                plait_executor_free(executor);
        }
        plait_array_done(&array);
        if (r < 0)
                fprintf(stderr, "invert: %s\n", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
