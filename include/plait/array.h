/**
 * @file plait/array.h
 * Arrays of numbers in shared memory: one copy, seen by all processes that use it.
 *
 * An array has a type, a shape and strides, as in NumPy or Python's multiprocessing.Array. Its memory is anonymous: it
 * has no name in any folder and is no file. Another process (a worker of a process pool, a child by fork) gets a
 * *handle*, plain bytes that travel in a job's argument, and opens it: both then read and write the same memory, and
 * nothing is copied. The system frees the memory when the last process has let go of it, however that ended.
 *
 * Parts of an array (a row, every second column, the transpose) are arrays, too: views, which use the same memory. Each
 * array is given back with plait_array_done(), in any order.
 *
 * Nothing here makes accesses of several tasks or processes orderly. Let each write a part of its own, or use a lock
 * that works across processes (plait/shared_mutex.h).
 *
 * plait_array_at() checks type, number of indices and their ranges, and ends the program with a message when something
 * is wrong, unless it is compiled with NDEBUG, as assert() does.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 * #include <sys/wait.h>
 * #include <unistd.h>
 *
 * int main(void)
 * {
 *         struct plait_array table = PLAIT_ARRAY_INIT, same = PLAIT_ARRAY_INIT, column = PLAIT_ARRAY_INIT;
 *         struct plait_array_handle handle;
 *         int status;
 *
 *         int r = plait_array_init(&table, PLAIT_ARRAY_F64, 2, (const size_t[]){100, 3}, NULL); // all zero
 *         if (r == 0)
 *                 r = plait_array_share(&table, &handle);
 *         if (r < 0)
 *                 return 1;
 *         pid_t child = fork();
 *         if (child == 0) {
 *                 r = plait_array_open(&handle, &same);
 *                 if (r == 0)
 *                         plait_array_at(&same, double, 99, 2) = 2.5;
 *                 plait_array_done(&same);
 *                 _exit(r < 0);
 *         }
 *         assert(child > 0 && waitpid(child, &status, 0) == child && status == 0);
 *         assert(plait_array_at(&table, double, 99, 2) > 2.4);
 *
 *         r = plait_array_pick(&table, 1, 2, &column); // the last column: 100 elements, 3 apart
 *         assert(r == 0 && column.dims == 1 && column.strides[0] == 3);
 *         plait_array_done(&table);
 *         assert(plait_array_at(&column, double, 99) > 2.4); // it keeps the memory
 *         plait_array_done(&column);
 *         return 0;
 * }
 * @endcode
 */
#ifndef PLAIT_ARRAY_H
#define PLAIT_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <plait/base.h>
#include <plait/errno.h>

PLAIT_BEGIN_DECLS

/** The most dimensions that an array can have. */
#define PLAIT_ARRAY_DIMS 8

/** What an array's elements are. The last hexadecimal digit is an element's size in bytes. */
enum plait_array_type {
        PLAIT_ARRAY_I8 = 0x01,  /**< int8_t */
        PLAIT_ARRAY_I16 = 0x02, /**< int16_t */
        PLAIT_ARRAY_I32 = 0x04, /**< int32_t */
        PLAIT_ARRAY_I64 = 0x08, /**< int64_t */
        PLAIT_ARRAY_U8 = 0x11,  /**< uint8_t */
        PLAIT_ARRAY_U16 = 0x12, /**< uint16_t */
        PLAIT_ARRAY_U32 = 0x14, /**< uint32_t */
        PLAIT_ARRAY_U64 = 0x18, /**< uint64_t */
        PLAIT_ARRAY_F32 = 0x24, /**< float */
        PLAIT_ARRAY_F64 = 0x28, /**< double */
};

/** An array, or a part of one. The members are to be read only; copying the struct does not copy the array. */
struct plait_array {
        void *data;                          /**< the element whose indices are all 0 */
        enum plait_array_type type;          /**< of the elements */
        unsigned dims;                       /**< how many dimensions, 1 to #PLAIT_ARRAY_DIMS; 0: there is no array */
        size_t shape[PLAIT_ARRAY_DIMS];      /**< how many elements, in each of them */
        ptrdiff_t strides[PLAIT_ARRAY_DIMS]; /**< from one element to the next in each of them, in elements */
        /** @cond private */
        struct pl_pool_memory *pl_memory; /* NULL: the memory is somebody else's (plait_array_wrap()) */
        /** @endcond */
};

