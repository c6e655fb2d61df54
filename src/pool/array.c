/*
 * Arrays: a place in some memory (memory.h), a type, a shape and strides. All arithmetic on what a caller gives is
 * checked for overflow, and what another process gives is checked against the memory's size before it is believed.
 */
#include "plait/array.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plat/panic.h"
#include "pool/memory.h"

static size_t item_bytes(enum plait_array_type type)
{
        return (unsigned)type & 15U;
}

static bool is_type(unsigned type)
{
        switch ((enum plait_array_type)type) {
        case PLAIT_ARRAY_I8:
        case PLAIT_ARRAY_I16:
        case PLAIT_ARRAY_I32:
        case PLAIT_ARRAY_I64:
        case PLAIT_ARRAY_U8:
        case PLAIT_ARRAY_U16:
        case PLAIT_ARRAY_U32:
        case PLAIT_ARRAY_U64:
        case PLAIT_ARRAY_F32:
        case PLAIT_ARRAY_F64: return true;
        }
        return false;
}

static bool is_empty(const struct plait_array *array)
{
        for (unsigned dim = 0; dim < array->dims; dim++)
                if (array->shape[dim] == 0)
                        return true;
        return false;
}

/* Type, dimensions, shape and, if *strides* is NULL, those of contiguous rows. No element lies 2^63 bytes away. */
static int describe(struct plait_array *ret, enum plait_array_type type, unsigned dims, const size_t shape[],
                    const ptrdiff_t strides[])
{
        ptrdiff_t bytes = (ptrdiff_t)item_bytes(type), step = 1;

        if (!is_type(type) || dims < 1 || dims > PLAIT_ARRAY_DIMS)
                return -EINVAL;
        *ret = (struct plait_array){.type = type, .dims = dims};
        for (unsigned dim = dims; dim-- > 0;) {
                size_t count = shape[dim] ? shape[dim] : 1; /* an empty one is to have strides that make sense */

                ret->shape[dim] = shape[dim];
                ret->strides[dim] = strides ? strides[dim] : step;
                if (__builtin_mul_overflow(step, count, &step) || __builtin_mul_overflow(bytes, count, &bytes))
                        return -EOVERFLOW;
        }
        return 0;
}

/* The first and the last byte that elements of *array* use, counted from *data*; there is an element. */
static int extent(const struct plait_array *array, ptrdiff_t *ret_first, ptrdiff_t *ret_end)
{
        ptrdiff_t low = 0, high = 0, distance;
        const ptrdiff_t bytes = (ptrdiff_t)item_bytes(array->type);

        for (unsigned dim = 0; dim < array->dims; dim++) {
                if (__builtin_mul_overflow(array->shape[dim] - 1, array->strides[dim], &distance) ||
                    __builtin_add_overflow(distance < 0 ? low : high, distance, distance < 0 ? &low : &high))
                        return -EOVERFLOW;
        }
        if (__builtin_mul_overflow(low, bytes, &low) || __builtin_add_overflow(high, 1, &high) ||
            __builtin_mul_overflow(high, bytes, &high))
                return -EOVERFLOW;
        *ret_first = low;
        *ret_end = high;
        return 0;
}

int plait_array_init(struct plait_array *ret, enum plait_array_type type, unsigned dims, const size_t shape[],
                     const struct plait_array_opts *opts)
{
        const unsigned flags = opts ? opts->flags : 0;
        const char *name = opts && opts->name ? opts->name : "plait-array";
        struct plait_array array;

        if (opts && (opts->size < sizeof *opts || flags & ~PLAIT_ARRAY_RESERVE || strlen(name) > 200))
                return -EINVAL;
        int r = describe(&array, type, dims, shape, NULL);
        if (r < 0)
                return r;
        size_t bytes = is_empty(&array) ? 1 : plait_array_count(&array) * item_bytes(type);

        r = pl_pool_memory_new(bytes, flags & PLAIT_ARRAY_RESERVE ? PL_POOL_MEMORY_RESERVE : 0, name, &array.pl_memory);
        if (r < 0)
                return r;
        array.data = array.pl_memory->data;
        *ret = array;
        return 0;
}

void plait_array_done(struct plait_array *array)
{
        if (array->pl_memory)
                pl_pool_memory_unref(array->pl_memory);
        *array = (struct plait_array)PLAIT_ARRAY_INIT;
}

int plait_array_wrap(struct plait_array *ret, enum plait_array_type type, unsigned dims, const size_t shape[],
                     const ptrdiff_t strides[], void *data)
{
        struct plait_array array;
        ptrdiff_t first, end;

        if (!data)
                return -EINVAL;
        int r = describe(&array, type, dims, shape, strides);
        if (r == 0 && !is_empty(&array))
                r = extent(&array, &first, &end);
        if (r < 0)
                return r;
        array.data = data;
        *ret = array;
        return 0;
}

/* --- other processes --- */

