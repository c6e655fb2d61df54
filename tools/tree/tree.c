/*
 * `plait tree`: the scopes of a program, one in the other, and their tasks. Tasks that are alike are one line.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <plait/base.h>

#include "command.h"
#include "inspect/program.h"
#include "inspect/target.h"
#include "inspect/words.h"
#include "term/json.h"
#include "term/text.h"

enum { KEY_JSON = 256, DEEPEST = 500, TEXT = 256 };

struct options {
        const char *target;
        bool all, json;
};

/* Scopes hang below the task that opened them, and tasks below the scope that they were started in. */
struct tree {
        const struct options *options;
        struct inspect_program program;
        struct inspect_picture picture;
        struct unwinder *unwinder;
        struct words words;
        struct intern by_address; /* of tasks -> task_at */
        uint32_t *task_at;        /* index of a task */
        uint32_t *first_task;     /* of a scope: index of a task + 1 */
        uint32_t *next_task;      /* of a task */
        uint32_t *first_scope;    /* that a task has opened: index + 1; the outermost */
        uint32_t *next_scope;     /* of a scope: the next one that the same task has opened */
        struct intern alike;      /* descriptions of tasks that are printed together */
        struct json json;
};

static const struct argp_option known[] = {
        {"all", 'a', NULL, 0, "Each task on a line of its own, however alike they are", 0},
        {"json", KEY_JSON, NULL, 0, "One JSON document", 0},
        {0},
};

static const char doc[] = "Show the scopes of a program that uses plait, one in the other, their deadlines and "
                          "cancellation, and the tasks "
                          "in each. Tasks that are alike (same name, state, and what they wait for) are one line with "
                          "their number. TARGET "
                          "is the number of a process, or a core file."
                          "\v"
                          "Examples:\n"
                          "  plait tree 4711\n"
                          "  plait tree --all core.4711\n"
                          "\n"
                          "Exit status: 0 all well, 1 it cannot be read, 2 wrong usage. plait-tree(1) tells all.";

/* --- who is where --- */

static bool allocate(struct tree *tree)
{
        size_t tasks = tree->picture.n_tasks + 1;
        size_t scopes = tree->picture.scope_index.n + 1U;

        tree->task_at = calloc(tasks, sizeof *tree->task_at);
        tree->next_task = calloc(tasks, sizeof *tree->next_task);
        tree->first_scope = calloc(tasks, sizeof *tree->first_scope);
        tree->first_task = calloc(scopes, sizeof *tree->first_task);
        tree->next_scope = calloc(scopes, sizeof *tree->next_scope);
        return tree->task_at && tree->next_task && tree->first_scope && tree->first_task && tree->next_scope;
}

static uint32_t scope_index(const struct tree *tree, uint64_t address)
{
        return intern_find(&tree->picture.scope_index, &address, sizeof address);
}

static bool hang_up(struct tree *tree)
{
        struct inspect_picture *picture = &tree->picture;

        if (!allocate(tree))
                return false;
        for (size_t i = picture->n_tasks; i-- > 0;) {
                const struct inspect_task *task = &picture->tasks[i];
                uint32_t home = task->tid ? INTERN_NONE : scope_index(tree, task->home);
                uint32_t at = intern(&tree->by_address, &task->address, sizeof task->address, NULL);

                if (at == INTERN_NONE)
                        return false;
                tree->task_at[at] = (uint32_t)i;
                if (home != INTERN_NONE) {
                        tree->next_task[i] = tree->first_task[home];
                        tree->first_task[home] = (uint32_t)i + 1;
                }
        }
        for (uint32_t i = 0; i < picture->scope_index.n; i++) {
                const struct inspect_scope *scope = &picture->scopes[i];
                uint32_t owner = intern_find(&tree->by_address, &scope->owner, sizeof scope->owner);

                if (!scope->open || !scope->owner || owner == INTERN_NONE)
                        continue;
                uint32_t task = tree->task_at[owner];
                tree->next_scope[i] = tree->first_scope[task];
                tree->first_scope[task] = i + 1;
        }
        return true;
}