/** An array in another's words: bytes that can be copied to another process. */
struct plait_array_handle {
        /** @cond private */
        int32_t pl_pid;
        int32_t pl_fd;
        uint64_t pl_device;
        uint64_t pl_inode;
        uint64_t pl_bytes;
        uint64_t pl_offset;
        uint32_t pl_type;
        uint32_t pl_dims;
        uint64_t pl_shape[PLAIT_ARRAY_DIMS];
        int64_t pl_strides[PLAIT_ARRAY_DIMS];
        /** @endcond */
};

/* clang-format off */
/** No array; plait_array_done() may be called with it. */
#define PLAIT_ARRAY_INIT {0}
/* clang-format on */

/** For plait_array_opts.flags: all of the memory is set aside now, so that a lack of it is -ENOMEM here and not a
 * signal (SIGBUS) at the first access. */
#define PLAIT_ARRAY_RESERVE 1U

/** How to make an array. Zero means the default in every member but *size*. */
struct plait_array_opts {
        size_t size;      /**< sizeof(struct plait_array_opts) */
        unsigned flags;   /**< #PLAIT_ARRAY_RESERVE */
        const char *name; /**< what /proc/PID/maps calls it, up to 200 bytes; default: "plait-array" */
};

/**
 * Make an array of zeroes.
 * @param ret    where; what was there is not given back. One who passes on is plait_array_done()'s.
 * @param type   of the elements
 * @param dims   1 to #PLAIT_ARRAY_DIMS
 * @param shape  *dims* numbers; of 0 elements if one of them is 0
 * @param opts   NULL for the defaults
 * @return 0, or
 *   - -EINVAL     *type*, *dims* or an option is out of its range
 *   - -EOVERFLOW  no memory is that large
 *   - -ENOMEM     there is not enough memory
 *   - -EMFILE, -ENFILE  no descriptor is left; an array needs one
 *
 * The rows are contiguous (C's order): strides[dims - 1] is 1. Memory is taken when it is first written to, in pages.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_array_init(struct plait_array *ret, enum plait_array_type type, unsigned dims,
                                                const size_t shape[], const struct plait_array_opts *opts);

/**
 * Give an array back. The memory is freed with the last array, in any process, that uses it.
 * @param array  becomes #PLAIT_ARRAY_INIT; that itself does nothing
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_array_done(struct plait_array *array);

/**
 * Look at memory of one's own as an array, to copy from or to one. It cannot be shared, and must outlive its views.
 * @param ret      where
 * @param type     of the elements
 * @param dims     1 to #PLAIT_ARRAY_DIMS
 * @param shape    *dims* numbers
 * @param strides  *dims* numbers, in elements; NULL: the rows are contiguous
 * @param data     the element whose indices are all 0
 * @return 0, or
 *   - -EINVAL     *type* or *dims* is out of its range, or *data* is NULL
 *   - -EOVERFLOW  no memory is that large
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_array_wrap(struct plait_array *ret, enum plait_array_type type, unsigned dims,
                                                const size_t shape[], const ptrdiff_t strides[], void *data);

/* --- other processes --- */

/**
 * Put an array, or a view, into words for another process.
 * @param array  which; the handle is good as long as this process has an array with this memory, and this process may
 * be looked at by its own user (see PR_SET_DUMPABLE in prctl(2))
 * @param ret    plain bytes, to be copied as one likes
 * @return 0, or
 *   - -EINVAL  there is no array, or its memory is that of plait_array_wrap()
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_array_share(const struct plait_array *array, struct plait_array_handle *ret);

/**
 * Use an array of another process, or of this one. What it was shared from may be given back afterwards, and its
 * process may end.
 * @param handle  from plait_array_share()
 * @param ret     where
 * @return 0, or
 *   - -ENOENT     that process has ended, or has given the array back
 *   - -EACCES     that process is another user's, or is not to be looked at
 *   - -EINVAL     these bytes are no handle
 *   - -ENOMEM, -EMFILE, -ENFILE  no memory or descriptor is left
 *
 * However often the same memory is opened in a process, it is there once.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_array_open(const struct plait_array_handle *handle, struct plait_array *ret);

/**
 * The descriptor of an array's memory, to write it to a file (sendfile(2)) or to pass it on by other ways.
 * @param array  which
 * @return the descriptor, borrowed: it is the array's; or
 *   - -EINVAL  there is no array, or its memory is that of plait_array_wrap()
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_array_fd(const struct plait_array *array);

/* --- parts --- */

