/*
 * The lock-order detector. The first half has programs with an order that can deadlock, and did not this time: each is
 * reported. The second half has programs that cannot deadlock: there is no report, or a weak one at most. Strong
 * reports end these programs (PLAIT_LOCKORDER=abort).
 */
#include <plait/plait.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "harness/task.h"

/* Everything in one task after the other, which is what the detector is for: nothing ever waits. */
static void strict(void (*body)(void))
{
        CHECK_SYS(setenv("PLAIT_LOCKORDER", "abort", 1));
        in_task(body);
}

static void with_off(void (*body)(void))
{
        CHECK_SYS(setenv("PLAIT_LOCKORDER", "off", 1));
        in_task(body);
}

static void with_warn(void (*body)(void))
{
        CHECK_SYS(setenv("PLAIT_LOCKORDER", "warn", 1));
        in_task(body);
}

#define CIRCLE "lock order: 2 locks are taken in a circle .two tasks"

static void lock(struct plait_mutex *mutex)
{
        CHECK_INT(plait_mutex_lock(mutex, PLAIT_NEVER), ==, 0);
}

static void lock_pair(struct plait_mutex *first, struct plait_mutex *second)
{
        lock(first);
        lock(second);
        plait_mutex_unlock(second);
        plait_mutex_unlock(first);
}

struct pair {
        struct plait_mutex *first, *second;
};

static int pair_task(void *arg)
{
        const struct pair *pair = arg;

        lock_pair(pair->first, pair->second);
        return 0;
}

/* In a task of its own, which ends before this returns. */
static void by_task(int (*fn)(void *), void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_scope_go(&scope, fn, arg));
        CHECK_OK(plait_scope_join(&scope));
}

static void pair_by_task(struct plait_mutex *first, struct plait_mutex *second)
{
        struct pair pair = {first, second};

        by_task(pair_task, &pair);
}

static void *pair_thread(void *arg)
{
        pair_task(arg);
        return NULL;
}

static void pair_by_thread(struct plait_mutex *first, struct plait_mutex *second)
{
        struct pair pair = {first, second};
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, pair_thread, &pair), ==, 0);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
}

static struct plait_mutex a, b, c, d;

static struct plait_mutex *new_mutex(void)
{
        struct plait_mutex *mutex = calloc(1, sizeof *mutex);

        CHECK(mutex != NULL);
        return mutex;
}

/* --- what can deadlock --- */

TEST(order_of_two_tasks_is_reported, .run = strict, .signal = SIGABRT, .stderr_match = CIRCLE)
{
        pair_by_task(&a, &b);
        pair_by_task(&b, &a);
}

TEST(order_of_two_threads_is_reported, .run = strict, .signal = SIGABRT, .stderr_match = CIRCLE)
{
        pair_by_thread(&a, &b);
        pair_by_thread(&b, &a);
}

TEST(order_of_a_task_and_a_thread_is_reported, .run = strict, .signal = SIGABRT, .stderr_match = CIRCLE)
{
        pair_by_task(&a, &b);
        pair_by_thread(&b, &a);
}

TEST(order_of_three_locks_is_reported, .run = strict, .signal = SIGABRT,
     .stderr_match = "3 locks are taken in a circle .two")
{
        pair_by_task(&a, &b);
        pair_by_task(&b, &c);
        pair_by_task(&c, &a);
}

TEST(order_of_four_locks_is_reported, .run = strict, .signal = SIGABRT,
     .stderr_match = "4 locks are taken in a circle .two")
{
        pair_by_task(&a, &b);
        pair_by_task(&b, &c);
        pair_by_task(&c, &d);
        pair_by_task(&d, &a);
}

static int name_a_b(void *arg)
{
        (void)arg;
        CHECK_OK(plait_task_set_name("transfer"));
        lock_pair(&a, &b);
        return 0;
}

static int name_b_a(void *arg)
{
        (void)arg;
        CHECK_OK(plait_task_set_name("audit"));
        lock_pair(&b, &a);
        return 0;
}

TEST(order_report_has_both_tasks_and_stacks, .run = strict, .signal = SIGABRT,
     .stderr_match = "task 'transfer' .#[0-9]+., holding lock .* took lock (.|\n)*test_lock_order(.|\n)*"
                     "task 'audit' .#[0-9]+., holding lock .* now takes lock (.|\n)*test_lock_order")
{
        by_task(name_a_b, NULL);
        by_task(name_b_a, NULL);
}