int plait_array_share(const struct plait_array *array, struct plait_array_handle *ret)
{
        struct pl_pool_memory_id id;
        struct plait_array_handle handle;

        if (!array->dims || !array->pl_memory)
                return -EINVAL;
        memset(&handle, 0, sizeof handle);
        pl_pool_memory_id(array->pl_memory, &id);
        handle.pl_pid = id.pid;
        handle.pl_fd = id.fd;
        handle.pl_device = id.device;
        handle.pl_inode = id.inode;
        handle.pl_bytes = id.bytes;
        handle.pl_offset = (uint64_t)((char *)array->data - (char *)array->pl_memory->data);
        handle.pl_type = array->type;
        handle.pl_dims = array->dims;
        for (unsigned dim = 0; dim < array->dims; dim++) {
                handle.pl_shape[dim] = array->shape[dim];
                handle.pl_strides[dim] = array->strides[dim];
        }
        *ret = handle;
        return 0;
}

/* What *handle* says of the array; its elements lie within the memory's *pl_bytes*. */
static int read_handle(const struct plait_array_handle *handle, struct plait_array *ret)
{
        size_t shape[PLAIT_ARRAY_DIMS];
        ptrdiff_t strides[PLAIT_ARRAY_DIMS], first, end;

        for (unsigned dim = 0; dim < PLAIT_ARRAY_DIMS; dim++) {
                shape[dim] = handle->pl_shape[dim];
                strides[dim] = handle->pl_strides[dim];
        }
        if (describe(ret, (enum plait_array_type)handle->pl_type, handle->pl_dims, shape, strides) < 0)
                return -EINVAL;
        if (handle->pl_bytes > PTRDIFF_MAX || handle->pl_offset > handle->pl_bytes ||
            handle->pl_offset % item_bytes(ret->type) != 0)
                return -EINVAL;
        if (is_empty(ret))
                return 0;
        if (extent(ret, &first, &end) < 0 || -first > (ptrdiff_t)handle->pl_offset ||
            end > (ptrdiff_t)(handle->pl_bytes - handle->pl_offset))
                return -EINVAL;
        return 0;
}

int plait_array_open(const struct plait_array_handle *handle, struct plait_array *ret)
{
        const struct plait_array_handle copy = *handle; /* it may stand in memory that others write to */
        const struct pl_pool_memory_id id = {.pid = copy.pl_pid,
                                             .fd = copy.pl_fd,
                                             .device = copy.pl_device,
                                             .inode = copy.pl_inode,
                                             .bytes = copy.pl_bytes};
        struct plait_array array;
        int r = read_handle(&copy, &array);

        if (r < 0)
                return r;
        r = pl_pool_memory_open(&id, &array.pl_memory);
        if (r < 0)
                return r;
        array.data = (char *)array.pl_memory->data + copy.pl_offset;
        *ret = array;
        return 0;
}

int plait_array_fd(const struct plait_array *array)
{
        return array->pl_memory ? array->pl_memory->fd : -EINVAL;
}

/* --- parts --- */

/* *view*, made from *array*, becomes *ret*, which may be *array* itself. */
static void give_view(const struct plait_array *array, const struct plait_array *view, struct plait_array *ret)
{
        if (ret != array && view->pl_memory)
                pl_pool_memory_ref(view->pl_memory);
        *ret = *view;
}

/* *data* goes on by *index* elements in dimension *dim*. */
static void advance(struct plait_array *view, unsigned dim, size_t index)
{
        view->data = (char *)view->data + (ptrdiff_t)index * view->strides[dim] * (ptrdiff_t)item_bytes(view->type);
}

int plait_array_slice(const struct plait_array *array, unsigned dim, size_t first, size_t count, ptrdiff_t step,
                      struct plait_array *ret)
{
        struct plait_array view = *array;
        ptrdiff_t last;

        if (dim >= array->dims || step == 0)
                return -EINVAL;
        if (count == 0) {
                if (first > array->shape[dim])
                        return -ERANGE;
        } else {
                if (first >= array->shape[dim] || __builtin_mul_overflow(count - 1, step, &last) ||
                    __builtin_add_overflow(last, first, &last) || last < 0 || (size_t)last >= array->shape[dim])
                        return -ERANGE;
                advance(&view, dim, first);
        }
        view.shape[dim] = count;
        if (count > 1) /* then the step is within the array, and cannot overflow */
                view.strides[dim] *= step;
        give_view(array, &view, ret);
        return 0;
}

int plait_array_pick(const struct plait_array *array, unsigned dim, size_t index, struct plait_array *ret)
{
        struct plait_array view = *array;

        if (dim >= array->dims || array->dims < 2)
                return -EINVAL;
        if (index >= array->shape[dim])
                return -ERANGE;
        advance(&view, dim, index);
        view.dims--;
        for (unsigned k = dim; k < view.dims; k++) {
                view.shape[k] = array->shape[k + 1];
                view.strides[k] = array->strides[k + 1];
        }
        view.shape[view.dims] = 0;
        view.strides[view.dims] = 0;
        give_view(array, &view, ret);
        return 0;
}

