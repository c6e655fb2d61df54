/*
 * The scopes that the tasks of a picture are in. They stand in the stacks of the tasks that opened them, so a scope
 * that has just been closed may read as anything: only what says of itself that it is open is shown.
 */
#include <stdlib.h>
#include <string.h>

#include "inspect/program.h"

enum { BATCH = 1024 };

/* Note a scope that is to be read; those that were seen before are not. */
static int want(struct inspect_picture *picture, uint64_t address)
{
        bool is_new = false;

        if (!address)
                return 0;
        uint32_t index = intern(&picture->scope_index, &address, sizeof address, &is_new);
        if (index == INTERN_NONE)
                return -1;
        if (!is_new)
                return 0;
        if (index >= picture->scopes_room) {
                size_t room = picture->scopes_room ? picture->scopes_room * 2 : 64;
                struct inspect_scope *grown = realloc(picture->scopes, room * sizeof *grown);

                if (!grown)
                        return -1;
                picture->scopes = grown;
                picture->scopes_room = room;
        }
        picture->scopes[index] = (struct inspect_scope){.address = address};
        return 0;
}

static void read_scope(const struct plait_registry_scope *layout, const char *copy, struct inspect_scope *scope)
{
        scope->parent = inspect_get(copy, layout->parent);
        scope->owner = inspect_get(copy, layout->owner);
        scope->opened_at = inspect_get(copy, layout->opened_at);
        scope->deadline_ns = inspect_get_signed(copy, layout->deadline_ns);
        scope->tasks = inspect_get_signed(copy, layout->owed) + inspect_get_signed(copy, layout->pending) / 2;
        scope->error = (int32_t)inspect_get_signed(copy, layout->error);
        scope->shield = inspect_get(copy, layout->flags) & 1;
        scope->cancelled = inspect_get(copy, layout->cancelled) != 0;
        scope->open = inspect_get(copy, layout->state) != 0;
}

/* A core file may have zeros in place of a scope that has tasks. */
static bool is_lost(const struct inspect_program *program, const char *copy)
{
        return !program->memory.live && !copy[0] && memcmp(copy, copy + 1, program->layout.scope.bytes - 1) == 0;
}

/* The scopes [from, to) of the picture. */
static void read_batch(struct inspect_program *program, struct inspect_picture *picture, size_t from, size_t to,
                       char *copies, struct inspect_piece *pieces)
{
        const struct plait_registry_scope *layout = &program->layout.scope;

        for (size_t i = from; i < to; i++)
                pieces[i - from] = (struct inspect_piece){.address = picture->scopes[i].address,
                                                          .to = copies + (i - from) * layout->bytes,
                                                          .bytes = layout->bytes};
        inspect_read_all(&program->memory, pieces, to - from);
        for (size_t i = from; i < to; i++)
                if (pieces[i - from].ok && !is_lost(program, copies + (i - from) * layout->bytes))
                        read_scope(layout, copies + (i - from) * layout->bytes, &picture->scopes[i]);
                else
                        picture->lost_scopes++;
}

/* Read what is wanted, and the scopes around it, until there is nothing new. */
static int read_wanted(struct inspect_program *program, struct inspect_picture *picture)
{
        char *copies = malloc((size_t)BATCH * program->layout.scope.bytes);
        struct inspect_piece *pieces = calloc(BATCH, sizeof *pieces);
        int r = copies && pieces ? 0 : -1;

        for (size_t from = 0; r == 0 && from < picture->scope_index.n;) {
                size_t to = picture->scope_index.n - from < BATCH ? picture->scope_index.n : from + BATCH;

                read_batch(program, picture, from, to, copies, pieces);
                for (; r == 0 && from < to; from++)
                        if (picture->scopes[from].open)
                                r = want(picture, picture->scopes[from].parent);
        }
        free(copies);
        free(pieces);
        return r;
}

int inspect_take_scopes(struct inspect_program *program, struct inspect_picture *picture)
{
        uint64_t home = 0, scope = 0; /* mostly the same as those of the task before */

        for (size_t i = 0; i < picture->n_tasks; i++) {
                const struct inspect_task *task = &picture->tasks[i];

                if ((task->home != home && want(picture, task->home) < 0) ||
                    (task->scope != scope && want(picture, task->scope) < 0))
                        return -1;
                home = task->home;
                scope = task->scope;
        }
        return read_wanted(program, picture);
}

struct inspect_scope *inspect_find_scope(const struct inspect_picture *picture, uint64_t address)
{
        uint32_t index = intern_find(&picture->scope_index, &address, sizeof address);

        return index == INTERN_NONE ? NULL : &picture->scopes[index];
}
