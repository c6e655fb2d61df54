/* The registry of tasks and threads: what a walk inside the process sees. */
#include "sched/registry.h"

#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <string.h>

#include "harness/task.h"
#include "harness/test.h"
#include "plait/event.h"
#include "plait/registry.h"
#include "plait/scope.h"

enum { TASKS = 3000 };

/* What is seen waiting for *object*. */
struct census {
        const void *object;
        int tasks;
        int threads;
        int alive;
        uint64_t id; /* the last task seen */
        struct plait_task *task;
        struct pl_registry_view view;
};

static bool count(struct pl_wait *wait, void *arg)
{
        struct census *census = arg;
        struct pl_registry_view view;

        census->alive += pl_registry_task(wait) != NULL;
        if (!pl_registry_look(wait, &view) || view.cause == PL_WAIT_NONE || view.object != census->object)
                return true;
        census->tasks += view.tid == 0;
        census->threads += view.tid != 0;
        if (pl_registry_task(wait))
                census->task = pl_registry_task(wait);
        census->view = view;
        return true;
}

static struct census census_of(const void *object)
{
        struct census census = {.object = object};

        pl_registry_for_each(count, &census);
        return census;
}

static void wait_until_seen(const void *object, int tasks, int threads)
{
        for (;;) {
                struct census census = census_of(object);

                CHECK_INT(census.tasks, <=, tasks);
                CHECK_INT(census.threads, <=, threads);
                if (census.tasks == tasks && census.threads == threads)
                        return;
                CHECK_OK(plait_sleep(plait_in_ms(1)));
        }
}

static int wait_for(void *event)
{
        return plait_event_wait(event, PLAIT_NEVER);
}

TEST(walk_sees_every_waiting_task_and_none_that_has_ended, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_event event = PLAIT_EVENT_INIT;
        int before = census_of(&event).alive;

        CHECK_INT(before, >=, 1); /* this one */
        for (int i = 0; i < TASKS; i++)
                CHECK_OK(plait_scope_go(&scope, wait_for, &event));
        wait_until_seen(&event, TASKS, 0);
        CHECK_INT(census_of(&event).alive, ==, before + TASKS);
        CHECK_INT(census_of(&event).view.cause, ==, PL_WAIT_EVENT);
        CHECK_STR(pl_registry_cause(PL_WAIT_EVENT), "event");

        plait_event_set(&event);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(census_of(&event).tasks, ==, 0);
        CHECK_INT(census_of(&event).alive, ==, before);
}

TEST(task_that_ended_is_not_alive_though_somebody_has_a_handle, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_event event = PLAIT_EVENT_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .name = "held"};
        struct plait_task *task;
        int before = census_of(&event).alive;

        CHECK_OK(plait_scope_start(&scope, wait_for, &event, &opts, &task));
        wait_until_seen(&event, 1, 0);
        CHECK_PTR(census_of(&event).task, ==, task);
        plait_event_set(&event);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(census_of(&event).alive, ==, before);
        plait_task_unref(task);
}

TEST(name_is_that_of_the_task_with_that_number_only, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_event event = PLAIT_EVENT_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .name = "a name"};
        char name[32] = "?";

        CHECK_OK(plait_scope_start(&scope, wait_for, &event, &opts, NULL));
        wait_until_seen(&event, 1, 0);
        struct census census = census_of(&event);
        pl_registry_name(census.task, census.view.id, name, sizeof name);
        CHECK_STR(name, "a name");
        pl_registry_name(census.task, census.view.id, name, 4);
        CHECK_STR(name, "a n");
        pl_registry_name(census.task, census.view.id + 1, name, sizeof name);
        CHECK_STR(name, "");
        plait_event_set(&event);
        CHECK_OK(plait_scope_join(&scope));
}

static int wait_twice(void *arg)
{
        struct plait_event *events = arg;
        int r = plait_event_wait(&events[0], PLAIT_NEVER);

        return r < 0 ? r : plait_event_wait(&events[1], PLAIT_NEVER);
}