/* Of the scopes that *task* has opened: the one around all others inside *around*. */
static uint32_t scope_inside(const struct tree *tree, uint32_t task, uint64_t around)
{
        for (uint32_t i = tree->first_scope[task]; i; i = tree->next_scope[i - 1])
                if (tree->picture.scopes[i - 1].parent == around)
                        return i;
        return 0;
}

/* --- text --- */

static void indent(size_t depth)
{
        for (size_t i = 0; i < depth; i++)
                fputs("  ", stdout);
}

static const char *describe_task(struct tree *tree, const struct inspect_task *task, bool with_id, char *text,
                                 size_t size)
{
        char wait[128], age[32] = "";

        words_wait(&tree->words, task, wait, sizeof wait);
        if (with_id && task->state == INSPECT_WAITING && task->aged)
                text_seconds(task->age_ms / 1e3, age, sizeof age);
        if (with_id)
                snprintf(text, size, "#%" PRIu64 " %s: %s%s%s%s%s", task->id, words_name(&tree->words, task),
                         inspect_state_name((enum inspect_state)task->state), *wait ? " for " : "", wait,
                         *age ? ", for " : "", age);
        else
                snprintf(text, size, "%s: %s%s%s", words_name(&tree->words, task),
                         inspect_state_name((enum inspect_state)task->state), *wait ? " for " : "", wait);
        return text;
}

static void print_scope(struct tree *tree, uint32_t scope, size_t depth);

static void print_scopes_of(struct tree *tree, uint32_t task, size_t depth)
{
        uint32_t scope = scope_inside(tree, task, tree->picture.tasks[task].home);

        if (scope)
                print_scope(tree, scope - 1, depth);
}

static void print_task(struct tree *tree, uint32_t task, size_t depth)
{
        char text[2 * TEXT];

        indent(depth);
        puts(describe_task(tree, &tree->picture.tasks[task], true, text, sizeof text));
        print_scopes_of(tree, task, depth + 1);
}

/* Tasks without scopes of their own: how many there are of each kind. */
static void print_alike(struct tree *tree, uint32_t scope, size_t depth)
{
        uint64_t *counts = NULL;
        uint32_t *firsts = NULL;
        size_t room = 0;
        char text[2 * TEXT];

        intern_done(&tree->alike);
        for (uint32_t i = tree->first_task[scope]; i; i = tree->next_task[i - 1]) {
                if (tree->first_scope[i - 1])
                        continue;
                describe_task(tree, &tree->picture.tasks[i - 1], false, text, sizeof text);
                uint32_t kind = intern(&tree->alike, text, (uint32_t)strlen(text) + 1, NULL);
                if (kind == INTERN_NONE)
                        break;
                if (kind >= room) {
                        size_t more = room ? room * 2 : 64;
                        uint64_t *grown = realloc(counts, more * sizeof *counts);
                        uint32_t *grown_firsts = realloc(firsts, more * sizeof *firsts);

                        counts = grown ? grown : counts;
                        firsts = grown_firsts ? grown_firsts : firsts;
                        if (!grown || !grown_firsts)
                                break;
                        memset(counts + room, 0, (more - room) * sizeof *counts);
                        room = more;
                }
                if (counts[kind]++ == 0)
                        firsts[kind] = i - 1;
        }
        for (uint32_t kind = 0; kind < tree->alike.n && kind < room; kind++) {
                char number[32];

                if (counts[kind] == 1) {
                        print_task(tree, firsts[kind], depth);
                } else if (counts[kind] > 1) {
                        indent(depth);
                        printf("%s x %s\n", text_count(counts[kind], number, sizeof number),
                               (const char *)intern_get(&tree->alike, kind, NULL));
                }
        }
        free(counts);
        free(firsts);
}

