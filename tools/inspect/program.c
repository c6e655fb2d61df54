/*
 * Opening a program, and what is in it for as long as it runs.
 */
#include "inspect/program.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
        CAUSES_MOST = 256,
        STRUCT_MOST = 1 << 20,
        SLAB_MOST = 16 << 20,
        WORKERS_MOST = 4096,
};

int64_t inspect_get_signed(const void *object, struct plait_registry_field field)
{
        uint64_t value = inspect_get(object, field);

        if (field.size == 0 || field.size >= sizeof value)
                return (int64_t)value;
        uint64_t sign = UINT64_C(1) << (field.size * 8 - 1);
        return (int64_t)((value ^ sign) - sign);
}

/* Members that stand outside of their structure are not there. */
static bool tame(void *first, const void *end, uint32_t bytes)
{
        struct plait_registry_field field;

        for (char *at = first; at < (const char *)end; at += sizeof field) {
                memcpy(&field, at, sizeof field);
                if ((uint32_t)field.offset + field.size > bytes)
                        memset(at, 0, sizeof field);
        }
        return bytes > 0 && bytes <= STRUCT_MOST;
}

#define TAME(part, first) tame(&(part).first, &(part) + 1, (part).bytes)

static int check_layout(struct plait_registry *layout, struct inspect_error *error)
{
        bool ok = TAME(layout->run_at, id) && TAME(layout->worker, tid) && TAME(layout->task, fn) &&
                  TAME(layout->thread, tid) && TAME(layout->scope, deadline_ns);

        if (!ok || layout->slab.slab_bytes > SLAB_MOST || layout->slab.slab_bytes <= layout->slab.header_bytes ||
            layout->task.fn.size == 0)
                return inspect_fail(error, "the registry of the program is damaged");
        if (!TAME(layout->tuner, used))
                layout->tuner.bytes = 0; /* an older library has none */
        return 0;
}

static int read_causes(struct inspect_program *program, struct inspect_error *error)
{
        struct plait_registry *layout = &program->layout;
        uint64_t names[CAUSES_MOST];

        if (layout->n_causes > CAUSES_MOST)
                layout->n_causes = CAUSES_MOST;
        program->causes = calloc(layout->n_causes + 1U, sizeof *program->causes);
        if (!program->causes)
                return inspect_fail(error, "out of memory");
        if (!inspect_read(&program->memory, (uint64_t)(uintptr_t)layout->causes, names,
                          layout->n_causes * sizeof *names))
                return inspect_fail(error, "the names of what tasks wait for cannot be read");
        for (uint32_t i = 0; i < layout->n_causes; i++) {
                char *name = program->causes[i];

                for (size_t k = 0; k + 1 < sizeof *program->causes; k++)
                        if (!inspect_read(&program->memory, names[i] + k, name + k, 1) || !name[k])
                                break;
        }
        return 0;
}

int inspect_program_open(struct inspect_program *program, const char *target, struct inspect_error *error)
{
        *program = (struct inspect_program){0};
        int r = inspect_memory_open(&program->memory, target, error);
        if (r == 0)
                r = inspect_find_registry(&program->memory, &program->layout, error);
        if (r == 0)
                r = check_layout(&program->layout, error);
        if (r == 0)
                r = read_causes(program, error);
        if (r < 0)
                inspect_program_close(program);
        return r;
}

void inspect_program_close(struct inspect_program *program)
{
        inspect_memory_close(&program->memory);
        free(program->causes);
        intern_done(&program->names);
        program->causes = NULL;
}

const char *inspect_cause(const struct inspect_program *program, uint32_t cause)
{
        return cause < program->layout.n_causes && program->causes[cause][0] ? program->causes[cause] : "unknown";
}

const char *inspect_name(const struct inspect_program *program, const struct inspect_task *task)
{
        return task->name == INTERN_NONE ? NULL : intern_get(&program->names, task->name, NULL);
}

const char *inspect_state_name(enum inspect_state state)
{
        static const char *const names[INSPECT_STATES] = {"new", "ready", "running", "waiting"};

        return names[state];
}

/* --- the run and its workers --- */

