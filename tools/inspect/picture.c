/*
 * Taking a picture of a program. See program.h for how it comes to be true of each task.
 */
#include <errno.h>
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

static struct known_causes known_causes(const struct inspect_program *program)
{
        return (struct known_causes){.read = find_cause(program, "read"),
                                     .write = find_cause(program, "write"),
                                     .poll = find_cause(program, "poll"),
                                     .task = find_cause(program, "task"),
                                     .mutex = find_cause(program, "mutex"),
                                     .join = find_cause(program, "join")};
}

/* --- threads --- */

static void take_thread(struct taking *taking, const char *thread, uint64_t address)
{
        const struct plait_registry_thread *layout = &taking->program->layout.thread;
        struct inspect_task *task = &taking->tasks[taking->n_tasks];
        struct stack_window window = {0};

        *task = (struct inspect_task){.address = address,
                                      .tid = (uint32_t)inspect_get(thread, layout->tid),
                                      .name = INTERN_NONE,
                                      .stack = INTERN_NONE,
                                      .fd = -1,
                                      .left_ms = -1,
                                      .worker = -1,
                                      .state = INSPECT_WAITING};
        inspect_describe_wait(taking, thread, &layout->wait, task);
        if (taking->unwinder && inspect_get(thread, layout->pc)) {
                struct inspect_registers at = {.sp = inspect_get(thread, layout->sp),
                                               .fp = inspect_get(thread, layout->fp),
                                               .pc = inspect_get(thread, layout->pc),
                                               .has_fp = true};

                task->stack = inspect_keep_stack(taking, &at, &window);
        }
        taking->n_tasks++;
}

static bool visit_threads(const struct slab_view *slab, void *arg)
{
        struct taking *taking = arg;
        const struct plait_registry_thread *layout = &taking->program->layout.thread;

        for (size_t i = 0; i < slab->count; i++) {
                const char *thread = slab->objects + i * slab->stride;

                if (inspect_get(thread, layout->tid) && inspect_word_waits(inspect_get(thread, layout->wait.state)))
                        take_thread(taking, thread, slab->address + i * slab->stride);
        }
        return true;
}

/* They come after the tasks. */
static int take_threads(struct taking *taking)
{
        struct inspect_program *program = taking->program;
        struct inspect_picture *picture = taking->picture;
        const struct plait_registry *layout = &program->layout;
        struct slab_list slabs;
        int r = 0;

        if (!inspect_list_slabs(program, layout->thread_pool, layout->thread.bytes, &slabs))
                return -EIO;
        struct inspect_task *grown = realloc(picture->tasks, (picture->n_tasks + slabs.objects + 1) * sizeof *grown);
        if (grown) {
                picture->tasks = grown;
                taking->tasks = grown + picture->n_tasks;
                r = inspect_walk_slabs(program, &slabs, 0, slabs.n, visit_threads, taking) ? 0 : -EIO;
                picture->n_tasks += taking->n_tasks;
                picture->n_threads = taking->n_tasks;
        } else {
                r = -ENOMEM;
        }
        inspect_slabs_done(&slabs);
        return r;
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

static int explain(const struct inspect_memory *memory, int failure, struct inspect_error *error)
{
        if (failure == -ENOMEM)
                return inspect_fail(error, "out of memory");
        if (!inspect_is_alive(memory))
                return inspect_fail(error, "process %d has ended while it was looked at", memory->pid);
        if (failure < 0)
                return inspect_fail(error, memory->live ? "the tasks of the program cannot be read: its memory is "
                                                          "damaged"
                                                        : "the core file does not have the memory of all tasks: it "
                                                          "has been cut, or was limited");
        return 0;
}

/* The tasks, and the threads that wait. */
static int take_all(struct taking *taking, struct inspect_error *error)
{
        int r = inspect_taking_begin(taking) ? inspect_take_tasks(taking) : -ENOMEM;

        if (r == 0 && (taking->what & PICTURE_THREADS) && taking->program->layout.thread.tid.size)
                r = take_threads(taking);
        r = explain(&taking->program->memory, r, error);
        if (r == 0 && taking->unwinder)
                add_live_stacks(taking);
        inspect_taking_end(taking);
        return r;
}

int inspect_take(struct inspect_program *program, unsigned what, struct unwinder *unwinder, struct inspect_picture *ret,
                 struct inspect_error *error)
{
        pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        struct taking taking = {.program = program,
                                .picture = ret,
                                .unwinder = what & PICTURE_STACKS ? unwinder : NULL,
                                .lock = &lock,
                                .what = what,
                                .causes = known_causes(program)};
        struct timespec begin;

        clock_gettime(CLOCK_MONOTONIC, &begin);
        *ret = (struct inspect_picture){0};
        int r = inspect_take_workers(program, ret, error);
        if (r == 0 && ret->run)
                r = take_all(&taking, error);
        if (r == 0 && (what & PICTURE_SCOPES) && inspect_take_scopes(program, ret) < 0)
                r = inspect_fail(error, "out of memory");
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
                         "the core file lacks the memory of %zu stacks and %zu scopes; tasks and threads may be "
                         "missing, too. gcore leaves out all that follows a guard page: run the program with "
                         "PLAIT_DEBUG=guard=mprotect, or let the kernel write the "
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
