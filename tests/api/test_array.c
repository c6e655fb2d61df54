/* Arrays: shapes, views, elements, and one memory in several processes, whatever becomes of them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <plait/plait.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/test.h"

static struct plait_array new_array(enum plait_array_type type, unsigned dims, const size_t *shape)
{
        struct plait_array array = PLAIT_ARRAY_INIT;

        CHECK_OK(plait_array_init(&array, type, dims, shape, NULL));
        return array;
}

/* A matrix of doubles whose element (i, k) is 100 i + k. */
static struct plait_array new_matrix(size_t rows, size_t columns)
{
        struct plait_array matrix = new_array(PLAIT_ARRAY_F64, 2, (const size_t[]){rows, columns});

        for (size_t i = 0; i < rows; i++)
                for (size_t k = 0; k < columns; k++)
                        plait_array_at(&matrix, double, i, k) = (double)(100 * i + k);
        return matrix;
}

static int as_int(double value)
{
        return (int)value;
}

/* --- one process --- */

TEST(array_is_zeroed_and_its_rows_are_contiguous)
{
        struct plait_array array = new_array(PLAIT_ARRAY_I32, 3, (const size_t[]){4, 5, 6});

        CHECK_UINT(array.dims, ==, 3);
        CHECK_INT(array.strides[0], ==, 30);
        CHECK_INT(array.strides[1], ==, 6);
        CHECK_INT(array.strides[2], ==, 1);
        CHECK_UINT(plait_array_count(&array), ==, 120);
        CHECK(plait_array_is_contiguous(&array));
        const int *plain = array.data;

        for (int i = 0; i < 120; i++)
                CHECK_INT(plain[i], ==, 0);
        plait_array_at(&array, int, 3, 4, 5) = 7;
        CHECK_INT(plain[119], ==, 7);
        plait_array_done(&array);
        CHECK_UINT(array.dims, ==, 0);
        plait_array_done(&array);
}

TEST(array_has_every_type)
{
        static const struct {
                enum plait_array_type type;
                size_t bytes;
        } types[] = {{PLAIT_ARRAY_TYPE_OF(int8_t), 1},   {PLAIT_ARRAY_TYPE_OF(int16_t), 2},
                     {PLAIT_ARRAY_TYPE_OF(int32_t), 4},  {PLAIT_ARRAY_TYPE_OF(int64_t), 8},
                     {PLAIT_ARRAY_TYPE_OF(uint8_t), 1},  {PLAIT_ARRAY_TYPE_OF(uint16_t), 2},
                     {PLAIT_ARRAY_TYPE_OF(uint32_t), 4}, {PLAIT_ARRAY_TYPE_OF(uint64_t), 8},
                     {PLAIT_ARRAY_TYPE_OF(float), 4},    {PLAIT_ARRAY_TYPE_OF(double), 8}};
        unsigned seen[256] = {0};

        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
                struct plait_array array = new_array(types[i].type, 1, (const size_t[]){3});
                const size_t last = 2;

                CHECK_UINT(seen[types[i].type]++, ==, 0);
                char *element = plait_array_element(&array, types[i].type, 1, &last);
                CHECK_INT(element - (char *)array.data, ==, 2 * types[i].bytes);
                plait_array_done(&array);
        }
}

TEST(array_of_eight_dimensions)
{
        struct plait_array array = new_array(PLAIT_ARRAY_U8, 8, (const size_t[]){2, 2, 2, 2, 2, 2, 2, 2});

        plait_array_at(&array, uint8_t, 1, 0, 1, 0, 1, 0, 1, 1) = 9;
        CHECK_INT(((uint8_t *)array.data)[0xab], ==, 9);
        plait_array_done(&array);
}