static int lock_inner_of_three(void *arg)
{
        (void)arg;
        lock(&a);
        lock(&c);
        lock(&b);
        plait_mutex_unlock(&c); /* not in the order of locking */
        plait_mutex_unlock(&a);
        plait_mutex_unlock(&b);
        return 0;
}

TEST(order_of_the_outermost_and_the_innermost_is_reported, .run = strict, .signal = SIGABRT, .stderr_match = CIRCLE)
{
        by_task(lock_inner_of_three, NULL);
        pair_by_task(&b, &a);
}

static int try_then_lock(void *arg)
{
        const struct pair *pair = arg;

        CHECK_INT(plait_mutex_trylock(pair->first), ==, 0);
        lock(pair->second);
        plait_mutex_unlock(pair->second);
        plait_mutex_unlock(pair->first);
        return 0;
}

TEST(order_from_a_try_lock_is_reported, .run = strict, .signal = SIGABRT, .stderr_match = CIRCLE)
{
        struct pair pair = {&a, &b};

        by_task(try_then_lock, &pair);
        pair_by_task(&b, &a);
}

TEST(order_of_locks_on_the_heap_is_reported_when_both_are_in_use, .run = strict, .signal = SIGABRT,
     .stderr_match = CIRCLE)
{
        struct plait_mutex *first = new_mutex(), *second = new_mutex();

        for (int i = 0; i < 2; i++) {
                pair_by_task(first, second);
                pair_by_task(second, first); /* NOLINT(readability-suspicious-call-argument) */
        }
}

TEST(order_of_locks_on_the_heap_is_weak_at_first, .run = strict, .stderr_match = "weak: .* new at that time")
{
        struct plait_mutex *first = new_mutex(), *second = new_mutex();

        pair_by_task(first, second);
        pair_by_task(second, first); /* NOLINT(readability-suspicious-call-argument) */
        free(first);
        free(second);
}