static void print_head(struct tree *tree, const struct inspect_scope *scope, size_t depth)
{
        char where[128], time[32];

        indent(depth);
        if (!scope->opened_at)
                fputs("scope of the runtime", stdout);
        else
                printf("scope opened at %s", words_scope(&tree->words, scope, where, sizeof where));
        if (scope->tasks > 0)
                printf(", %s task%s", text_count((uint64_t)scope->tasks, time, sizeof time),
                       scope->tasks == 1 ? "" : "s");
        if (scope->deadline_ns) {
                double left = (double)(scope->deadline_ns - tree->picture.now_ns) / 1e9;

                if (left >= 0)
                        printf(", %s left", text_seconds(left, time, sizeof time));
                else
                        printf(", %s past its deadline", text_seconds(-left, time, sizeof time));
        }
        if (scope->shield)
                fputs(", shielded", stdout);
        if (scope->cancelled)
                fputs(", cancelled", stdout);
        if (scope->error) {
                const char *name = strerrorname_np(-scope->error);

                printf(" (%s)", name ? name : "error");
        }
        putchar('\n');
}

/* The scope, the tasks that were started in it, and the scope that its owner has opened inside. */
static void print_scope(struct tree *tree, uint32_t scope, size_t depth)
{
        const struct inspect_scope *shown = &tree->picture.scopes[scope];
        uint32_t owner = intern_find(&tree->by_address, &shown->owner, sizeof shown->owner);

        print_head(tree, shown, depth);
        if (depth > DEEPEST) {
                indent(depth + 1);
                puts("...");
                return;
        }
        for (uint32_t i = tree->first_task[scope]; i; i = tree->next_task[i - 1])
                if (tree->options->all || tree->first_scope[i - 1])
                        print_task(tree, i - 1, depth + 1);
        if (!tree->options->all)
                print_alike(tree, scope, depth + 1);
        if (shown->open && shown->owner && owner != INTERN_NONE) {
                uint32_t inner = scope_inside(tree, tree->task_at[owner], shown->address);

                if (inner && inner - 1 != scope)
                        print_scope(tree, inner - 1, depth + 1);
        }
}

/* --- JSON --- */

static void json_scope(struct tree *tree, uint32_t index, size_t depth);

static void json_task(struct tree *tree, uint32_t index, size_t depth)
{
        const struct inspect_task *task = &tree->picture.tasks[index];
        struct json *json = &tree->json;
        char wait[128];

        json_open(json, NULL, '{');
        json_integer(json, "id", task->id);
        json_string(json, "name", task->name == INTERN_NONE ? NULL : inspect_name(&tree->program, task));
        json_string(json, "function", words_function(&tree->words, task->fn));
        json_string(json, "state", inspect_state_name((enum inspect_state)task->state));
        words_wait(&tree->words, task, wait, sizeof wait);
        json_string(json, "waits_on", *wait ? wait : NULL);
        json_number(json, "since_s", task->state == INSPECT_WAITING && task->aged ? task->age_ms / 1e3 : (double)NAN);
        json_open(json, "scopes", '[');
        uint32_t scope = scope_inside(tree, index, task->home);
        if (scope)
                json_scope(tree, scope - 1, depth + 1);
        json_close(json, ']');
        json_close(json, '}');
}

static void json_scope(struct tree *tree, uint32_t index, size_t depth)
{
        const struct inspect_scope *scope = &tree->picture.scopes[index];
        uint32_t owner = intern_find(&tree->by_address, &scope->owner, sizeof scope->owner);
        struct json *json = &tree->json;
        char where[128], address[24];

        snprintf(address, sizeof address, "0x%" PRIx64, scope->address);
        json_open(json, NULL, '{');
        json_string(json, "address", address);
        json_string(json, "opened_at", scope->opened_at ? words_scope(&tree->words, scope, where, sizeof where) : NULL);
        json_number(json, "left_s",
                    scope->deadline_ns ? (double)(scope->deadline_ns - tree->picture.now_ns) / 1e9 : (double)NAN);
        json_integer(json, "shielded", scope->shield);
        json_integer(json, "cancelled", scope->cancelled);
        json_string(json, "error", scope->error ? strerrorname_np(-scope->error) : NULL);
        json_open(json, "tasks", '[');
        for (uint32_t i = tree->first_task[index]; i && depth <= DEEPEST; i = tree->next_task[i - 1])
                json_task(tree, i - 1, depth);
        json_close(json, ']');
        json_open(json, "scopes", '[');
        if (scope->open && scope->owner && owner != INTERN_NONE && depth <= DEEPEST) {
                uint32_t inner = scope_inside(tree, tree->task_at[owner], scope->address);

                if (inner && inner - 1 != index)
                        json_scope(tree, inner - 1, depth + 1);
        }
        json_close(json, ']');
        json_close(json, '}');
}

