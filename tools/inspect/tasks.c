/*
 * Taking in a program's tasks. Slabs have nothing to do with each other, so several threads read them: each takes some
 * at a time, and puts their tasks where these belong if every object is a task; then the gaps are closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <plait/executor.h>

#include "inspect/taking.h"

enum { SLABS_AT_ONCE = 16 }; /* some thousand tasks, some milliseconds */

/* --- a slab --- */

/* *again*: the slab's objects, read once more. */
static void finish(struct taking *taking, const struct beside *beside, const struct slab_view *slab, const char *again)
{
        const struct plait_registry_task *layout = &taking->program->layout.task;
        const char *before = slab->objects + beside->index * slab->stride;
        const char *after = again + beside->index * slab->stride;
        struct inspect_task *task = &taking->tasks[taking->n_tasks];

        if (!inspect_get(after, layout->fn)) { /* it has ended meanwhile */
                taking->changed++;
                return;
        }
        inspect_describe(taking, after, slab->address + beside->index * slab->stride, task);
        if (before == after || inspect_is_same(layout, before, after))
                inspect_note_beside(taking, beside, before, task);
        else
                taking->changed++;
        taking->counts[task->state]++;
        taking->n_tasks++;
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
        taking->windows = malloc(count * TAKING_WINDOW);
        taking->pieces = calloc(count * TAKING_PIECES, sizeof *taking->pieces);
        taking->pages = malloc(count * TAKING_PAGE);
        taking->room = count;
        return taking->beside && taking->pieces && taking->pages && taking->windows;
}

/* How much of a stack is read at first: what those of the slab before needed. */
static void choose_window(struct taking *taking)
{
        if (taking->reach)
                taking->window = taking->reach < TAKING_WINDOW ? taking->reach : TAKING_WINDOW;
        taking->reach = 0;
}

/* Note what is to be read of each task. Returns how many there are. */
static size_t ask(struct taking *taking, const struct slab_view *slab)
{
        size_t alive = 0;

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
        return alive;
}

static int take_slab(struct taking *taking, const struct slab_view *slab)
{
        struct inspect_memory *memory = &taking->program->memory;

        if (!make_room(taking, slab->count))
                return -ENOMEM;
        size_t alive = ask(taking, slab);
        if (alive == 0)
                return 0;
        inspect_read_all(memory, taking->pieces, taking->n_pieces);
        if (memory->live && !inspect_read(memory, slab->address, slab->again, slab->count * slab->stride))
                return -EIO;
        for (size_t i = 0; i < alive; i++)
                finish(taking, &taking->beside[i], slab, memory->live ? slab->again : slab->objects);
        return 0;
}

/* --- some slabs --- */

struct part {
        struct taking taking;
        const struct slab_list *slabs;
        size_t from, to;
        int failure;
};

bool inspect_taking_begin(struct taking *taking)
{
        taking->window = TAKING_WINDOW;
        taking->trails = calloc(TAKING_TRAILS, sizeof *taking->trails);
        return taking->trails != NULL;
}

void inspect_taking_end(struct taking *taking)
{
        free(taking->beside);
        free(taking->windows);
        free(taking->pages);
        free(taking->pieces);
        free(taking->trails);
}

static bool visit(const struct slab_view *slab, void *arg)
{
        struct part *part = arg;

        part->failure = take_slab(&part->taking, slab);
        return part->failure == 0;
}

static int take_part(void *arg, void *result)
{
        struct part *part = arg;
        struct taking *taking = &part->taking;

        (void)result;
        if (!inspect_taking_begin(taking))
                part->failure = -ENOMEM;
        else if (!inspect_walk_slabs(taking->program, part->slabs, part->from, part->to, visit, part))
                part->failure = -EIO;
        inspect_taking_end(taking);
        return part->failure;
}

/* --- all of them --- */

/* By as many threads as there are processors; here if there can be none, or there is little to do. */
static int take_parts(struct part *parts, size_t count)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .name = "inspect"};
        struct plait_executor *executor;
        int r = count > 1 ? plait_executor_threads(&opts, &executor) : -EAGAIN;

        if (r == 0) {
                r = plait_executor_map(executor, take_part, parts, sizeof *parts, NULL, 0, count, NULL);
                plait_executor_free(executor);
        }
        if (r != -EAGAIN)
                return r;
        for (r = 0; r == 0 && count > 0; count--)
                r = take_part(parts++, NULL);
        return r;
}

/* Move together what they have taken in. */
static void join_parts(struct inspect_picture *picture, const struct part *parts, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                const struct taking *taking = &parts[i].taking;

                memmove(picture->tasks + picture->n_tasks, taking->tasks, taking->n_tasks * sizeof *taking->tasks);
                picture->n_tasks += taking->n_tasks;
                picture->changed += taking->changed;
                picture->lost_stacks += taking->lost_stacks;
                for (int state = 0; state < INSPECT_STATES; state++)
                        picture->counts[state] += taking->counts[state];
        }
}

static int take_slabs(const struct taking *like, const struct slab_list *slabs)
{
        const size_t count = (slabs->n + SLABS_AT_ONCE - 1) / SLABS_AT_ONCE;
        struct inspect_picture *picture = like->picture;
        struct part *parts = calloc(count + 1, sizeof *parts);
        int r = -ENOMEM;

        picture->tasks = reallocarray(NULL, slabs->objects + 1, sizeof *picture->tasks);
        if (parts && picture->tasks) {
                for (size_t i = 0; i < count; i++) {
                        struct part *part = &parts[i];

                        *part = (struct part){.taking = *like, .slabs = slabs, .from = i * SLABS_AT_ONCE};
                        part->to = slabs->n - part->from < SLABS_AT_ONCE ? slabs->n : part->from + SLABS_AT_ONCE;
                        part->taking.tasks = picture->tasks + slabs->slabs[part->from].before;
                }
                r = take_parts(parts, count);
        }
        if (r == 0)
                join_parts(picture, parts, count);
        free(parts);
        return r;
}

int inspect_take_tasks(const struct taking *like)
{
        const struct plait_registry *layout = &like->program->layout;
        struct slab_list slabs;

        if (!inspect_list_slabs(like->program, layout->task_pool, layout->task.bytes, &slabs))
                return -EIO;
        int r = take_slabs(like, &slabs);
        inspect_slabs_done(&slabs);
        return r;
}