TEST(each_wait_has_a_word_of_its_own, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_event events[2] = {PLAIT_EVENT_INIT, PLAIT_EVENT_INIT};

        CHECK_OK(plait_scope_go(&scope, wait_twice, events));
        wait_until_seen(&events[0], 1, 0);
        struct census first = census_of(&events[0]);
        plait_event_set(&events[0]);
        wait_until_seen(&events[1], 1, 0);
        struct census second = census_of(&events[1]);
        CHECK_UINT(first.view.id, ==, second.view.id);
        CHECK_UINT(first.view.word, !=, second.view.word);
        plait_event_set(&events[1]);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(age_of_a_wait_is_not_less_than_the_time_it_has_lasted, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_event event = PLAIT_EVENT_INIT;

        CHECK_OK(plait_scope_go(&scope, wait_for, &event));
        wait_until_seen(&event, 1, 0);
        CHECK_OK(plait_sleep(plait_in_ms(30)));
        uint32_t age = pl_registry_age_ms(census_of(&event).view.since_ms);
        CHECK_UINT(age, >=, 30);
        CHECK_UINT(age, <, 3600 * 1000);
        plait_event_set(&event);
        CHECK_OK(plait_scope_join(&scope));
}

static void *thread_waits(void *event)
{
        CHECK_OK(plait_event_wait(event, PLAIT_NEVER));
        return NULL;
}

TEST(walk_sees_plain_threads_that_wait_until_they_end, .run = in_task)
{
        struct plait_event event = PLAIT_EVENT_INIT;
        pthread_t threads[3];

        for (int i = 0; i < 3; i++)
                CHECK_INT(pthread_create(&threads[i], NULL, thread_waits, &event), ==, 0);
        wait_until_seen(&event, 0, 3);
        CHECK_UINT(census_of(&event).view.tid, !=, 0);
        plait_event_set(&event);
        for (int i = 0; i < 3; i++)
                CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
        CHECK_INT(census_of(&event).threads, ==, 0);
}

static bool stop_at_once(struct pl_wait *wait, void *arg)
{
        (void)wait;
        ++*(int *)arg;
        return false;
}

TEST(walk_stops_when_it_is_told_to, .run = in_task)
{
        int calls = 0;

        pl_registry_for_each(stop_at_once, &calls);
        CHECK_INT(calls, ==, 1);
}

/* --- the way in from outside --- */

static const struct plait_registry *from_note(const char *notes, size_t bytes)
{
        for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= bytes;) {
                const ElfW(Nhdr) *note = (const void *)(notes + at);
                const char *name = notes + at + sizeof *note;
                const char *content = name + ((note->n_namesz + 3U) & ~3U);

                if (note->n_type == PLAIT_REGISTRY_NOTE && note->n_namesz == 6 && !memcmp(name, "plait", 6)) {
                        int64_t distance;

                        CHECK_UINT(note->n_descsz, ==, sizeof distance);
                        memcpy(&distance, content, sizeof distance);
                        return (const void *)(content + distance);
                }
                at = (size_t)(content - notes) + ((note->n_descsz + 3U) & ~3U);
        }
        return NULL;
}

static int look_into_object(struct dl_phdr_info *object, size_t size, void *arg)
{
        const struct plait_registry **found = arg;

        (void)size;
        for (int i = 0; i < object->dlpi_phnum && !*found; i++)
                if (object->dlpi_phdr[i].p_type == PT_NOTE)
                        *found = from_note((const char *)object->dlpi_addr + object->dlpi_phdr[i].p_vaddr,
                                           object->dlpi_phdr[i].p_memsz);
        return *found != NULL;
}

TEST(note_leads_to_the_registry)
{
        const struct plait_registry *found = NULL;

        dl_iterate_phdr(look_into_object, &found);
        CHECK(found != NULL);
        CHECK_STR(found->magic, PLAIT_REGISTRY_MAGIC);
        CHECK_UINT(found->version, ==, PLAIT_REGISTRY_VERSION);
        CHECK_UINT(found->size, ==, sizeof *found);
        CHECK_STR(found->library, plait_version());
        CHECK_MEM(found, &plait_registry, sizeof *found);
}
