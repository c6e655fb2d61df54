/*
 * Taking a picture of all tasks. See program.h for how it comes to be true of each of them.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect/program.h"
#include "inspect/slabs.h"
#include "inspect/unwind.h"

enum {
        WINDOW = 512, /* of a stack that is read at first; the rest when it is needed */
        NAME_MOST = 32,
        PAGE = 4096,
        SAVED_MOST = 1 << 16,
};

/* What is being read of a task besides its control block. */
struct beside {
        size_t index; /* in the slab */
        uint32_t fd_words[2];
        struct inspect_piece *name_piece, *fd_piece, *window_piece, *top_piece, *saved_piece, *owner_piece;
        uint64_t top;   /* of a compact task: where its stack ends */
        uint64_t owner; /* and who is on it */
        uint32_t saved_bytes;
        size_t window; /* bytes */
};

/* The causes that say more than that. */
struct known_causes {
        uint32_t read, write, poll, task, mutex;
};

struct taking {
        struct inspect_program *program;
        struct inspect_picture *picture;
        struct unwinder *unwinder; /* NULL: no stacks */
        unsigned what;
        struct known_causes causes;
        uint64_t holder_wait, holder_id; /* the last holder of a mutex that was met */
        uint32_t holder_tid;
        struct beside *beside;
        char *windows;
        char *pages; /* with names */
        struct inspect_piece *pieces;
        struct inspect_piece *name_piece; /* the page that the last name is in */
        size_t n_pieces;
        size_t room; /* objects of a slab that there is room for */
        bool no_memory;
};

static uint32_t find_cause(const struct inspect_program *program, const char *name)
{
        for (uint32_t i = 0; i < program->layout.n_causes; i++)
                if (strcmp(program->causes[i], name) == 0)
                        return i;
        return UINT32_MAX;
}

static struct inspect_piece *add_piece(struct taking *taking, uint64_t address, void *to, size_t bytes)
{
        struct inspect_piece *piece = &taking->pieces[taking->n_pieces++];

        *piece = (struct inspect_piece){.address = address, .to = to, .bytes = bytes};
        return piece;
}

static bool waits(uint64_t word)
{
        word &= PLAIT_REGISTRY_STATE_MASK;
        return word == PLAIT_REGISTRY_BEGUN || word == PLAIT_REGISTRY_WAITING;
}

/* How much can be read at *address* without leaving its page. */
static size_t to_page_end(uint64_t address, size_t most)
{
        size_t there = PAGE - (size_t)(address % PAGE);

        return there < most ? there : most;
}

/* --- what a task's control block leads to --- */

static void ask_for_fd(struct taking *taking, struct beside *beside, const char *task)
{
        const struct plait_registry_wait *wait = &taking->program->layout.task.wait;
        struct plait_registry_field number = taking->program->layout.fd.number;
        uint64_t object = inspect_get(task, wait->object);
        uint32_t cause = (uint32_t)inspect_get(task, wait->cause);

        if (!object || !waits(inspect_get(task, wait->state)))
                return;
        if ((cause == taking->causes.read || cause == taking->causes.write) && number.size == sizeof(int32_t))
                beside->fd_piece = add_piece(taking, object + number.offset, beside->fd_words, number.size);
        else if (cause == taking->causes.poll) /* struct pollfd */
                beside->fd_piece = add_piece(taking, object, beside->fd_words, sizeof beside->fd_words);
        else if (cause == taking->causes.task) /* the other's number */
                beside->fd_piece = add_piece(taking, object + taking->program->layout.task.id.offset, beside->fd_words,
                                             sizeof beside->fd_words);
        else if (cause == taking->causes.mutex && taking->program->layout.mutex.holder.size == sizeof beside->fd_words)
                beside->fd_piece = add_piece(taking, object + taking->program->layout.mutex.holder.offset,
                                             beside->fd_words, sizeof beside->fd_words);
}

static bool has_suspended(const struct plait_registry_task *layout, const char *task)
{
        return inspect_get(task, layout->stack) && !inspect_get(task, layout->on_cpu) && inspect_get(task, layout->sp);
}