/**
 * A part of an array: of one dimension, some of the indices.
 * @param array  which
 * @param dim    the dimension, below *array*->dims
 * @param first  the first index
 * @param count  how many
 * @param step   from one to the next; may be negative, not 0
 * @param ret    the view, with as many dimensions; may be *array* itself, which is then narrowed
 * @return 0, or
 *   - -EINVAL  there is no such dimension, or *step* is 0
 *   - -ERANGE  an index is out of range
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_array_slice(const struct plait_array *array, unsigned dim, size_t first,
                                                 size_t count, ptrdiff_t step, struct plait_array *ret);

/**
 * A part of an array: of one dimension, one index; that dimension is gone then. The row of a matrix is
 * `plait_array_pick(&matrix, 0, i, &row)`.
 * @param array  which, of two dimensions or more
 * @param dim    the dimension, below *array*->dims
 * @param index  which
 * @param ret    the view; may be *array* itself
 * @return 0, or
 *   - -EINVAL  there is no such dimension, or it is the only one
 *   - -ERANGE  the index is out of range
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_array_pick(const struct plait_array *array, unsigned dim, size_t index,
                                                struct plait_array *ret);

/**
 * An array with its dimensions in another order.
 * @param array  which
 * @param order  *array*->dims numbers, each dimension once; NULL: the other way round, as a matrix is transposed
 * @param ret    the view; may be *array* itself
 * @return 0, or
 *   - -EINVAL  *order* is none
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_array_transpose(const struct plait_array *array, const unsigned order[],
                                                     struct plait_array *ret);

/**
 * The elements of an array in another shape, in the same order.
 * @param array  contiguous
 * @param dims   1 to #PLAIT_ARRAY_DIMS
 * @param shape  *dims* numbers, of as many elements in all
 * @param ret    the view; may be *array* itself
 * @return 0, or
 *   - -EINVAL  the shape is of another number of elements, *dims* is out of range, or *array* is not contiguous
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_array_reshape(const struct plait_array *array, unsigned dims, const size_t shape[],
                                                   struct plait_array *ret);

/**
 * Copy all elements of one array to another; both may be views.
 * @param to    of the same type and shape as *from*, and not in the same memory, unless it is the same part of it
 * @param from  which
 * @return 0, or
 *   - -EINVAL  they are not alike
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_array_copy(const struct plait_array *to, const struct plait_array *from);

/* --- elements --- */

/**
 * How many elements an array has.
 * @param array  which
 * @return the product of its shape; 0: there is no array
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API size_t plait_array_count(const struct plait_array *array);

/**
 * Whether the elements follow each other without a gap, from the first to the last, the last index running fastest.
 * @param array  which
 * @return true: *data* can be used as a plain C array of plait_array_count() elements
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API bool plait_array_is_contiguous(const struct plait_array *array);

/** @cond private */
PLAIT_API void plait_array_misused(const struct plait_array *array, unsigned type, unsigned dims, const size_t *index)
        __attribute__((cold, noreturn));
/** @endcond */