TEST(array_refuses_what_makes_no_sense)
{
        struct plait_array array = {.dims = 77};
        const size_t huge[] = {SIZE_MAX / 4, 16}, large[] = {(size_t)1 << 59}, some[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
        struct plait_array_opts opts = {.size = sizeof opts, .flags = 2};
        char name[300];

        CHECK_INT(plait_array_init(&array, PLAIT_ARRAY_F64, 0, some, NULL), ==, -EINVAL);
        CHECK_INT(plait_array_init(&array, PLAIT_ARRAY_F64, 9, some, NULL), ==, -EINVAL);
        CHECK_INT(plait_array_init(&array, (enum plait_array_type)0x21, 1, some, NULL), ==, -EINVAL);
        CHECK_INT(plait_array_init(&array, PLAIT_ARRAY_F64, 2, huge, NULL), ==, -EOVERFLOW);
        CHECK_INT(plait_array_init(&array, PLAIT_ARRAY_F64, 1, large, NULL), ==, -ENOMEM);
        CHECK_INT(plait_array_init(&array, PLAIT_ARRAY_F64, 1, some, &opts), ==, -EINVAL);
        opts = (struct plait_array_opts){.size = sizeof opts, .name = name};
        memset(name, 'a', sizeof name - 1);
        name[sizeof name - 1] = '\0';
        CHECK_INT(plait_array_init(&array, PLAIT_ARRAY_F64, 1, some, &opts), ==, -EINVAL);
        opts = (struct plait_array_opts){.size = 1};
        CHECK_INT(plait_array_init(&array, PLAIT_ARRAY_F64, 1, some, &opts), ==, -EINVAL);
        CHECK_INT(plait_array_wrap(&array, PLAIT_ARRAY_F64, 1, some, NULL, NULL), ==, -EINVAL);
        CHECK_INT(plait_array_wrap(&array, PLAIT_ARRAY_F64, 2, huge, NULL, name), ==, -EOVERFLOW);
        CHECK_UINT(array.dims, ==, 77); /* untouched by failures */
}

TEST(array_without_descriptors_is_refused)
{
        struct rlimit limit;
        struct plait_array array = {.dims = 77};

        CHECK_SYS(getrlimit(RLIMIT_NOFILE, &limit));
        limit.rlim_cur = 0;
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &limit));
        CHECK_INT(plait_array_init(&array, PLAIT_ARRAY_U8, 1, (const size_t[]){1}, NULL), ==, -EMFILE);
        CHECK_UINT(array.dims, ==, 77);
        limit.rlim_cur = limit.rlim_max;
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &limit));
}

TEST(array_may_be_empty)
{
        struct plait_array array = new_array(PLAIT_ARRAY_F32, 2, (const size_t[]){0, 5}), same = PLAIT_ARRAY_INIT;
        struct plait_array_handle handle;

        CHECK_UINT(plait_array_count(&array), ==, 0);
        CHECK_OK(plait_array_share(&array, &handle));
        CHECK_OK(plait_array_open(&handle, &same));
        CHECK_OK(plait_array_copy(&same, &array));
        plait_array_done(&same);
        plait_array_done(&array);
}

TEST(array_larger_than_the_machine_is_not_reserved)
{
        struct plait_array_opts opts = {.size = sizeof opts, .flags = PLAIT_ARRAY_RESERVE};
        struct plait_array array;

        CHECK_INT(plait_array_init(&array, PLAIT_ARRAY_U8, 1, (const size_t[]){(size_t)1 << 45}, &opts), ==, -ENOMEM);
}

TEST(array_reserved_has_its_memory)
{
        struct plait_array_opts opts = {.size = sizeof opts, .flags = PLAIT_ARRAY_RESERVE, .name = "reserved"};
        struct plait_array array;
        struct stat stat;
        char path[64], target[64] = "";

        CHECK_OK(plait_array_init(&array, PLAIT_ARRAY_U8, 1, (const size_t[]){1 << 20}, &opts));
        CHECK_SYS(fstat(plait_array_fd(&array), &stat));
        CHECK_INT(stat.st_size, ==, 1 << 20);
        CHECK_INT(stat.st_blocks, ==, (1 << 20) / 512);
        snprintf(path, sizeof path, "/proc/self/fd/%d", plait_array_fd(&array));
        CHECK_SYS(readlink(path, target, sizeof target - 1));
        CHECK_STR(target, "/memfd:reserved (deleted)");
        plait_array_done(&array);
}