int plait_array_transpose(const struct plait_array *array, const unsigned order[], struct plait_array *ret)
{
        struct plait_array view = *array;
        unsigned seen = 0;

        for (unsigned dim = 0; dim < array->dims; dim++) {
                unsigned from = order ? order[dim] : array->dims - 1 - dim;

                if (from >= array->dims || seen & 1U << from)
                        return -EINVAL;
                seen |= 1U << from;
                view.shape[dim] = array->shape[from];
                view.strides[dim] = array->strides[from];
        }
        if (!array->dims)
                return -EINVAL;
        give_view(array, &view, ret);
        return 0;
}

int plait_array_reshape(const struct plait_array *array, unsigned dims, const size_t shape[], struct plait_array *ret)
{
        struct plait_array view;

        if (!array->dims || !plait_array_is_contiguous(array))
                return -EINVAL;
        if (describe(&view, array->type, dims, shape, NULL) < 0 || plait_array_count(&view) != plait_array_count(array))
                return -EINVAL;
        view.data = array->data;
        view.pl_memory = array->pl_memory;
        give_view(array, &view, ret);
        return 0;
}

/* --- elements --- */

size_t plait_array_count(const struct plait_array *array)
{
        size_t count = array->dims ? 1 : 0;

        if (is_empty(array))
                return 0;
        for (unsigned dim = 0; dim < array->dims; dim++)
                count *= array->shape[dim];
        return count;
}

bool plait_array_is_contiguous(const struct plait_array *array)
{
        ptrdiff_t step = 1;

        if (is_empty(array))
                return true;
        for (unsigned dim = array->dims; dim-- > 0;) {
                if (array->shape[dim] != 1 && array->strides[dim] != step)
                        return false;
                step *= (ptrdiff_t)array->shape[dim];
        }
        return true;
}

/* Copy what lies in dimension *dim* and those after it. */
static void copy_from(const struct plait_array *to, const struct plait_array *from, unsigned dim, char *target,
                      const char *source)
{
        const size_t bytes = item_bytes(to->type);
        const ptrdiff_t to_step = to->strides[dim] * (ptrdiff_t)bytes;
        const ptrdiff_t from_step = from->strides[dim] * (ptrdiff_t)bytes;

        if (dim + 1 == to->dims && to->strides[dim] == 1 && from->strides[dim] == 1) {
                memmove(target, source, to->shape[dim] * bytes);
                return;
        }
        for (size_t i = 0; i < to->shape[dim]; i++, target += to_step, source += from_step) {
                if (dim + 1 < to->dims)
                        copy_from(to, from, dim + 1, target, source);
                else
                        memmove(target, source, bytes);
        }
}

int plait_array_copy(const struct plait_array *to, const struct plait_array *from)
{
        if (!to->dims || to->dims != from->dims || to->type != from->type ||
            memcmp(to->shape, from->shape, to->dims * sizeof to->shape[0]) != 0)
                return -EINVAL;
        if (is_empty(to))
                return 0;
        if (plait_array_is_contiguous(to) && plait_array_is_contiguous(from))
                memmove(to->data, from->data, plait_array_count(to) * item_bytes(to->type));
        else
                copy_from(to, from, 0, to->data, from->data);
        return 0;
}

/* --- misuse --- */

static const char *type_name(unsigned type)
{
        switch ((enum plait_array_type)type) {
        case PLAIT_ARRAY_I8: return "i8";
        case PLAIT_ARRAY_I16: return "i16";
        case PLAIT_ARRAY_I32: return "i32";
        case PLAIT_ARRAY_I64: return "i64";
        case PLAIT_ARRAY_U8: return "u8";
        case PLAIT_ARRAY_U16: return "u16";
        case PLAIT_ARRAY_U32: return "u32";
        case PLAIT_ARRAY_U64: return "u64";
        case PLAIT_ARRAY_F32: return "f32";
        case PLAIT_ARRAY_F64: return "f64";
        }
        return "unknown";
}

void plait_array_misused(const struct plait_array *array, unsigned type, unsigned dims, const size_t *index)
{
        if (!array->dims)
                pl_panic("an element of no array was asked for: make it first, by plait_array_init()");
        if (array->type != type)
                pl_panic("an array of %s was used as one of %s", type_name(array->type), type_name(type));
        if (array->dims != dims)
                pl_panic("an array of %u dimensions was given %u indices", array->dims, dims);
        for (unsigned dim = 0; dim < dims; dim++)
                if (index[dim] >= array->shape[dim])
                        pl_panic("index %zd is out of range: dimension %u of the array has %zu elements",
                                 (ssize_t)index[dim], dim, array->shape[dim]);
        pl_panic("an array was changed while an element of it was looked up");
}
