/*
 * What a task's control block leads to: its name, what it waits for, its stack.
 */
#include "inspect/taking.h"

#include <stdlib.h>
#include <string.h>

enum {
        NAME_MOST = 32,
        SAVED_MOST = 1 << 16,
};

static struct inspect_piece *add_piece(struct taking *taking, uint64_t address, void *to, size_t bytes)
{
        struct inspect_piece *piece = &taking->pieces[taking->n_pieces++];

        *piece = (struct inspect_piece){.address = address, .to = to, .bytes = bytes};
        return piece;
}

/* How much can be read at *address* without leaving its page. */
static size_t to_page_end(uint64_t address, size_t most)
{
        size_t there = TAKING_PAGE - (size_t)(address % TAKING_PAGE);

        return there < most ? there : most;
}

/* --- asking --- */

static void ask_for_fd(struct taking *taking, struct beside *beside, const char *task)
{
        const struct plait_registry_wait *wait = &taking->program->layout.task.wait;
        struct plait_registry_field number = taking->program->layout.fd.number;
        uint64_t object = inspect_get(task, wait->object);
        uint32_t cause = (uint32_t)inspect_get(task, wait->cause);

        if (!object || !inspect_word_waits(inspect_get(task, wait->state)))
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
        beside->window = to_page_end(sp, taking->window);
        beside->window_piece = add_piece(taking, sp, taking->windows + beside->index * TAKING_WINDOW, beside->window);
}

static struct inspect_piece *page_of(struct taking *taking, const struct beside *beside, uint64_t address)
{
        uint64_t page = address - address % TAKING_PAGE;

        if (!taking->name_piece || taking->name_piece->address != page)
                taking->name_piece = add_piece(taking, page, taking->pages + beside->index * TAKING_PAGE, TAKING_PAGE);
        return taking->name_piece;
}

void inspect_ask_beside(struct taking *taking, struct beside *beside, const char *task)
{
        uint64_t name = inspect_get(task, taking->program->layout.task.name);

        if (name) /* names of tasks that were started one after the other mostly stand in one page */
                beside->name_piece = page_of(taking, beside, name);
        ask_for_fd(taking, beside, task);
        ask_for_stack(taking, beside, task);
}

/* --- noting --- */

/* The rest of a name may be in the next page. */
static uint32_t finish_name(struct taking *taking, const struct beside *beside, const char *task)
{
        const struct inspect_piece *piece = beside->name_piece;
        uint64_t address = inspect_get(task, taking->program->layout.task.name);
        char name[NAME_MOST] = "";

        if (!piece || !piece->ok)
                return INTERN_NONE;
        if (address == taking->name_at)
                return taking->name;
        size_t there = to_page_end(address, NAME_MOST - 1);
        memcpy(name, (char *)piece->to + address % TAKING_PAGE, there);
        size_t length = strnlen(name, there);
        if (length == there && there < NAME_MOST - 1 &&
            inspect_read(&taking->program->memory, address + there, name + there, NAME_MOST - 1 - there))
                length = strnlen(name, NAME_MOST - 1);
        name[length] = '\0';
        taking->name_at = address;
        taking->name = INTERN_NONE;
        if (length) {
                pthread_mutex_lock(taking->lock);
                taking->name = intern(&taking->program->names, name, (uint32_t)length + 1, NULL);
                pthread_mutex_unlock(taking->lock);
        }
        return taking->name;
}

/* Most stacks are like one of the last few. */
uint32_t inspect_keep_stack(struct taking *taking, const struct inspect_registers *at,
                            const struct stack_window *window)
{
        uint64_t frames[STACK_MOST];
        unsigned slot = taking->next_trail % TAKING_TRAILS;

        for (unsigned i = 0; i < TAKING_TRAILS; i++)
                if (stack_trail_fits(&taking->trails[i], at, window)) {
                        if (taking->trails[i].reach > taking->reach)
                                taking->reach = taking->trails[i].reach;
                        return taking->trail_stacks[i];
                }
        struct stack_trail *trail = &taking->trails[slot];
        pthread_mutex_lock(taking->lock);
        size_t count = unwind(taking->unwinder, at, window, frames, STACK_MOST, trail);
        uint32_t stack = intern(&taking->picture->stacks, frames, (uint32_t)(count * sizeof *frames), NULL);
        pthread_mutex_unlock(taking->lock);
        if (trail->reach > taking->reach)
                taking->reach = trail->reach;
        taking->trail_stacks[slot] = stack;
        if (trail->complete)
                taking->next_trail++;
        return stack;
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
                stack = inspect_keep_stack(taking, at, &window);
        free(frames);
        return stack;
}

/* Who writes a core file may put zeros where there is something that he cannot read. */
static bool is_blank(const struct taking *taking, uint32_t stack, const struct stack_window *window)
{
        uint32_t bytes;

        if (stack == INTERN_NONE || window->count == 0 || window->bytes[0] ||
            memcmp(window->bytes, window->bytes + 1, window->count - 1) != 0)
                return false;
        pthread_mutex_lock(taking->lock);
        intern_get(&taking->picture->stacks, stack, &bytes);
        pthread_mutex_unlock(taking->lock);
        return bytes == sizeof(uint64_t);
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
        if (!beside->window_piece)
                return INTERN_NONE;
        if (!beside->window_piece->ok) {
                taking->lost_stacks++;
                return INTERN_NONE;
        }
        struct stack_window window = {
                .address = at.sp, .bytes = taking->windows + beside->index * TAKING_WINDOW, .count = beside->window};
        uint32_t stack = inspect_keep_stack(taking, &at, &window);
        if (!taking->program->memory.live && is_blank(taking, stack, &window)) {
                taking->lost_stacks++;
                return INTERN_NONE;
        }
        return stack;
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

void inspect_note_beside(struct taking *taking, const struct beside *beside, const char *copy,
                         struct inspect_task *task)
{
        task->name = finish_name(taking, beside, copy);
        if (task->state != INSPECT_RUNNING)
                task->stack = finish_stack(taking, beside, copy, task->address);
        if (!beside->fd_piece || !beside->fd_piece->ok)
                return;
        if (task->cause == taking->causes.task)
                memcpy(&task->holder, beside->fd_words, sizeof task->holder);
        else if (task->cause == taking->causes.mutex)
                find_holder(taking, beside, task);
        else
                memcpy(&task->fd, beside->fd_words, sizeof task->fd);
}