TEST(order_of_locks_on_the_stack_is_reported, .run = strict, .signal = SIGABRT, .stderr_match = CIRCLE)
{
        struct plait_mutex first = PLAIT_MUTEX_INIT, second = PLAIT_MUTEX_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct pair forth = {&first, &second}, back = {&second, &first};
        struct plait_task *task;

        if (TEST_WITH_ASAN)
                SKIP("what is on the stack is elsewhere, where locks may be new");
        /* Not inside this one's join, which may run them on this stack. */
        CHECK_OK(plait_scope_start(&scope, pair_task, &forth, NULL, &task));
        CHECK_OK(plait_task_wait(task, PLAIT_NEVER, NULL));
        plait_task_unref(task);
        CHECK_OK(plait_scope_start(&scope, pair_task, &back, NULL, &task));
        CHECK_OK(plait_task_wait(task, PLAIT_NEVER, NULL));
        plait_task_unref(task);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(order_of_two_classes_is_reported_for_other_objects, .run = strict, .signal = SIGABRT,
     .stderr_match = "class 'account'.*class 'bank'")
{
        struct plait_mutex bank[2], account[2];

        for (int i = 0; i < 2; i++) {
                plait_mutex_init(&bank[i], "bank");
                plait_mutex_init(&account[i], "account");
        }
        pair_by_task(&bank[0], &account[0]);
        pair_by_task(&account[1], &bank[1]);
}

TEST(order_of_classes_by_line_is_reported, .run = strict, .signal = SIGABRT,
     .stderr_match = "class '.*test_lock_order.c:")
{
        struct plait_mutex outer[2], inner[2];

        for (int i = 0; i < 2; i++)
                plait_mutex_init(&outer[i], NULL);
        for (int i = 0; i < 2; i++)
                plait_mutex_init(&inner[i], NULL);
        pair_by_task(&outer[0], &inner[0]);
        pair_by_task(&inner[1], &outer[1]);
}

TEST(order_inside_a_class_is_reported, .run = strict, .signal = SIGABRT, .stderr_match = CIRCLE)
{
        static struct plait_mutex rows[2];

        plait_mutex_init(&rows[0], "row");
        plait_mutex_init(&rows[1], "row");
        pair_by_task(&rows[0], &rows[1]);
        pair_by_task(&rows[1], &rows[0]);
}

static int nested_down(void *arg)
{
        const struct pair *pair = arg;

        CHECK_INT(plait_mutex_lock(pair->first, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_mutex_lock_nested(pair->second, PLAIT_NEVER, 1), ==, 0);
        lock(&c);
        plait_mutex_unlock(&c);
        plait_mutex_unlock(pair->second);
        plait_mutex_unlock(pair->first);
        return 0;
}

TEST(order_between_a_level_and_another_lock_is_reported, .run = strict, .signal = SIGABRT, .stderr_match = CIRCLE)
{
        struct plait_mutex tree[2];
        struct pair pair = {&tree[0], &tree[1]};

        plait_mutex_init(&tree[0], "tree");
        plait_mutex_init(&tree[1], "tree");
        by_task(nested_down, &pair);
        pair_by_task(&c, &tree[1]);
}

static struct plait_condition never_signalled;

/* Takes a again while it holds b. */
static int wait_with_another_lock(void *arg)
{
        (void)arg;
        lock(&a);
        lock(&b);
        CHECK_INT(plait_condition_wait(&never_signalled, &a, plait_in_ms(1)), ==, -ETIMEDOUT);
        plait_mutex_unlock(&b);
        plait_mutex_unlock(&a);
        return 0;
}

TEST(order_of_a_condition_taking_its_mutex_again_is_reported, .run = strict,
     .stderr_match = "lock order: 2 locks are taken in a circle .weak: one task")
{
        by_task(wait_with_another_lock, NULL);
}

TEST(order_that_needs_two_of_that_task_is_reported, .run = strict, .signal = SIGABRT, .stderr_match = CIRCLE)
{
        by_task(wait_with_another_lock, NULL);
        by_task(wait_with_another_lock, NULL);
}

static int guarded_once(void *arg)
{
        const struct pair *pair = arg;

        lock(&d);
        lock_pair(pair->first, pair->second);
        plait_mutex_unlock(&d);
        return 0;
}

TEST(order_under_a_lock_that_one_side_lacks_is_reported, .run = strict, .signal = SIGABRT, .stderr_match = CIRCLE)
{
        struct pair pair = {&a, &b};

        by_task(guarded_once, &pair);
        pair_by_task(&b, &a);
}

TEST(order_under_a_lock_that_is_left_out_later_is_reported, .run = strict, .signal = SIGABRT, .stderr_match = CIRCLE)
{
        struct pair forth = {&a, &b}, back = {&b, &a};

        by_task(guarded_once, &forth);
        by_task(guarded_once, &back);
        pair_by_task(&b, &a); /* now without */
}

static int locks_across_a_wait(void *arg)
{
        const struct pair *pair = arg;

        lock(pair->first);
        CHECK_OK(plait_sleep(plait_in_ms(1)));
        plait_yield();
        lock(pair->second);
        plait_yield();
        plait_mutex_unlock(pair->second);
        CHECK_OK(plait_sleep(plait_in_ms(1)));
        plait_mutex_unlock(pair->first);
        return 0;
}

TEST(order_across_waits_is_reported, .run = strict, .signal = SIGABRT, .stderr_match = CIRCLE)
{
        struct pair forth = {&a, &b}, back = {&b, &a};

        by_task(locks_across_a_wait, &forth);
        by_task(locks_across_a_wait, &back);
}

TEST(order_that_only_warns_goes_on, .run = with_warn, .stderr_match = CIRCLE)
{
        pair_by_task(&a, &b);
        pair_by_task(&b, &a);
        CHECK_INT(plait_mutex_trylock(&a), ==, 0);
        plait_mutex_unlock(&a);
}

/* --- what cannot, or what is not asked for --- */

/* Standard error has to be empty. */
#define SILENT "\\`\\'"

TEST(order_of_one_task_alone_is_weak, .run = strict,
     .stderr_match = "weak: one task or thread took them in both orders")
{
        lock_pair(&a, &b);
        lock_pair(&b, &a);
}

TEST(order_that_is_always_the_same_is_silent, .run = strict, .stderr_match = SILENT)
{
        for (int i = 0; i < 3; i++) {
                pair_by_task(&a, &b);
                pair_by_thread(&b, &c);
                pair_by_task(&a, &c);
        }
}

TEST(order_into_a_try_lock_is_silent, .run = strict, .stderr_match = SILENT)
{
        pair_by_task(&a, &b);
        lock(&b);
        CHECK_INT(plait_mutex_trylock(&a), ==, 0);
        plait_mutex_unlock(&a);
        plait_mutex_unlock(&b);
}

TEST(order_switched_off_is_silent, .run = with_off, .stderr_match = SILENT)
{
        pair_by_task(&a, &b);
        pair_by_task(&b, &a);
}

TEST(order_under_a_common_lock_is_silent, .run = strict, .stderr_match = SILENT)
{
        struct pair forth = {&a, &b}, back = {&b, &a};

        by_task(guarded_once, &forth);
        by_task(guarded_once, &back);
}

struct node {
        struct plait_mutex mutex;
        struct node *next;
        int value;
};

/* From the first to the last, holding two at most. */
static int walk(void *arg)
{
        struct node *node = arg;

        lock(&node->mutex);
        while (node->next) {
                struct node *next = node->next;

                lock(&next->mutex);
                plait_mutex_unlock(&node->mutex);
                node = next;
                node->value++;
        }
        plait_mutex_unlock(&node->mutex);
        return 0;
}

static void make_list(struct node *nodes, int n)
{
        memset(nodes, 0, (size_t)n * sizeof *nodes);
        for (int i = 0; i + 1 < n; i++)
                nodes[i].next = &nodes[i + 1];
}

TEST(order_hand_over_hand_is_silent, .run = strict, .stderr_match = SILENT)
{
        static struct node nodes[50];
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        make_list(nodes, 50);
        for (int i = 0; i < 8; i++)
                CHECK_OK(plait_scope_go(&scope, walk, nodes));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(nodes[49].value, ==, 8);
}

TEST(order_hand_over_hand_inside_a_class_is_silent, .run = strict, .stderr_match = SILENT)
{
        static struct node nodes[50];

        make_list(nodes, 50);
        for (int i = 0; i < 50; i++)
                plait_mutex_init(&nodes[i].mutex, "node");
        for (int i = 0; i < 3; i++)
                by_task(walk, nodes);
}

static struct plait_mutex list_mutex;
static struct node *list;

/* Takes the new object's lock, which nobody knows of, and then the list's; others take them the other way round. */
static int insert_new(void *arg)
{
        struct node *node = calloc(1, sizeof *node);

        CHECK(node != NULL);
        if (arg)
                plait_mutex_init(&node->mutex, arg);
        lock(&node->mutex);
        lock(&list_mutex);
        node->next = list;
        list = node;
        plait_mutex_unlock(&list_mutex);
        node->value = 1;
        plait_mutex_unlock(&node->mutex);
        return 0;
}

static int sum_list(void *arg)
{
        int sum = 0;

        (void)arg;
        lock(&list_mutex);
        for (struct node *node = list; node; node = node->next) {
                lock(&node->mutex);
                sum += node->value;
                plait_mutex_unlock(&node->mutex);
        }
        plait_mutex_unlock(&list_mutex);
        CHECK_INT(sum, >, 0);
        return 0;
}

static void free_list(void)
{
        while (list) {
                struct node *node = list;

                list = node->next;
                free(node);
        }
}

TEST(order_of_a_new_object_is_not_strong, .run = strict)
{
        for (int i = 0; i < 5; i++) {
                by_task(insert_new, NULL);
                by_task(sum_list, NULL);
        }
        free_list();
}

TEST(order_of_a_new_object_of_a_class_is_not_strong, .run = strict)
{
        for (int i = 0; i < 5; i++) {
                by_task(insert_new, (void *)(uintptr_t) "node");
                by_task(sum_list, NULL);
        }
        free_list();
}

/* The same address, another lock. */
TEST(order_of_memory_used_again_is_silent, .run = strict, .stderr_match = SILENT)
{
        static struct plait_mutex place[2];

        for (int i = 0; i < 4; i++) {
                memset(place, 0, sizeof place);
                pair_by_task(&place[i % 2], &place[1 - i % 2]);
        }
}

TEST(order_of_memory_initialised_again_is_silent, .run = strict, .stderr_match = SILENT)
{
        static struct plait_mutex place[2];

        for (int i = 0; i < 4; i++) {
                plait_mutex_init(&place[0], "place");
                plait_mutex_init(&place[1], "place");
                pair_by_task(&place[i % 2], &place[1 - i % 2]);
        }
}

TEST(order_of_levels_is_silent, .run = strict, .stderr_match = SILENT)
{
        struct plait_mutex tree[2];
        struct pair down = {&tree[0], &tree[1]}, other = {&tree[1], &tree[0]};

        plait_mutex_init(&tree[0], "tree");
        plait_mutex_init(&tree[1], "tree");
        by_task(nested_down, &down);
        by_task(nested_down, &other);
}

TEST(order_of_levels_without_a_class_is_silent, .run = strict, .stderr_match = SILENT)
{
        struct pair down = {&a, &b}, other = {&b, &a};

        by_task(nested_down, &down);
        by_task(nested_down, &other);
}

TEST(order_after_letting_go_is_silent, .run = strict, .stderr_match = SILENT)
{
        for (int i = 0; i < 2; i++) {
                pair_by_task(&a, &b);
                lock(&b);
                plait_mutex_unlock(&b);
                lock(&a);
                plait_mutex_unlock(&a);
        }
}

static int counts_below(void *arg)
{
        (void)arg;
        lock_pair(&b, &c);
        return 0;
}

/* What a child does while its parent holds a lock is not done holding it. */
TEST(order_of_a_child_does_not_include_what_its_parent_holds, .run = strict, .stderr_match = SILENT)
{
        pair_by_task(&b, &a);
        lock(&a);
        by_task(counts_below, NULL);
        plait_mutex_unlock(&a);
}

/* Nobody waits inside a wait for a condition. */
TEST(order_is_not_learnt_from_a_mutex_that_a_condition_let_go_of, .run = strict, .stderr_match = SILENT)
{
        lock(&a);
        CHECK_INT(plait_condition_wait(&never_signalled, &a, plait_in_ms(1)), ==, -ETIMEDOUT);
        plait_mutex_unlock(&a);
        pair_by_task(&b, &a);
        pair_by_thread(&b, &a);
}

enum { MANY = 3000 };

/* More locks than the detector can remember orders of. */
TEST(order_of_very_many_locks_is_silent, .run = strict, .stderr_match = SILENT, .timeout_ms = 120000)
{
        static struct node nodes[MANY];

        for (int round = 0; round < 15; round++) {
                make_list(nodes, MANY);
                by_task(walk, nodes);
        }
        CHECK_INT(nodes[MANY - 1].value, ==, 1);
}

TEST(order_is_learnt_again_after_very_many_locks, .run = strict, .signal = SIGABRT, .stderr_match = CIRCLE,
     .timeout_ms = 120000)
{
        static struct node nodes[MANY];

        for (int round = 0; round < 15; round++) {
                make_list(nodes, MANY);
                by_task(walk, nodes);
        }
        pair_by_task(&a, &b);
        pair_by_task(&b, &a);
}

TEST(order_holding_more_locks_than_are_listed_works, .run = strict, .stderr_match = SILENT)
{
        static struct plait_mutex many[100];

        for (int round = 0; round < 2; round++) {
                for (int i = 0; i < 100; i++)
                        lock(&many[i]);
                for (int i = 0; i < 100; i++)
                        plait_mutex_unlock(&many[i]);
        }
        lock(&many[0]);
        plait_mutex_unlock(&many[0]);
}

TEST(order_level_out_of_range_is_refused, .run = in_task)
{
        CHECK_INT(plait_mutex_lock_nested(&a, PLAIT_NEVER, PLAIT_MUTEX_LEVEL_MAX + 1), ==, -EINVAL);
        CHECK_INT(plait_mutex_lock_nested(&a, PLAIT_NEVER, PLAIT_MUTEX_LEVEL_MAX), ==, 0);
        CHECK_INT(plait_mutex_trylock(&a), ==, -EBUSY);
        plait_mutex_unlock(&a);
}

static void *unlock_in_thread(void *arg)
{
        plait_mutex_unlock(arg);
        return NULL;
}

TEST(unlock_by_another_than_the_holder_is_named, .signal = SIGABRT,
     .stderr_match = "mutex .* was unlocked by another than its holder, thread [0-9]+")
{
        pthread_t thread;

        lock(&a);
        CHECK_INT(pthread_create(&thread, NULL, unlock_in_thread, &a), ==, 0);
        pthread_join(thread, NULL);
}