TEST(array_cannot_change_its_size)
{
        struct plait_array array = new_array(PLAIT_ARRAY_U8, 1, (const size_t[]){100});

        CHECK_INT(ftruncate(plait_array_fd(&array), 0), ==, -1); /* an access would end in SIGBUS */
        CHECK_INT(errno, ==, EPERM);
        plait_array_done(&array);
}

/* --- parts --- */

TEST(array_view_of_a_row_and_of_a_column)
{
        struct plait_array matrix = new_matrix(3, 4), row = PLAIT_ARRAY_INIT, column = PLAIT_ARRAY_INIT;

        CHECK_OK(plait_array_pick(&matrix, 0, 2, &row));
        CHECK_OK(plait_array_pick(&matrix, 1, 1, &column));
        plait_array_done(&matrix); /* the views keep the memory */
        CHECK_UINT(row.dims, ==, 1);
        CHECK_UINT(row.shape[0], ==, 4);
        CHECK_INT(as_int(plait_array_at(&row, double, 3)), ==, 203);
        CHECK(plait_array_is_contiguous(&row));
        CHECK_UINT(column.shape[0], ==, 3);
        CHECK_INT(as_int(plait_array_at(&column, double, 2)), ==, 201);
        CHECK(!plait_array_is_contiguous(&column));
        plait_array_at(&column, double, 2) = -1;
        CHECK_INT(as_int(plait_array_at(&row, double, 1)), ==, -1);
        CHECK_INT(plait_array_pick(&row, 0, 0, &column), ==, -EINVAL); /* its only dimension */
        plait_array_done(&row);
        plait_array_done(&column);
}

TEST(array_slices_with_steps_of_both_signs)
{
        struct plait_array matrix = new_matrix(10, 3), part = PLAIT_ARRAY_INIT;

        CHECK_OK(plait_array_slice(&matrix, 0, 1, 4, 2, &part)); /* rows 1, 3, 5, 7 */
        CHECK_INT(as_int(plait_array_at(&part, double, 3, 1)), ==, 701);
        CHECK_OK(plait_array_slice(&part, 0, 3, 4, -1, &part)); /* and backwards, in place */
        CHECK_INT(as_int(plait_array_at(&part, double, 0, 0)), ==, 700);
        CHECK_INT(as_int(plait_array_at(&part, double, 3, 2)), ==, 102);
        CHECK_INT(part.strides[0], ==, -6);
        CHECK_INT(plait_array_slice(&matrix, 0, 0, 11, 1, &part), ==, -ERANGE);
        CHECK_INT(plait_array_slice(&matrix, 0, 10, 1, 1, &part), ==, -ERANGE);
        CHECK_INT(plait_array_slice(&matrix, 0, 1, 3, -1, &part), ==, -ERANGE);
        CHECK_INT(plait_array_slice(&matrix, 0, 5, 3, PTRDIFF_MAX, &part), ==, -ERANGE);
        CHECK_INT(plait_array_slice(&matrix, 0, 0, 1, 0, &part), ==, -EINVAL);
        CHECK_INT(plait_array_slice(&matrix, 2, 0, 1, 1, &part), ==, -EINVAL);
        CHECK_INT(as_int(plait_array_at(&part, double, 3, 2)), ==, 102);
        plait_array_done(&part);
        CHECK_OK(plait_array_slice(&matrix, 0, 10, 0, 1, &part));
        CHECK_UINT(plait_array_count(&part), ==, 0);
        plait_array_done(&part);
        plait_array_done(&matrix);
}

TEST(array_transposed_and_permuted)
{
        struct plait_array matrix = new_matrix(2, 3), turned = PLAIT_ARRAY_INIT;
        struct plait_array cube = new_array(PLAIT_ARRAY_I16, 3, (const size_t[]){2, 3, 4});

        CHECK_OK(plait_array_transpose(&matrix, NULL, &turned));
        CHECK_UINT(turned.shape[0], ==, 3);
        CHECK_INT(as_int(plait_array_at(&turned, double, 2, 1)), ==, 102);
        plait_array_done(&turned);
        plait_array_at(&cube, int16_t, 1, 2, 3) = 5;
        CHECK_OK(plait_array_transpose(&cube, (const unsigned[]){1, 2, 0}, &turned));
        CHECK_INT(plait_array_at(&turned, int16_t, 2, 3, 1), ==, 5);
        CHECK_INT(plait_array_transpose(&cube, (const unsigned[]){1, 1, 0}, &turned), ==, -EINVAL);
        CHECK_INT(plait_array_transpose(&cube, (const unsigned[]){1, 3, 0}, &turned), ==, -EINVAL);
        plait_array_done(&turned);
        plait_array_done(&cube);
        plait_array_done(&matrix);
}

