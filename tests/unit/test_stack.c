/* Stacks from slabs: the pool, its guards, giving memory back, and what an overflow looks like. */
#include "harness/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem/guard.h"
#include "mem/overflow.h"
#include "mem/stack.h"
#include "mem/trim.h"
#include "plat/context.h"
#include "plat/sys.h"

static struct pl_stack_cache cache;

static struct pl_stack *get(enum pl_stack_class class)
{
        struct pl_stack *stack = pl_mem_stack_get(&cache, class);

        CHECK(stack != NULL);
        return stack;
}

static size_t rss_bytes(void)
{
        FILE *file = fopen("/proc/self/statm", "re");
        unsigned long size, resident;

        CHECK(file != NULL);
        CHECK_INT(fscanf(file, "%lu %lu", &size, &resident), ==, 2);
        fclose(file);
        return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* --- the pool --- */

TEST(class_is_the_smallest_that_fits)
{
        CHECK_INT(pl_mem_stack_class(0), ==, PL_STACK_DEFAULT);
        CHECK_INT(pl_mem_stack_class(1), ==, PL_STACK_16K);
        CHECK_INT(pl_mem_stack_class(16 << 10), ==, PL_STACK_16K);
        CHECK_INT(pl_mem_stack_class((16 << 10) + 1), ==, PL_STACK_64K);
        CHECK_INT(pl_mem_stack_class(1 << 20), ==, PL_STACK_1M);
        CHECK_INT(pl_mem_stack_class(8 << 20), ==, PL_STACK_8M);
        CHECK_INT(pl_mem_stack_class((8 << 20) + 1), ==, -EINVAL);
}

TEST(every_class_gives_whole_stacks)
{
        for (int class = 0; class < PL_STACK_CLASSES; class ++) {
                struct pl_stack *stack = get((enum pl_stack_class) class);
                char *base = pl_mem_stack_base(stack);

                CHECK_UINT((uintptr_t)stack->top % 64, ==, 0);
                CHECK_UINT((size_t)(stack->top - base), >=,
                           pl_mem_stack_class_bytes((enum pl_stack_class) class) - 960);
                CHECK_UINT((size_t)(stack->top - base), <=, pl_mem_stack_class_bytes((enum pl_stack_class) class));
                memset(base, 1, (size_t)(stack->top - base));
                pl_mem_stack_put(&cache, stack);
        }
}

TEST(last_in_is_first_out)
{
        struct pl_stack *a = get(PL_STACK_64K);
        struct pl_stack *b = get(PL_STACK_64K);

        CHECK_PTR(a, !=, b);
        pl_mem_stack_put(&cache, a);
        pl_mem_stack_put(&cache, b);
        CHECK_PTR(get(PL_STACK_64K), ==, b);
        CHECK_PTR(get(PL_STACK_64K), ==, a);
}

TEST(stacks_do_not_overlap_and_are_coloured)
{
        enum { N = 300 };
        static struct pl_stack *stacks[N];
        uint64_t colours = 0;

        for (int i = 0; i < N; i++) {
                stacks[i] = get(PL_STACK_16K);
                memset(pl_mem_stack_base(stacks[i]), i, (size_t)(stacks[i]->top - pl_mem_stack_base(stacks[i])));
                colours |= UINT64_C(1) << (-(uintptr_t)stacks[i]->top & 4095) / 64;
        }
        for (int i = 0; i < N; i++) {
                CHECK_INT(*pl_mem_stack_base(stacks[i]), ==, (char)i);
                CHECK_INT(stacks[i]->top[-1], ==, (char)i);
        }
        CHECK_UINT(colours, ==, 0xffff); /* sixteen, within a page */
}

TEST(owner_finds_the_stack_of_an_address)
{
        struct pl_stack *stack = get(PL_STACK_64K);
        char *base = pl_mem_stack_base(stack);
        bool in_guard = true;
        int local;

        CHECK_PTR(pl_mem_stack_owner(base, &in_guard), ==, stack);
        CHECK(!in_guard);
        CHECK_PTR(pl_mem_stack_owner(stack->top - 1, &in_guard), ==, stack);
        CHECK(!in_guard);
        CHECK_PTR(pl_mem_stack_owner(base - 1, &in_guard), ==, stack);
        CHECK(in_guard);
        CHECK_PTR(pl_mem_stack_owner(base - (16 << 10), &in_guard), ==, stack);
        CHECK(in_guard);
        CHECK_PTR(pl_mem_stack_owner(&local, &in_guard), ==, NULL);
        CHECK_PTR(pl_mem_stack_owner(NULL, &in_guard), ==, NULL);
}

/* Threads trade stacks through the pool, and each stack is in one hand at a time. */
static void *trade(void *arg)
{
        struct pl_stack_cache mine = {0};
        struct pl_stack *held[200];
        int rounds = *(int *)arg;

        for (int r = 0; r < rounds; r++) {
                for (int i = 0; i < 200; i++) {
                        held[i] = pl_mem_stack_get(&mine, PL_STACK_16K);
                        CHECK(held[i] != NULL && held[i]->owner == NULL);
                        held[i]->owner = &mine;
                }
                for (int i = 0; i < 200; i++) {
                        CHECK_PTR(held[i]->owner, ==, &mine);
                        pl_mem_stack_put(&mine, held[i]);
                }
                if (r % 16 == 0)
                        pl_mem_stack_cache_flush(&mine);
                pl_mem_trim(pl_plat_now_ns());
        }
        pl_mem_stack_cache_flush(&mine);
        return NULL;
}

TEST(threads_share_the_pool)
{
        struct pl_thread threads[4];
        struct pl_stack_stats stats;
        int rounds = 3000 / test_slowness();

        for (int i = 0; i < 4; i++)
                CHECK_INT(pl_plat_thread_start(&threads[i], trade, &rounds, 0, "trader"), ==, 0);
        for (int i = 0; i < 4; i++)
                pl_plat_thread_join(&threads[i]);
        pl_mem_stack_stats(PL_STACK_16K, &stats);
        CHECK_UINT(stats.in_use, ==, 0);
}

/* --- giving memory back --- */

/* As a worker that has nothing to do does: at the times that trim() asks for. Returns the time until it wants no more.
 */
static int64_t trim_to_the_end(int64_t now)
{
        int64_t start = now;

        for (int calls = 0; calls < 100000; calls++) {
                int64_t next = pl_mem_trim(now);

                if (next == PL_PLAT_NEVER)
                        return now - start;
                now = next;
        }
        FAIL("pl_mem_trim never has enough");
}

static void peak_of(size_t n, bool touch)
{
        struct pl_stack *all = NULL;

        for (size_t i = 0; i < n; i++) {
                struct pl_stack *stack = get(PL_STACK_DEFAULT);

                if (touch)
                        memset(stack->top - 512, 1, 512);
                stack->next = all;
                all = stack;
        }
        while (all) {
                struct pl_stack *next = all->next;

                pl_mem_stack_put(&cache, all);
                all = next;
        }
}

TEST(memory_comes_back_after_a_peak, .timeout_ms = 120000)
{
        size_t before, peak, after;
        struct pl_stack_stats stats;
        size_t n = test_slowness() == 1 ? 100000 : 2000;

        peak_of(10, true);
        before = rss_bytes();
        peak_of(n, true);
        peak = rss_bytes();
        CHECK_INT(trim_to_the_end(pl_plat_now_ns()), <=, 500000000);
        after = rss_bytes();
        printf("%zu stacks: rss %zu -> %zu -> %zu KiB\n", n, before / 1024, peak / 1024, after / 1024);
        CHECK_UINT(peak, >, before + n * 4096 / 2);
        if (test_slowness() == 1) /* sanitizers and emulators keep books of their own */
                CHECK_UINT(after, <, before + (4 << 20));
        pl_mem_stack_stats(PL_STACK_DEFAULT, &stats);
        CHECK_UINT(stats.slabs, <=, 4);
        CHECK_UINT(stats.warm, <=, 64);
        peak_of(n, true); /* and all of it works again */
}

TEST(memory_of_half_empty_slabs_comes_back_too)
{
        enum { N = 4000 };
        static struct pl_stack *stacks[N];
        int n = PL_WITH_TSAN ? 400 : N;
        size_t peak, after;

        for (int i = 0; i < n; i++) {
                stacks[i] = get(PL_STACK_16K);
                memset(stacks[i]->top - 4096, i | 1, 4096);
        }
        peak = rss_bytes();
        for (int i = 0; i < n; i++)
                if (i % 10 != 0)
                        pl_mem_stack_put(&cache, stacks[i]);
        trim_to_the_end(pl_plat_now_ns());
        after = rss_bytes();
        for (int i = 0; i < n; i += 10)
                for (int k = 1; k <= 4096; k++)
                        CHECK_INT(stacks[i]->top[-k], ==, (char)(i | 1));
        printf("rss %zu -> %zu KiB\n", peak / 1024, after / 1024);
        if (test_slowness() == 1)
                CHECK_UINT(after, <, peak - N * 8192 / 2);
}

TEST(a_steady_load_keeps_its_memory)
{
        struct pl_stack_stats stats;
        int64_t now = pl_plat_now_ns();
        int n = PL_WITH_TSAN ? 300 : 1000;

        for (int i = 0; i < 10; i++) {
                peak_of((size_t)n, false);
                pl_mem_trim(now += PL_MEM_TRIM_NS / 2);
        }
        pl_mem_stack_stats(PL_STACK_DEFAULT, &stats);
        CHECK_UINT(stats.warm + stats.in_use, >=, n / 2);
}

/* --- guards and overflows --- */

static struct pl_context here;

static int name_task(const struct pl_stack *stack, char *buf, size_t n)
{
        return snprintf(buf, n, "task '%s' (#7)", (const char *)stack->owner);
}

/* Endless recursion with frames of at least so many bytes, of which one is touched. TSan has room for 65,536 calls. */
#define RECURSE(bytes)                                                \
        PL_NO_TSAN static PL_NOINLINE int recurse_##bytes(int n)      \
        {                                                             \
                volatile char frame[bytes];                           \
                                                                      \
                frame[0] = (char)n;                                   \
                return n < 0 ? 0 : recurse_##bytes(n + 1) + frame[0]; \
        }

RECURSE(16)
RECURSE(200)
RECURSE(1000)
RECURSE(4000)
RECURSE(15000)
RECURSE(20000)

static int (*volatile recurse)(int);
static volatile int sink;

PL_NO_TSAN static void overflow(void *pass, void *arg)
{
        struct pl_stack *stack = arg;

        (void)pass;
        pl_fiber_after_switch(&stack->fiber);
        sink = recurse(1);
        __builtin_trap();
}

static void run_on(struct pl_stack *stack, pl_context_entry entry)
{
        struct pl_context there;
        struct pl_fiber mine;

        pl_fiber_init_thread(&mine);
        pl_context_make(&there, stack->top, entry, stack);
        pl_fiber_before_switch(&mine, &stack->fiber, false);
        pl_context_switch(&here, &there, NULL);
        pl_fiber_after_switch(&mine);
}

/* Overflow a stack of *class*. */
static void overflow_one(enum pl_stack_class class, int (*how)(int))
{
        struct pl_overflow_thread thread;

        pl_mem_overflow_describe(name_task);
        CHECK_INT(pl_mem_overflow_install(), ==, 0);
        CHECK_INT(pl_mem_overflow_thread_init(&thread), ==, 0);
        struct pl_stack *stack = get(class);
        stack->owner = (void *)(uintptr_t) "deep";
        recurse = how;
        run_on(stack, overflow);
}

#define OVERFLOW(name, class, frame, kib, big_kib)                                                                \
        TEST(overflow_of_##name##_is_named, .signal = SIGSEGV,                                                    \
             .stderr_match = "^plait: task 'deep' \\(#7\\) overflowed its stack of (" #kib "|" #big_kib ") KiB; " \
                             "give it a larger one with struct plait_task_opts.stack_bytes")                      \
        {                                                                                                         \
                overflow_one(class, recurse_##frame);                                                             \
        }

OVERFLOW(16k, PL_STACK_16K, 16, 16, 64)
OVERFLOW(64k, PL_STACK_64K, 200, 64, 256)
OVERFLOW(256k, PL_STACK_256K, 1000, 256, 1024)
OVERFLOW(1m, PL_STACK_1M, 4000, 1024, 4096)
OVERFLOW(8m, PL_STACK_8M, 16, 8192, 32768)
OVERFLOW(64k_by_big_frames, PL_STACK_64K, 15000, 64, 256)
OVERFLOW(16k_by_frames_just_under_the_guard, PL_STACK_16K, 20000, 16, 64)

TEST(overflow_into_mprotect_guard_is_named, .signal = SIGSEGV, .stderr_match = "^plait: task 'deep' .#7. overflowed")
{
        pl_mem_guard_force(PL_STACK_GUARD_MPROTECT);
        overflow_one(PL_STACK_64K, recurse_200);
}

/* Runs *body* in a child. Returns its wait status, and what it wrote to standard error in *text*. */
static int in_child(void (*body)(unsigned), unsigned arg, char *text, size_t size)
{
        int fds[2], status;
        ssize_t got;
        size_t n = 0;
        pid_t pid;

        fflush(NULL);
        CHECK_SYS(pipe(fds));
        pid = CHECK_SYS(fork());
        if (pid == 0) {
                dup2(fds[1], STDERR_FILENO);
                close(fds[0]);
                close(fds[1]);
                body(arg);
                _exit(0);
        }
        close(fds[1]);
        while ((got = read(fds[0], text + n, size - 1 - n)) > 0)
                n += (size_t)got;
        text[n] = '\0';
        close(fds[0]);
        CHECK_INT(waitpid(pid, &status, 0), ==, pid);
        return status;
}

static struct pl_stack *neighbours[8];

/* Overflows the one in the middle; the others are compared when the handler has spoken. */
static void compare_neighbours(int sig)
{
        (void)sig;
        for (int i = 0; i < 8; i++)
                for (const char *p = pl_mem_stack_base(neighbours[i]); i != 4 && p < neighbours[i]->top; p++)
                        if (*p != 'n')
                                _exit(99);
        _exit(42);
}

static int name_and_compare(const struct pl_stack *stack, char *buf, size_t n)
{
        int r = name_task(stack, buf, n);

        if (write(STDERR_FILENO, buf, (size_t)r) == r)
                compare_neighbours(0);
        return r;
}

static void overflow_between(unsigned round)
{
        static int (*const how[])(int) = {recurse_16,   recurse_200,   recurse_1000,
                                          recurse_4000, recurse_15000, recurse_20000};
        enum pl_stack_class class = (enum pl_stack_class)(round % 4);
        struct pl_overflow_thread thread;

        pl_mem_overflow_describe(name_and_compare);
        CHECK_INT(pl_mem_overflow_install(), ==, 0);
        CHECK_INT(pl_mem_overflow_thread_init(&thread), ==, 0);
        for (int i = 0; i < 8; i++) {
                neighbours[i] = get(class);
                memset(pl_mem_stack_base(neighbours[i]), 'n',
                       (size_t)(neighbours[i]->top - pl_mem_stack_base(neighbours[i])));
        }
        neighbours[4]->owner = (void *)(uintptr_t) "deep";
        recurse = how[round / 4 % PL_ARRAY_SIZE(how)];
        run_on(neighbours[4], overflow);
}

TEST(overflow_touches_no_other_stack_in_100_of_100_runs, .timeout_ms = 120000)
{
        static char text[4096];

        for (unsigned i = 0; i < 100; i += (unsigned)test_slowness()) {
                int status = in_child(overflow_between, i, text, sizeof(text));

                if (!WIFEXITED(status) || WEXITSTATUS(status) != 42)
                        FAIL("run %u ended with status %x and said: %s", i, (unsigned)status, text);
                CHECK(strstr(text, "task 'deep' (#7)") != NULL);
        }
}

TEST(dead_canary_is_named, .signal = SIGABRT, .stderr_match = "task 'deep' .#7. overflowed its stack of .*canary")
{
        struct pl_stack *stack;

        pl_mem_overflow_describe(name_task);
        pl_mem_guard_force(PL_STACK_GUARD_CANARY);
        get(PL_STACK_64K);
        stack = get(PL_STACK_64K);
        stack->owner = (void *)(uintptr_t) "deep";
        CHECK_INT(stack->guard, ==, PL_STACK_GUARD_CANARY);
        memset(stack->top - 1000, 1, 1000);
        pl_mem_stack_check(stack);
        pl_mem_stack_base(stack)[-8] = 1; /* what an overflow writes on its way ... */
        pl_mem_stack_base(stack)[8] = 1;  /* ... past the canary */
        pl_mem_stack_check(stack);
}

TEST(canaries_are_announced_once_when_mappings_run_out, .stderr_match = "^plait: new stacks have no guard pages.*Raise "
                                                                        "vm.max_map_count[^\n]*\n?$")
{
        struct pl_stack *last = NULL;
        int n = 40000;

        if (PL_WITH_TSAN) {
                fputs("plait: new stacks have no guard pages: Raise vm.max_map_count", stderr);
                SKIP("TSan has no room for so many fibers");
        }
        pl_mem_guard_force(PL_STACK_GUARD_MPROTECT);
        while (n-- > 0 && (!last || last->guard == PL_STACK_GUARD_MPROTECT))
                last = get(PL_STACK_16K);
        CHECK_INT(last->guard, ==, PL_STACK_GUARD_CANARY);
        get(PL_STACK_16K);
}

TEST(setting_chooses_the_guard)
{
        CHECK_SYS(setenv("PLAIT_DEBUG", "migrate,guard=canary", 1));
        CHECK_INT(get(PL_STACK_16K)->guard, ==, PL_STACK_GUARD_CANARY);
}

/* --- faults that are no overflow --- */

static void on_segv(int sig)
{
        (void)sig;
        if (write(STDERR_FILENO, "mine\n", 5) == 5)
                _exit(43);
}

static char *volatile nowhere = (char *)8; /* a null pointer would be UBSan's business */

TEST(other_faults_reach_the_handler_that_was_there, .exit_code = 43, .stderr_match = "^mine\n$")
{
        CHECK(signal(SIGSEGV, on_segv) != SIG_ERR);
        CHECK_INT(pl_mem_overflow_install(), ==, 0);
        *nowhere = 1;
}

static int not_mine(const struct pl_stack *stack, char *buf, size_t n)
{
        (void)stack, (void)buf, (void)n;
        return 0;
}

TEST(stray_pointer_into_a_guard_is_not_called_an_overflow, .exit_code = 43, .stderr_match = "^mine\n$")
{
        CHECK(signal(SIGSEGV, on_segv) != SIG_ERR);
        pl_mem_overflow_describe(not_mine);
        CHECK_INT(pl_mem_overflow_install(), ==, 0);
        pl_mem_stack_base(get(PL_STACK_64K))[-100] = 1;
}

TEST(uninstall_restores_the_handler)
{
        struct sigaction action;

        CHECK(signal(SIGSEGV, on_segv) != SIG_ERR);
        CHECK_INT(pl_mem_overflow_install(), ==, 0);
        CHECK_INT(pl_mem_overflow_install(), ==, 0);
        pl_mem_overflow_uninstall();
        CHECK_SYS(sigaction(SIGSEGV, NULL, &action));
        CHECK(action.sa_handler != on_segv);
        pl_mem_overflow_uninstall();
        CHECK_SYS(sigaction(SIGSEGV, NULL, &action));
        CHECK(action.sa_handler == on_segv);
}

TEST(thread_gives_its_signal_stack_back)
{
        struct pl_overflow_thread thread;
        stack_t now;

        CHECK_INT(pl_mem_overflow_thread_init(&thread), ==, 0);
        CHECK_SYS(sigaltstack(NULL, &now));
        CHECK(!(now.ss_flags & SS_DISABLE));
        pl_mem_overflow_thread_done(&thread);
        if (!PL_WITH_SANITIZER) { /* those bring one of their own */
                CHECK_SYS(sigaltstack(NULL, &now));
                CHECK(now.ss_flags & SS_DISABLE);
        }
}
