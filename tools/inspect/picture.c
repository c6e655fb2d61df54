/*
 * Taking a picture of all tasks. See program.h for how it comes to be true of each of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect/taking.h"

static uint32_t find_cause(const struct inspect_program *program, const char *name)
{
        for (uint32_t i = 0; i < program->layout.n_causes; i++)
                if (strcmp(program->causes[i], name) == 0)
                        return i;
        return UINT32_MAX;
}

/* --- a slab --- */

static struct inspect_task *new_task(struct taking *taking)
{
        struct inspect_picture *picture = taking->picture;

        if (picture->n_tasks == picture->tasks_room) {
                size_t room = picture->tasks_room ? picture->tasks_room * 2 : 1024;
                struct inspect_task *grown = realloc(picture->tasks, room * sizeof *grown);

                if (!grown) {
                        taking->no_memory = true;
                        return NULL;
                }
                picture->tasks = grown;
                picture->tasks_room = room;
        }
        return &picture->tasks[picture->n_tasks];
}

/* *again*: the slab's objects, read once more. */
static bool finish(struct taking *taking, const struct beside *beside, const struct slab_view *slab, const char *again)
{
        const struct plait_registry_task *layout = &taking->program->layout.task;
        const char *before = slab->objects + beside->index * slab->stride;
        const char *after = again + beside->index * slab->stride;
        struct inspect_task *task;

        if (!inspect_get(after, layout->fn)) { /* it has ended meanwhile */
                taking->picture->changed++;
                return true;
        }
        task = new_task(taking);
        if (!task)
                return false;
        inspect_describe(taking, after, slab->address + beside->index * slab->stride, task);
        if (before == after || inspect_is_same(layout, before, after))
                inspect_note_beside(taking, beside, before, task);
        else
                taking->picture->changed++;
        taking->picture->counts[task->state]++;
        taking->picture->n_tasks++;
        return true;
}

static bool make_room(struct taking *taking, size_t count)
{
        if (count <= taking->room)
                return true;
        free(taking->beside);
        free(taking->windows);
        free(taking->pages);
        free(taking->pieces);
        taking->beside = calloc(count, sizeof *taking->beside);
        taking->windows = taking->unwinder ? malloc(count * TAKING_WINDOW) : NULL;
        taking->pieces = calloc(count * TAKING_PIECES, sizeof *taking->pieces);
        taking->pages = malloc(count * TAKING_PAGE);
        taking->room = count;
        taking->no_memory = !taking->beside || !taking->pieces || !taking->pages ||
                            (taking->unwinder && !taking->windows);
        return !taking->no_memory;
}

/* How much of a stack is read at first: what those of the slab before needed. */
static void choose_window(struct taking *taking)
{
        if (taking->reach)
                taking->window = taking->reach < TAKING_WINDOW ? taking->reach : TAKING_WINDOW;
        taking->reach = 0;
}

static bool take_slab(const struct slab_view *slab, void *arg)
{
        struct taking *taking = arg;
        struct inspect_memory *memory = &taking->program->memory;
        size_t alive = 0;

        if (!make_room(taking, slab->count))
                return false;
        taking->n_pieces = 0;
        taking->name_piece = NULL;
        taking->name_at = 0;
        choose_window(taking);
        for (size_t i = 0; i < slab->count; i++) {
                const char *task = slab->objects + i * slab->stride;

                if (!inspect_get(task, taking->program->layout.task.fn))
                        continue;
                taking->beside[alive] = (struct beside){.index = i};
                inspect_ask_beside(taking, &taking->beside[alive++], task);
        }
        if (alive == 0)
                return true;
        inspect_read_all(memory, taking->pieces, taking->n_pieces);
        if (memory->live && !inspect_read(memory, slab->address, slab->again, slab->count * slab->stride))
                return false;
        for (size_t i = 0; i < alive; i++)
                if (!finish(taking, &taking->beside[i], slab, memory->live ? slab->again : slab->objects))
                        return false;
        return true;
}

/* --- threads --- */

static bool take_threads(const struct slab_view *slab, void *arg)
{
        struct taking *taking = arg;
        const struct plait_registry_thread *layout = &taking->program->layout.thread;

        for (size_t i = 0; i < slab->count; i++) {
                const char *thread = slab->objects + i * slab->stride;
                uint32_t tid = (uint32_t)inspect_get(thread, layout->tid);

                if (!tid || !inspect_word_waits(inspect_get(thread, layout->wait.state)))
                        continue;
                struct inspect_task *task = new_task(taking);
                if (!task)
                        return false;
                *task = (struct inspect_task){.address = slab->address + i * slab->stride,
                                              .tid = tid,
                                              .name = INTERN_NONE,
                                              .stack = INTERN_NONE,
                                              .fd = -1,
                                              .left_ms = -1,
                                              .worker = -1,
                                              .state = INSPECT_WAITING};
                inspect_describe_wait(taking, thread, &layout->wait, task);
                if (taking->unwinder && inspect_get(thread, layout->pc)) {
                        struct stack_window window = {0};
                        struct inspect_registers at = {.sp = inspect_get(thread, layout->sp),
                                                       .fp = inspect_get(thread, layout->fp),
                                                       .pc = inspect_get(thread, layout->pc),
                                                       .has_fp = true};

                        task->stack = inspect_keep_stack(taking, &at, &window);
                }
                taking->picture->n_tasks++;
                taking->picture->n_threads++;
        }
        return true;
}