TEST(array_in_another_shape)
{
        struct plait_array matrix = new_matrix(4, 6), other = PLAIT_ARRAY_INIT, column = PLAIT_ARRAY_INIT;

        CHECK_OK(plait_array_reshape(&matrix, 3, (const size_t[]){2, 2, 6}, &other));
        CHECK_INT(as_int(plait_array_at(&other, double, 1, 0, 5)), ==, 205);
        CHECK_INT(plait_array_reshape(&matrix, 1, (const size_t[]){23}, &other), ==, -EINVAL);
        CHECK_OK(plait_array_slice(&matrix, 1, 0, 2, 1, &column));
        CHECK_INT(plait_array_reshape(&column, 1, (const size_t[]){8}, &other), ==, -EINVAL);
        plait_array_done(&other);
        plait_array_done(&column);
        plait_array_done(&matrix);
}

TEST(array_copies_between_views_and_ordinary_memory)
{
        struct plait_array matrix = new_matrix(3, 4), turned = PLAIT_ARRAY_INIT, mine = PLAIT_ARRAY_INIT;
        double plain[4][3];

        CHECK_OK(plait_array_wrap(&mine, PLAIT_ARRAY_F64, 2, (const size_t[]){4, 3}, NULL, plain));
        CHECK_OK(plait_array_transpose(&matrix, NULL, &turned));
        CHECK_OK(plait_array_copy(&mine, &turned));
        for (int i = 0; i < 4; i++)
                for (int k = 0; k < 3; k++)
                        CHECK_INT(as_int(plain[i][k]), ==, 100 * k + i);
        plain[3][2] = -7;
        CHECK_OK(plait_array_copy(&turned, &mine));
        CHECK_INT(as_int(plait_array_at(&matrix, double, 2, 3)), ==, -7);
        CHECK_INT(plait_array_copy(&mine, &matrix), ==, -EINVAL); /* 4 x 3 and 3 x 4 */
        CHECK_INT(plait_array_share(&mine, &(struct plait_array_handle){0}), ==, -EINVAL);
        CHECK_INT(plait_array_fd(&mine), ==, -EINVAL);
        plait_array_done(&mine);
        plait_array_done(&turned);
        plait_array_done(&matrix);
}

/* --- elements --- */

TEST(array_index_out_of_range_is_named, .signal = SIGABRT,
     .stderr_match = "index 4 is out of range: dimension 1 of the array has 4 elements")
{
        struct plait_array matrix = new_matrix(3, 4);

        plait_array_at(&matrix, double, 2, 4) = 0;
}

TEST(array_negative_index_is_named, .signal = SIGABRT, .stderr_match = "index -1 is out of range: dimension 0")
{
        struct plait_array matrix = new_matrix(3, 4);
        int i = -1;

        plait_array_at(&matrix, double, i, 0) = 0;
}

TEST(array_of_another_type_is_named, .signal = SIGABRT, .stderr_match = "array of f64 was used as one of i64")
{
        struct plait_array matrix = new_matrix(3, 4);

        plait_array_at(&matrix, int64_t, 0, 0) = 0;
}

TEST(array_with_too_few_indices_is_named, .signal = SIGABRT, .stderr_match = "2 dimensions was given 1 indices")
{
        struct plait_array matrix = new_matrix(3, 4);

        plait_array_at(&matrix, double, 0) = 0;
}

/* --- several processes --- */

static int status_of(pid_t child)
{
        int status;

        CHECK_SYS(child);
        CHECK_INT(waitpid(child, &status, 0), ==, child);
        return status;
}