static void ask_for_stack(struct taking *taking, struct beside *beside, const char *task)
{
        const struct plait_registry *layout = &taking->program->layout;
        uint64_t saved = inspect_get(task, layout->task.saved);

        if (!taking->unwinder || !has_suspended(&layout->task, task))
                return;
        if (inspect_get(task, layout->task.compact) && saved) {
                beside->top_piece = add_piece(taking, inspect_get(task, layout->task.stack) + layout->stack.top.offset,
                                              &beside->top, sizeof beside->top);
                beside->saved_piece = add_piece(taking, saved + layout->stack.saved_bytes.offset, &beside->saved_bytes,
                                                sizeof beside->saved_bytes);
                beside->owner_piece = add_piece(taking,
                                                inspect_get(task, layout->task.stack) + layout->stack.owner.offset,
                                                &beside->owner, sizeof beside->owner);
        }
        uint64_t sp = inspect_get(task, layout->task.sp);
        beside->window = to_page_end(sp, WINDOW);
        beside->window_piece = add_piece(taking, sp, taking->windows + beside->index * WINDOW, beside->window);
}

static struct inspect_piece *page_of(struct taking *taking, const struct beside *beside, uint64_t address)
{
        uint64_t page = address - address % PAGE;

        if (!taking->name_piece || taking->name_piece->address != page)
                taking->name_piece = add_piece(taking, page, taking->pages + beside->index * PAGE, PAGE);
        return taking->name_piece;
}

static void ask(struct taking *taking, struct beside *beside, const char *task)
{
        uint64_t name = inspect_get(task, taking->program->layout.task.name);

        if (name) /* names of tasks that were started one after the other mostly stand in one page */
                beside->name_piece = page_of(taking, beside, name);
        ask_for_fd(taking, beside, task);
        ask_for_stack(taking, beside, task);
}

/* The rest of a name may be in the next page. */
static uint32_t finish_name(struct taking *taking, const struct beside *beside, const char *task)
{
        const struct inspect_piece *piece = beside->name_piece;
        uint64_t address = inspect_get(task, taking->program->layout.task.name);
        char name[NAME_MOST] = "";

        if (!piece || !piece->ok)
                return INTERN_NONE;
        size_t there = to_page_end(address, NAME_MOST - 1);
        memcpy(name, (char *)piece->to + address % PAGE, there);
        size_t length = strnlen(name, there);
        if (length == there && there < NAME_MOST - 1 &&
            inspect_read(&taking->program->memory, address + there, name + there, NAME_MOST - 1 - there))
                length = strnlen(name, NAME_MOST - 1);
        name[length] = '\0';
        return length ? intern(&taking->program->names, name, (uint32_t)length + 1, NULL) : INTERN_NONE;
}

static uint32_t keep_stack(struct taking *taking, const struct inspect_registers *at, const struct stack_window *window)
{
        uint64_t frames[STACK_MOST];
        size_t count = unwind(taking->unwinder, at, window, frames, STACK_MOST);

        return intern(&taking->picture->stacks, frames, (uint32_t)(count * sizeof *frames), NULL);
}

/* Of a compact task that is elsewhere: the copy of its frames stands for the end of its stack. */
static uint32_t saved_stack(struct taking *taking, const struct beside *beside, const char *task,
                            const struct inspect_registers *at)
{
        const struct plait_registry *layout = &taking->program->layout;
        uint32_t stack = INTERN_NONE;

        if (!beside->top_piece->ok || !beside->saved_piece->ok || beside->saved_bytes > SAVED_MOST)
                return INTERN_NONE;
        char *frames = malloc(beside->saved_bytes + 1U);
        struct stack_window window = {.address = beside->top - beside->saved_bytes,
                                      .bytes = frames,
                                      .count = beside->saved_bytes,
                                      .whole = true};
        if (frames &&
            inspect_read(&taking->program->memory, inspect_get(task, layout->task.saved) + layout->stack.saved_data,
                         frames, beside->saved_bytes))
                stack = keep_stack(taking, at, &window);
        free(frames);
        return stack;
}

static uint32_t finish_stack(struct taking *taking, const struct beside *beside, const char *task, uint64_t address)
{
        const struct plait_registry_task *layout = &taking->program->layout.task;
        struct inspect_registers at = {.sp = inspect_get(task, layout->sp),
                                       .fp = inspect_get(task, layout->fp),
                                       .pc = inspect_get(task, layout->pc),
                                       .has_fp = true};

        /* What is on the shared stack has not been copied, or was copied back: *saved* means nothing then. */
        if (beside->saved_piece && beside->owner_piece->ok && beside->owner != address)
                return saved_stack(taking, beside, task, &at);
        if (!beside->window_piece || !beside->window_piece->ok)
                return INTERN_NONE;
        struct stack_window window = {
                .address = at.sp, .bytes = taking->windows + beside->index * WINDOW, .count = beside->window};
        return keep_stack(taking, &at, &window);
}