static void read_worker(const struct plait_registry_worker *layout, const char *copy, struct inspect_worker *ret)
{
        int64_t fresh = (int64_t)(inspect_get(copy, layout->fresh_bottom) - inspect_get(copy, layout->fresh_top));

        *ret = (struct inspect_worker){
                .current = inspect_get(copy, layout->current),
                .tid = (uint32_t)inspect_get(copy, layout->tid),
                .ticks = (uint32_t)inspect_get(copy, layout->ticks),
                .ready = (uint32_t)inspect_get(copy, layout->ready) + (inspect_get(copy, layout->next) != 0),
                .bound = (uint32_t)inspect_get(copy, layout->bound),
                .fresh = fresh > 0 ? (uint32_t)fresh : 0,
                .idle = inspect_get(copy, layout->idle) != 0,
                .spare = inspect_get(copy, layout->spare) != 0,
        };
}

/* As much of a worker as its members need: it is big, and this is done a thousand times a second. */
static size_t worker_bytes(const struct plait_registry_worker *layout)
{
        const struct plait_registry_field *field = &layout->next;
        size_t bytes = 0;

        for (; (const void *)field < (const void *)(layout + 1); field++)
                if ((size_t)field->offset + field->size > bytes)
                        bytes = (size_t)field->offset + field->size;
        return bytes;
}

static int read_workers(struct inspect_program *program, struct inspect_picture *picture, uint64_t at, size_t count,
                        struct inspect_error *error)
{
        const struct plait_registry_worker *layout = &program->layout.worker;
        size_t bytes = worker_bytes(layout);
        char *copies = malloc(count * bytes + 1);
        struct inspect_piece *pieces = calloc(count + 1, sizeof *pieces);
        struct inspect_worker *workers = realloc(picture->workers, (count + 1) * sizeof *workers);

        if (workers)
                picture->workers = workers;
        picture->n_workers = 0;
        int r = copies && pieces && workers ? 0 : inspect_fail(error, "out of memory");
        for (size_t i = 0; r == 0 && i < count; i++)
                pieces[i] = (struct inspect_piece){
                        .address = at + i * layout->bytes, .to = copies + i * bytes, .bytes = bytes};
        if (r == 0)
                inspect_read_all(&program->memory, pieces, count);
        for (size_t i = 0; r == 0 && i < count; i++) {
                if (!pieces[i].ok)
                        r = inspect_fail(error, "the workers of the program cannot be read: it has ended, or its "
                                                "memory is damaged");
                else
                        read_worker(layout, copies + i * bytes, &workers[i]);
        }
        if (r == 0)
                picture->n_workers = count;
        free(copies);
        free(pieces);
        return r;
}

/* A core file does not say when it was written on this clock: both clocks are known from the start of the run. */
static int64_t now_of(const struct inspect_program *program, const char *run)
{
        const struct plait_registry_run *layout = &program->layout.run_at;
        struct timespec now;

        if (program->memory.live) {
                clock_gettime(CLOCK_MONOTONIC, &now);
                return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
        }
        int64_t started = inspect_get_signed(run, layout->started_ns);
        int64_t ran = inspect_core_time(&program->memory) * 1000000000 -
                      inspect_get_signed(run, layout->started_real_ns);
        uint32_t last_ms = (uint32_t)inspect_get(run, layout->clock_ms);
        int64_t least = started + (int64_t)(last_ms - (uint32_t)(started / 1000000)) * 1000000;
        return started + ran > least ? started + ran : least;
}

int inspect_take_workers(struct inspect_program *program, struct inspect_picture *picture, struct inspect_error *error)
{
        const struct plait_registry_run *layout = &program->layout.run_at;
        char *run = malloc(layout->bytes);
        int r = 0;

        if (!run)
                return inspect_fail(error, "out of memory");
        if (!inspect_read(&program->memory, (uint64_t)(uintptr_t)program->layout.run, run, layout->bytes)) {
                free(run);
                return inspect_is_alive(&program->memory)
                               ? inspect_fail(error, "the state of the program cannot be read")
                               : inspect_fail(error, "process %d has ended", program->memory.pid);
        }
        picture->run = inspect_get(run, layout->id);
        picture->injected = (uint32_t)inspect_get(run, layout->injector);
        picture->stuck = inspect_get(run, layout->n_stuck);
        picture->now_ns = now_of(program, run);
        picture->n_workers = 0;
        uint64_t count = inspect_get(run, layout->n_workers);
        if (picture->run && count <= WORKERS_MOST)
                r = read_workers(program, picture, inspect_get(run, layout->workers), (size_t)count, error);
        free(run);
        return r;
}