/**
 * The address of an element. plait_array_at() is handier in C; this is for C++ and for indices that are in an array.
 * @param array  which
 * @param type   what the caller takes the elements for
 * @param dims   how many indices there are
 * @param index  the indices
 * @return the address. Unless NDEBUG is defined, a wrong type, number or index ends the program with a message.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
static inline void *plait_array_element(const struct plait_array *array, enum plait_array_type type, unsigned dims,
                                        const size_t *index)
{
        ptrdiff_t offset = 0;

#ifndef NDEBUG
        if (__builtin_expect(array->type != type || array->dims != dims, 0))
                plait_array_misused(array, type, dims, index);
#endif
        for (unsigned dim = 0; dim < dims; dim++) {
#ifndef NDEBUG
                if (__builtin_expect(index[dim] >= array->shape[dim], 0))
                        plait_array_misused(array, type, dims, index);
#endif
                offset += (ptrdiff_t)index[dim] * array->strides[dim];
        }
        return (char *)array->data + offset * (ptrdiff_t)((unsigned)type & 15U);
}

/**
 * An element, to be read or assigned to: `plait_array_at(&matrix, double, i, k) = 1`.
 * @param array   which
 * @param c_type  the C type of its elements
 * @param ...     as many indices as it has dimensions. Unless NDEBUG is defined, a wrong type, number or index ends the
 *                program with a message.
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
#define plait_array_at(array, c_type, ...)                                                               \
        (*(c_type *)plait_array_element(                                                                 \
                (array), PLAIT_ARRAY_TYPE_OF(c_type),                                                    \
                (unsigned)(sizeof((const size_t[]){PLAIT_ARRAY_INDICES(__VA_ARGS__)}) / sizeof(size_t)), \
                (const size_t[]){PLAIT_ARRAY_INDICES(__VA_ARGS__)}))

/** The enum plait_array_type of a C type; does not compile for others. */
#define PLAIT_ARRAY_TYPE_OF(c_type)                    \
        _Generic((c_type){0}, signed char              \
                 : PLAIT_ARRAY_I8, short               \
                 : PLAIT_ARRAY_I16, int                \
                 : PLAIT_ARRAY_I32, long               \
                 : PLAIT_ARRAY_I64, long long          \
                 : PLAIT_ARRAY_I64, unsigned char      \
                 : PLAIT_ARRAY_U8, unsigned short      \
                 : PLAIT_ARRAY_U16, unsigned           \
                 : PLAIT_ARRAY_U32, unsigned long      \
                 : PLAIT_ARRAY_U64, unsigned long long \
                 : PLAIT_ARRAY_U64, float              \
                 : PLAIT_ARRAY_F32, double             \
                 : PLAIT_ARRAY_F64)

/** @cond private */
/* Whatever integers the indices are, they become size_t; a negative one is out of every range. */
#define PLAIT_ARRAY_INDICES(...)                                                                              \
        PLAIT_ARRAY_PICK_9TH(__VA_ARGS__, PLAIT_ARRAY_I_8, PLAIT_ARRAY_I_7, PLAIT_ARRAY_I_6, PLAIT_ARRAY_I_5, \
                             PLAIT_ARRAY_I_4, PLAIT_ARRAY_I_3, PLAIT_ARRAY_I_2, PLAIT_ARRAY_I_1, ~)           \
        (__VA_ARGS__)
#define PLAIT_ARRAY_PICK_9TH(a, b, c, d, e, f, g, h, i, ...) i
#define PLAIT_ARRAY_I_1(a) (size_t)(a)
#define PLAIT_ARRAY_I_2(a, ...) (size_t)(a), PLAIT_ARRAY_I_1(__VA_ARGS__)
#define PLAIT_ARRAY_I_3(a, ...) (size_t)(a), PLAIT_ARRAY_I_2(__VA_ARGS__)
#define PLAIT_ARRAY_I_4(a, ...) (size_t)(a), PLAIT_ARRAY_I_3(__VA_ARGS__)
#define PLAIT_ARRAY_I_5(a, ...) (size_t)(a), PLAIT_ARRAY_I_4(__VA_ARGS__)
#define PLAIT_ARRAY_I_6(a, ...) (size_t)(a), PLAIT_ARRAY_I_5(__VA_ARGS__)
#define PLAIT_ARRAY_I_7(a, ...) (size_t)(a), PLAIT_ARRAY_I_6(__VA_ARGS__)
#define PLAIT_ARRAY_I_8(a, ...) (size_t)(a), PLAIT_ARRAY_I_7(__VA_ARGS__)
/** @endcond */

PLAIT_END_DECLS

#endif