/* --- what it says itself --- */

static int16_t runs_on(const struct inspect_picture *picture, uint64_t address)
{
        for (size_t i = 0; i < picture->n_workers; i++)
                if (picture->workers[i].current == address)
                        return (int16_t)i;
        return -1;
}

static enum inspect_state state_of(const struct plait_registry_task *layout, const char *copy, int16_t running)
{
        if (running >= 0)
                return INSPECT_RUNNING;
        if (!inspect_get(copy, layout->stack))
                return INSPECT_NEW;
        if (waits(inspect_get(copy, layout->wait.state)))
                return INSPECT_WAITING;
        /* On the processor though no worker runs it: it runs tasks of its scope on its own stack, and waits for them.
         * Or it has just been resumed, or is just being left: then it can go on. */
        return inspect_get(copy, layout->on_cpu) ? INSPECT_WAITING : INSPECT_READY;
}

static void describe_wait(const struct taking *taking, const char *copy, const struct plait_registry_wait *wait,
                          struct inspect_task *task)
{
        uint32_t now_ms = (uint32_t)(taking->picture->now_ns / 1000000);

        task->cause = (uint32_t)inspect_get(copy, wait->cause);
        task->object = inspect_get(copy, wait->object);
        int32_t age = (int32_t)(now_ms - (uint32_t)inspect_get(copy, wait->since_ms));
        task->age_ms = age > 0 ? (uint32_t)age : 0; /* it may have begun since *now* */
        task->aged = wait->since_ms.size > 0;
}

static int32_t time_left(const struct taking *taking, const char *copy)
{
        const struct plait_registry_task *layout = &taking->program->layout.task;
        int64_t deadline = inspect_get_signed(copy, layout->deadline_ns);

        if (!inspect_get(copy, layout->wheel))
                return -1;
        int64_t left = (deadline - taking->picture->now_ns) / 1000000;
        return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int32_t)left;
}