static void end(int code)
{
        fflush(NULL);
        _exit(code);
}

/* The child of a fork has a table of its own, with its parent's memory in it: to open anew, let go of all first. */
TEST(array_of_another_process_is_the_same_memory)
{
        struct plait_array matrix = new_matrix(3, 4), turned = PLAIT_ARRAY_INIT;
        struct plait_array_handle handle;

        CHECK_OK(plait_array_transpose(&matrix, NULL, &turned));
        CHECK_OK(plait_array_share(&turned, &handle));
        pid_t child = fork();
        if (child == 0) {
                struct plait_array other = PLAIT_ARRAY_INIT;

                plait_array_done(&matrix);
                plait_array_done(&turned);
                CHECK_OK(plait_array_open(&handle, &other));
                CHECK_UINT(other.shape[0], ==, 4);
                CHECK_INT(as_int(plait_array_at(&other, double, 3, 2)), ==, 203);
                plait_array_at(&other, double, 3, 2) = 1;
                plait_array_done(&other);
                end(0);
        }
        CHECK_INT(status_of(child), ==, 0);
        CHECK_INT(as_int(plait_array_at(&matrix, double, 2, 3)), ==, 1);
        plait_array_done(&turned);
        plait_array_done(&matrix);
}

TEST(array_opened_where_it_is_needs_nothing)
{
        struct plait_array array = new_array(PLAIT_ARRAY_U8, 1, (const size_t[]){5}), same = PLAIT_ARRAY_INIT;
        struct plait_array_handle handle;

        CHECK_OK(plait_array_share(&array, &handle));
        CHECK_OK(plait_array_open(&handle, &same));
        CHECK_PTR(same.data, ==, array.data);
        CHECK_INT(plait_array_fd(&same), ==, plait_array_fd(&array));
        plait_array_done(&array);
        plait_array_at(&same, uint8_t, 4) = 1;
        plait_array_done(&same);
        CHECK_INT(plait_array_open(&handle, &same), ==, -ENOENT); /* it has been given back */
}

/* Says so through *wfd*, then waits to be killed. */
static void hold(const struct plait_array_handle *handle, int wfd)
{
        CHECK_INT(write(wfd, handle, sizeof *handle), ==, sizeof *handle);
        for (;;)
                pause();
}

TEST(array_outlives_the_process_that_made_it)
{
        struct plait_array array = PLAIT_ARRAY_INIT, late = PLAIT_ARRAY_INIT;
        struct plait_array_handle handle;
        int fds[2];

        CHECK_SYS(pipe2(fds, O_CLOEXEC));
        pid_t child = fork();
        if (child == 0) {
                array = new_matrix(3, 4);
                CHECK_OK(plait_array_share(&array, &handle));
                hold(&handle, fds[1]);
        }
        CHECK_SYS(child);
        CHECK_INT(read(fds[0], &handle, sizeof handle), ==, sizeof handle);
        CHECK_OK(plait_array_open(&handle, &array));
        CHECK_SYS(kill(child, SIGKILL));
        status_of(child);
        CHECK_INT(as_int(plait_array_at(&array, double, 2, 3)), ==, 203);
        CHECK_OK(plait_array_open(&handle, &late)); /* this process has it */
        plait_array_done(&late);
        plait_array_done(&array);
        CHECK_INT(plait_array_open(&handle, &late), ==, -ENOENT); /* now nobody has */
        close(fds[0]);
        close(fds[1]);
}

static long shared_kib(void)
{
        FILE *file = fopen("/proc/meminfo", "re");
        char line[128];
        long kib = -1;

        CHECK(file);
        while (fgets(line, sizeof line, file))
                if (sscanf(line, "Shmem: %ld", &kib) == 1)
                        break;
        fclose(file);
        return kib;
}