/* Where those stand that no copy of registers is kept of: what runs, and threads. */
static void add_live_stacks(struct taking *taking)
{
        struct inspect_picture *picture = taking->picture;

        for (size_t i = 0; i < picture->n_tasks; i++) {
                struct inspect_task *task = &picture->tasks[i];
                struct stack_window window = {0};
                struct inspect_registers at;
                uint32_t tid = task->tid;

                if (task->state == INSPECT_RUNNING && task->worker >= 0)
                        tid = picture->workers[task->worker].tid;
                if (tid && task->stack == INTERN_NONE && inspect_thread_registers(&taking->program->memory, tid, &at))
                        task->stack = inspect_keep_stack(taking, &at, &window);
        }
}

/* --- the whole --- */

static double seconds_since(const struct timespec *begin)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

static int take_tasks(struct taking *taking, struct inspect_error *error)
{
        struct inspect_program *program = taking->program;
        const struct plait_registry *layout = &program->layout;
        bool ok = inspect_walk_slabs(program, layout->task_pool, layout->task.bytes, take_slab, taking);

        if (ok && !taking->no_memory && (taking->what & PICTURE_THREADS) && layout->thread.tid.size)
                ok = inspect_walk_slabs(program, layout->thread_pool, layout->thread.bytes, take_threads, taking);
        if (taking->no_memory)
                return inspect_fail(error, "out of memory");
        if (!inspect_is_alive(&program->memory))
                return inspect_fail(error, "process %d has ended while it was looked at", program->memory.pid);
        if (!ok)
                return inspect_fail(error, program->memory.live ? "the tasks of the program cannot be read: its memory "
                                                                  "is damaged"
                                                                : "the core file does not have the memory of all "
                                                                  "tasks: it has been cut, or was limited");
        if (taking->unwinder)
                add_live_stacks(taking);
        return 0;
}

int inspect_take(struct inspect_program *program, unsigned what, struct unwinder *unwinder, struct inspect_picture *ret,
                 struct inspect_error *error)
{
        struct taking taking = {.program = program, .picture = ret, .what = what, .window = TAKING_WINDOW};
        struct timespec begin;

        clock_gettime(CLOCK_MONOTONIC, &begin);
        *ret = (struct inspect_picture){0};
        if (what & PICTURE_STACKS)
                taking.unwinder = unwinder;
        taking.causes = (struct known_causes){.read = find_cause(program, "read"),
                                              .write = find_cause(program, "write"),
                                              .poll = find_cause(program, "poll"),
                                              .task = find_cause(program, "task"),
                                              .mutex = find_cause(program, "mutex"),
                                              .join = find_cause(program, "join")};
        int r = inspect_take_workers(program, ret, error);
        taking.trails = calloc(TAKING_TRAILS, sizeof *taking.trails);
        if (r == 0 && !taking.trails)
                r = inspect_fail(error, "out of memory");
        if (r == 0 && ret->run)
                r = take_tasks(&taking, error);
        if (r == 0 && (what & PICTURE_SCOPES) && inspect_take_scopes(program, ret) < 0)
                r = inspect_fail(error, "out of memory");
        free(taking.beside);
        free(taking.windows);
        free(taking.pages);
        free(taking.pieces);
        free(taking.trails);
        ret->seconds = seconds_since(&begin);
        if (r < 0)
                inspect_picture_done(ret);
        return r;
}

const char *inspect_gaps(const struct inspect_program *program, const struct inspect_picture *picture, char *buffer,
                         size_t size)
{
        buffer[0] = '\0';
        if (!program->memory.live && picture->lost_stacks + picture->lost_scopes > 0)
                snprintf(buffer, size,
                         "the core file lacks the memory of %zu stacks and %zu scopes. gcore leaves out all that "
                         "follows "
                         "a guard page: run the program with PLAIT_DEBUG=guard=mprotect, or let the kernel write the "
                         "core file (kill -ABRT), and all of it if there is a limit (ulimit -c)",
                         picture->lost_stacks, picture->lost_scopes);
        return buffer;
}

void inspect_picture_done(struct inspect_picture *picture)
{
        free(picture->workers);
        free(picture->tasks);
        free(picture->scopes);
        intern_done(&picture->scope_index);
        intern_done(&picture->stacks);
        *picture = (struct inspect_picture){0};
}