static void describe(const struct taking *taking, const char *copy, uint64_t address, struct inspect_task *task)
{
        const struct plait_registry_task *layout = &taking->program->layout.task;
        int16_t running = runs_on(taking->picture, address);

        *task = (struct inspect_task){
                .address = address,
                .id = inspect_get(copy, layout->id),
                .fn = inspect_get(copy, layout->fn),
                .scope = inspect_get(copy, layout->scope),
                .home = inspect_get(copy, layout->home),
                .name = INTERN_NONE,
                .stack = INTERN_NONE,
                .fd = -1,
                .left_ms = -1,
                .bound = inspect_get(copy, layout->bound) != 0,
                .compact = inspect_get(copy, layout->compact) != 0,
        };
        task->state = (uint8_t)state_of(layout, copy, running);
        task->worker = running >= 0 ? running : task->bound ? (int16_t)inspect_get(copy, layout->worker) : -1;
        if (task->state != INSPECT_WAITING)
                return;
        if (waits(inspect_get(copy, layout->wait.state))) {
                describe_wait(taking, copy, &layout->wait, task);
                task->left_ms = time_left(taking, copy);
        } else {
                task->cause = find_cause(taking->program, "join");
                task->object = task->scope;
        }
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

static bool same(const struct plait_registry_task *layout, const char *before, const char *after)
{
        return inspect_get(before, layout->id) == inspect_get(after, layout->id) &&
               inspect_get(before, layout->wait.state) == inspect_get(after, layout->wait.state) &&
               inspect_get(before, layout->on_cpu) == inspect_get(after, layout->on_cpu) &&
               inspect_get(before, layout->sp) == inspect_get(after, layout->sp) &&
               inspect_get(before, layout->name) == inspect_get(after, layout->name) &&
               inspect_get(before, layout->saved) == inspect_get(after, layout->saved);
}

/* Who holds the mutex. Those who wait for one mutex tend to come one after the other. */
static void find_holder(struct taking *taking, const struct beside *beside, struct inspect_task *task)
{
        const struct plait_registry *layout = &taking->program->layout;
        struct inspect_memory *memory = &taking->program->memory;
        uint8_t of_task = 0;
        uint64_t wait;

        memcpy(&wait, beside->fd_words, sizeof wait);
        wait &= layout->mutex.mask;
        if (wait && wait != taking->holder_wait) {
                taking->holder_wait = wait;
                taking->holder_id = 0;
                taking->holder_tid = 0;
                if (!inspect_read(memory, wait + layout->mutex.of_task.offset, &of_task, sizeof of_task))
                        return;
                if (of_task)
                        inspect_read(memory, wait - layout->mutex.task_wait + layout->task.id.offset,
                                     &taking->holder_id, sizeof taking->holder_id);
                else
                        inspect_read(memory, wait - layout->mutex.thread_wait + layout->thread.tid.offset,
                                     &taking->holder_tid, sizeof taking->holder_tid);
        }
        if (wait) {
                task->holder = taking->holder_id;
                task->holder_tid = taking->holder_tid;
        }
}

static bool finish(struct taking *taking, struct beside *beside, const struct slab_view *slab)
{
        const struct plait_registry_task *layout = &taking->program->layout.task;
        const char *before = slab->objects + beside->index * slab->stride;
        const char *after = slab->again + beside->index * slab->stride;
        struct inspect_task *task;

        if (!inspect_get(after, layout->fn)) { /* it has ended meanwhile */
                taking->picture->changed++;
                return true;
        }
        task = new_task(taking);
        if (!task)
                return false;
        describe(taking, after, slab->address + beside->index * slab->stride, task);
        if (same(layout, before, after)) {
                task->name = finish_name(taking, beside, before);
                task->stack = task->state == INSPECT_RUNNING ? INTERN_NONE
                                                             : finish_stack(taking, beside, before, task->address);
                if (beside->fd_piece && beside->fd_piece->ok) {
                        if (task->cause == taking->causes.task)
                                memcpy(&task->holder, beside->fd_words, sizeof task->holder);
                        else if (task->cause == taking->causes.mutex)
                                find_holder(taking, beside, task);
                        else
                                memcpy(&task->fd, beside->fd_words, sizeof task->fd);
                }
        } else {
                taking->picture->changed++;
        }
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
        taking->windows = taking->unwinder ? malloc(count * WINDOW) : NULL;
        taking->pieces = calloc(count * 6, sizeof *taking->pieces);
        taking->pages = malloc(count * PAGE);
        taking->room = count;
        taking->no_memory = !taking->beside || !taking->pieces || !taking->pages ||
                            (taking->unwinder && !taking->windows);
        return !taking->no_memory;
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
        for (size_t i = 0; i < slab->count; i++) {
                const char *task = slab->objects + i * slab->stride;

                if (!inspect_get(task, taking->program->layout.task.fn))
                        continue;
                taking->beside[alive] = (struct beside){.index = i};
                ask(taking, &taking->beside[alive++], task);
        }
        if (alive == 0)
                return true;
        inspect_read_all(memory, taking->pieces, taking->n_pieces);
        if (!memory->live)
                memcpy(slab->again, slab->objects, slab->count * slab->stride);
        else if (!inspect_read(memory, slab->address, slab->again, slab->count * slab->stride))
                return false;
        for (size_t i = 0; i < alive; i++)
                if (!finish(taking, &taking->beside[i], slab))
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

                if (!tid || !waits(inspect_get(thread, layout->wait.state)))
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
                describe_wait(taking, thread, &layout->wait, task);
                if (taking->unwinder && inspect_get(thread, layout->pc)) {
                        struct stack_window window = {0};
                        struct inspect_registers at = {.sp = inspect_get(thread, layout->sp),
                                                       .fp = inspect_get(thread, layout->fp),
                                                       .pc = inspect_get(thread, layout->pc),
                                                       .has_fp = true};

                        task->stack = keep_stack(taking, &at, &window);
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
                        task->stack = keep_stack(taking, &at, &window);
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
        struct taking taking = {.program = program, .picture = ret, .what = what};
        struct timespec begin;

        clock_gettime(CLOCK_MONOTONIC, &begin);
        *ret = (struct inspect_picture){0};
        if (what & PICTURE_STACKS)
                taking.unwinder = unwinder;
        taking.causes = (struct known_causes){.read = find_cause(program, "read"),
                                              .write = find_cause(program, "write"),
                                              .poll = find_cause(program, "poll"),
                                              .task = find_cause(program, "task"),
                                              .mutex = find_cause(program, "mutex")};
        int r = inspect_take_workers(program, ret, error);
        if (r == 0 && ret->run)
                r = take_tasks(&taking, error);
        if (r == 0 && (what & PICTURE_SCOPES) && inspect_take_scopes(program, ret) < 0)
                r = inspect_fail(error, "out of memory");
        free(taking.beside);
        free(taking.windows);
        free(taking.pages);
        free(taking.pieces);
        ret->seconds = seconds_since(&begin);
        if (r < 0)
                inspect_picture_done(ret);
        return r;
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