/* --- the whole --- */

/* Not inside another one, nor opened by a task that is shown. */
static bool is_top(const struct tree *tree, uint32_t index)
{
        const struct inspect_scope *scope = &tree->picture.scopes[index];

        if (!scope->open || !scope->owner)
                return tree->first_task[index] != 0;
        return intern_find(&tree->by_address, &scope->owner, sizeof scope->owner) == INTERN_NONE;
}

static void print(struct tree *tree)
{
        struct json *json = &tree->json;
        bool as_json = tree->options->json;

        if (as_json) {
                json_open(json, NULL, '{');
                json_integer(json, "schema", 1);
                json_integer(json, "pid", (uint64_t)tree->program.memory.pid);
                json_open(json, "scopes", '[');
        }
        for (uint32_t i = 0; i < tree->picture.scope_index.n; i++)
                if (is_top(tree, i)) {
                        if (as_json)
                                json_scope(tree, i, 0);
                        else
                                print_scope(tree, i, 0);
                }
        if (!as_json)
                return;
        json_close(json, ']');
        json_close(json, '}');
        json_newline(json);
        fwrite(json->text, 1, json->bytes, stdout);
}

static int take(struct tree *tree, struct inspect_error *error)
{
        int r = inspect_program_open(&tree->program, tree->options->target, error);

        if (r < 0)
                return r;
        tree->unwinder = unwinder_new(&tree->program.memory);
        words_init(&tree->words, &tree->program, tree->unwinder);
        r = inspect_take(&tree->program, PICTURE_SCOPES, NULL, &tree->picture, error);
        if (r < 0)
                return r;
        words_turn_to(&tree->words, &tree->picture);
        if (!tree->picture.run)
                return inspect_fail(error, "%s uses plait, but runs no tasks at the moment",
                                    tree->program.memory.command);
        return hang_up(tree) ? 0 : inspect_fail(error, "out of memory");
}

static int show(const struct options *options)
{
        struct tree tree = {.options = options};
        struct inspect_error error;
        int code = EXIT_OK;

        if (take(&tree, &error) == 0) {
                if (*inspect_gaps(&tree.program, &tree.picture, error.text, sizeof error.text))
                        fprintf(stderr, "plait tree: %s\n", error.text);
                print(&tree);
        } else {
                fprintf(stderr, "plait tree: %s\n", error.text);
                code = EXIT_FAILED;
        }
        if (tree.json.failed) {
                fputs("plait tree: out of memory\n", stderr);
                code = EXIT_FAILED;
        }
        json_done(&tree.json);
        free(tree.task_at);
        free(tree.next_task);
        free(tree.first_scope);
        free(tree.first_task);
        free(tree.next_scope);
        intern_done(&tree.by_address);
        intern_done(&tree.alike);
        words_done(&tree.words);
        inspect_picture_done(&tree.picture);
        unwinder_free(tree.unwinder);
        inspect_program_close(&tree.program);
        return code;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct options *options = state->input;

        switch (key) {
        case 'a': options->all = true; break;
        case KEY_JSON: options->json = true; break;
        default: return target_parse(key, arg, state, &options->target);
        }
        return 0;
}

int tree_main(int argc, char **argv)
{
        static const struct argp argp = {.options = known, .parser = parse, .args_doc = "TARGET", .doc = doc};
        struct options options = {.target = NULL};

        argp_err_exit_status = EXIT_USAGE;
        argp_program_version = "plait " PLAIT_VERSION;
        argp_parse(&argp, argc, argv, 0, NULL, &options);
        return show(&options);
}