/* All that use it are killed: the system has the memory back. */
static void let_all_be_killed(size_t bytes)
{
        struct plait_array_opts opts = {.size = sizeof opts, .flags = PLAIT_ARRAY_RESERVE};
        struct plait_array_handle handle;
        pid_t children[3];
        int fds[2];

        CHECK_SYS(pipe2(fds, O_CLOEXEC));
        for (int i = 0; i < 3; i++) {
                children[i] = fork();
                if (children[i] == 0) {
                        struct plait_array array = PLAIT_ARRAY_INIT;

                        if (i == 0)
                                CHECK_OK(plait_array_init(&array, PLAIT_ARRAY_U8, 1, &bytes, &opts));
                        else
                                CHECK_OK(plait_array_open(&handle, &array));
                        CHECK_OK(plait_array_share(&array, &handle));
                        hold(&handle, fds[1]);
                }
                CHECK_SYS(children[i]);
                CHECK_INT(read(fds[0], &handle, sizeof handle), ==, sizeof handle);
        }
        for (int i = 0; i < 3; i++) {
                CHECK_SYS(kill(children[i], i % 2 ? SIGTERM : SIGKILL));
                status_of(children[i]);
        }
        CHECK_INT(plait_array_open(&handle, &(struct plait_array){0}), ==, -ENOENT);
        close(fds[0]);
        close(fds[1]);
}

/* Others use shared memory meanwhile, so there is much of it here, and half of that would be a leak. */
TEST(array_is_freed_with_its_last_user_even_after_crashes, .timeout_ms = 120000)
{
        enum { TIMES = 10, MIB = 64 };
        const long before = shared_kib();

        for (int i = 0; i < TIMES; i++)
                let_all_be_killed((size_t)MIB << 20);
        CHECK_INT(shared_kib() - before, <, TIMES * MIB * 1024 / 2);
}

TEST(array_handle_that_is_none_is_refused)
{
        struct plait_array array = new_array(PLAIT_ARRAY_F64, 2, (const size_t[]){10, 10}), other = {.dims = 77};
        struct plait_array_handle good, bad;

        CHECK_OK(plait_array_share(&array, &good));
        bad = (struct plait_array_handle){0};
        CHECK_INT(plait_array_open(&bad, &other), ==, -EINVAL);
        bad = good;
        bad.pl_shape[0] = 1000; /* beyond the memory */
        CHECK_INT(plait_array_open(&bad, &other), ==, -EINVAL);
        bad = good;
        bad.pl_strides[0] = -10; /* before it */
        CHECK_INT(plait_array_open(&bad, &other), ==, -EINVAL);
        bad = good;
        bad.pl_strides[0] = INT64_MAX;
        CHECK_INT(plait_array_open(&bad, &other), ==, -EINVAL);
        bad = good;
        bad.pl_offset = 3; /* not at an element */
        CHECK_INT(plait_array_open(&bad, &other), ==, -EINVAL);
        bad = good;
        bad.pl_bytes += 4096;
        CHECK_INT(plait_array_open(&bad, &other), ==, -EINVAL);
        bad = good;
        bad.pl_type = 3;
        CHECK_INT(plait_array_open(&bad, &other), ==, -EINVAL);
        bad = good;
        bad.pl_dims = 9;
        CHECK_INT(plait_array_open(&bad, &other), ==, -EINVAL);
        bad = good;
        bad.pl_fd = 1; /* something else's number */
        bad.pl_inode++;
        CHECK_INT(plait_array_open(&bad, &other), ==, -ENOENT);
        CHECK_UINT(other.dims, ==, 77);
        plait_array_done(&array);
}

/* A memfd with a size that may change could take pages away while they are used. */
TEST(array_in_unsealed_memory_is_refused)
{
        struct plait_array array = new_array(PLAIT_ARRAY_U8, 1, (const size_t[]){100});
        struct plait_array_handle handle;
        struct stat stat;
        int fd = CHECK_SYS(memfd_create("unsealed", MFD_CLOEXEC));

        CHECK_SYS(ftruncate(fd, 100));
        CHECK_SYS(fstat(fd, &stat));
        CHECK_OK(plait_array_share(&array, &handle));
        handle.pl_fd = fd;
        handle.pl_inode = stat.st_ino;
        handle.pl_device = stat.st_dev;
        CHECK_INT(plait_array_open(&handle, &(struct plait_array){0}), ==, -EINVAL);
        close(fd);
        plait_array_done(&array);
}
