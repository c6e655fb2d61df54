/*
 * Taking in a program's tuners. Each is read as it is at that moment; its members may be of moments next to each other.
 */
#include "inspect/tuners.h"

#include <string.h>

#include "inspect/slabs.h"

struct taking {
        struct inspect_program *program;
        struct inspect_tuners *tuners;
};

static void copy_name(const char *tuner, struct plait_registry_field field, char *ret, size_t room)
{
        size_t bytes = field.size < room ? field.size : room - 1;

        memcpy(ret, tuner + field.offset, bytes);
        ret[bytes] = '\0';
}

static void read_reason(struct inspect_program *program, uint64_t reason, char *ret, size_t room)
{
        const struct plait_registry *layout = &program->layout;
        uint64_t address = 0;

        *ret = '\0';
        if (reason >= layout->n_tuner_reasons ||
            !inspect_read(&program->memory, (uint64_t)(uintptr_t)layout->tuner_reasons + reason * sizeof address,
                          &address, sizeof address))
                return;
        /* Byte by byte: what is behind its end may not be there. */
        for (size_t i = 0; i + 1 < room; i++) {
                if (!inspect_read(&program->memory, address + i, &ret[i], 1))
                        ret[i] = '\0';
                if (!ret[i])
                        return;
        }
        ret[room - 1] = '\0';
}

static void describe(const struct plait_registry_tuner *layout, const char *tuner, struct inspect_tuner *ret)
{
        copy_name(tuner, layout->name, ret->name, sizeof ret->name);
        ret->limit = (uint32_t)inspect_get(tuner, layout->limit);
        ret->in_flight = (uint32_t)inspect_get(tuner, layout->in_flight);
        ret->was = (uint32_t)inspect_get(tuner, layout->was);
        ret->changed_ns = inspect_get_signed(tuner, layout->changed_ns);
        ret->per_s = (double)inspect_get(tuner, layout->milli_rate) / 1000;
        ret->refused = inspect_get(tuner, layout->refused);
}

/* Where among those that are there it belongs; TUNERS_MOST: nowhere. */
static size_t place_of(const struct inspect_tuners *tuners, uint32_t in_flight)
{
        size_t at = tuners->count;

        while (at > 0 && tuners->of[at - 1].in_flight < in_flight)
                at--;
        return at;
}

static bool take_slab(const struct slab_view *slab, void *arg)
{
        struct taking *taking = arg;
        const struct plait_registry_tuner *layout = &taking->program->layout.tuner;
        struct inspect_tuners *tuners = taking->tuners;

        for (size_t i = 0; i < slab->count; i++) {
                const char *tuner = slab->objects + i * slab->stride;

                if (!inspect_get(tuner, layout->used))
                        continue;
                tuners->all++;
                size_t at = place_of(tuners, (uint32_t)inspect_get(tuner, layout->in_flight));
                if (at == TUNERS_MOST)
                        continue;
                tuners->count += tuners->count < TUNERS_MOST;
                memmove(&tuners->of[at + 1], &tuners->of[at], (tuners->count - 1 - at) * sizeof tuners->of[0]);
                describe(layout, tuner, &tuners->of[at]);
                read_reason(taking->program, inspect_get(tuner, layout->reason), tuners->of[at].reason,
                            sizeof tuners->of[at].reason);
        }
        return true;
}

void inspect_take_tuners(struct inspect_program *program, struct inspect_tuners *ret)
{
        const struct plait_registry *layout = &program->layout;
        struct taking taking = {.program = program, .tuners = ret};
        struct slab_list slabs;

        ret->count = 0;
        ret->all = 0;
        if (!layout->tuner_pool || !layout->tuner.bytes)
                return;
        if (!inspect_list_slabs(program, layout->tuner_pool, layout->tuner.bytes, &slabs) ||
            !inspect_walk_slabs(program, &slabs, 0, slabs.n, take_slab, &taking))
                ret->count = ret->all = 0;
        inspect_slabs_done(&slabs);
}
