/* Contexts: switching, what survives it, and what unwinders and debuggers see of a flow. */
#include "harness/test.h"

#include <fenv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

#include "plat/context.h"
#include "plat/fiber.h"
#include "plat/sys.h"
#include "plat/tls.h"

#ifdef HAVE_LIBUNWIND
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#endif

enum { STACK_BYTES = 512 * 1024 };

/* A flow with the fiber of its stack, and the thread's own. */
struct flow {
        struct pl_context context;
        struct pl_fiber fiber;
        char *stack;
};

static struct flow home;
static struct flow other;

static PL_ALWAYS_INLINE void *go(struct flow *from, struct flow *to, void *pass, bool final)
{
        void *got;

        pl_fiber_before_switch(&from->fiber, &to->fiber, final);
        got = pl_context_switch(&from->context, &to->context, pass);
        pl_fiber_after_switch(&from->fiber);
        return got;
}

static void flow_init(struct flow *flow, pl_context_entry entry, void *arg)
{
        flow->stack = aligned_alloc(16, STACK_BYTES);
        CHECK(flow->stack != NULL);
        pl_fiber_init(&flow->fiber, flow->stack, STACK_BYTES);
        pl_context_make(&flow->context, flow->stack + STACK_BYTES, entry, arg);
}

static void flow_done(struct flow *flow)
{
        pl_fiber_reset(&flow->fiber);
        pl_fiber_done(&flow->fiber);
        free(flow->stack);
}

/* Start *entry* in the other flow and run until it switches back with final = true. */
static void *run(pl_context_entry entry, void *arg, void *pass)
{
        void *got;

        pl_fiber_init_thread(&home.fiber);
        flow_init(&other, entry, arg);
        got = go(&home, &other, pass, false);
        return got;
}

PL_NO_TSAN static void echo(void *pass, void *arg)
{
        char **where = arg;

        pl_fiber_after_switch(&other.fiber);
        *where = __builtin_frame_address(0);
        for (;;)
                pass = go(&other, &home, (char *)pass + 1, false);
}

TEST(switch_passes_a_value_each_way)
{
        char *where = NULL;
        char bytes[8];
        void *got = run(echo, &where, bytes);

        CHECK_PTR(got, ==, bytes + 1);
        CHECK_PTR(go(&home, &other, bytes + 3, false), ==, bytes + 4);
        CHECK(where > other.stack && where < other.stack + STACK_BYTES);
        flow_done(&other);
}

PL_NO_TSAN static void check_alignment(void *pass, void *arg)
{
        _Alignas(32) volatile char aligned[32]; /* faults where the compiler trusts an ABI that is not kept */
        int *ret = arg;

        (void)pass;
        pl_fiber_after_switch(&other.fiber);
        aligned[0] = 1;
        *ret = (int)((uintptr_t)aligned % 32) + aligned[0];
        printf("%.1Lf\n", (long double)*ret); /* movaps in printf's prologue */
        fflush(stdout);
        go(&other, &home, NULL, true);
        __builtin_trap();
}

TEST(entry_has_an_aligned_stack)
{
        int result = 0;

        run(check_alignment, &result, NULL);
        CHECK_INT(result, ==, 1);
        flow_done(&other);
}

/* Has more live values across the switch than there are registers, of all kinds, and a red zone. */
static PL_NOINLINE double churn(struct flow *from, struct flow *to, double seed)
{
        long a = (long)seed, b = a * 3, c = a * 5, d = a * 7, e = a * 11, f = a * 13, g = a * 17, h = a * 19,
             i = a * 23, j = a * 29, k = a * 31, l = a * 37, m = a * 41, n = a * 43, o = a * 47;
        double p = seed * 2, q = seed * 4, r = seed * 8, s = seed * 16, t = seed * 32, u = seed * 64, v = seed * 128,
               w = seed * 256, x = seed * 512, y = seed * 1024;
        long double z = (long double)seed / 3;

        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e));
        go(from, to, NULL, false);
        return (double)(a + b + c + d + e + f + g + h + i + j + k + l + m + n + o) + p + q + r + s + t + u + v + w + x +
               y + (double)(z * 3);
}

static double expected(double seed)
{
        return seed * (1 + 3 + 5 + 7 + 11 + 13 + 17 + 19 + 23 + 29 + 31 + 37 + 41 + 43 + 47) + seed * 2046 + seed;
}

PL_NO_TSAN static void churn_too(void *pass, void *arg)
{
        bool *ok = arg;

        (void)pass;
        pl_fiber_after_switch(&other.fiber);
        for (int i = 1;; i++)
                *ok = *ok && (long)churn(&other, &home, 1000 + i) == (long)expected(1000 + i);
}

TEST(all_registers_survive)
{
        bool ok = true;

        run(churn_too, &ok, NULL);
        for (int i = 1; i < 1000; i++)
                CHECK_INT(churn(&home, &other, i), ==, expected(i));
        CHECK(ok);
        flow_done(&other);
}

PL_NO_TSAN static void change_rounding(void *pass, void *arg)
{
        (void)pass, (void)arg;
        pl_fiber_after_switch(&other.fiber);
        fesetround(FE_UPWARD);
        go(&other, &home, NULL, true);
        __builtin_trap();
}

TEST(rounding_mode_is_not_part_of_a_context)
{
        run(change_rounding, NULL, NULL);
        CHECK_INT(fegetround(), ==, FE_UPWARD);
        fesetround(FE_TONEAREST);
        flow_done(&other);
}

/* --- a flow that goes on in another thread --- */

PL_TLS_DECLARE(char, test_marker);
PL_TLS_DEFINE(char, test_marker);

static char main_mark, thread_mark;

PL_NO_TSAN static void look_twice(void *pass, void *arg)
{
        char **seen = arg;

        (void)pass;
        pl_fiber_after_switch(&other.fiber);
        seen[0] = test_marker_get();
        go(&other, &home, NULL, false);
        seen[1] = test_marker_get();
        test_marker_set(NULL);
        go(&other, &home, NULL, true);
        __builtin_trap();
}

static void *go_on(void *arg)
{
        (void)arg;
        pl_fiber_init_thread(&home.fiber);
        test_marker_set(&thread_mark);
        go(&home, &other, NULL, false);
        CHECK_PTR(test_marker_get(), ==, NULL);
        return NULL;
}

TEST(thread_local_pointer_is_right_after_a_migration)
{
        char *seen[2] = {NULL, NULL};
        struct pl_thread thread;

        test_marker_set(&main_mark);
        run(look_twice, seen, NULL);
        CHECK_INT(pl_plat_thread_start(&thread, go_on, NULL, 0, "go-on"), ==, 0);
        pl_plat_thread_join(&thread);
        CHECK_PTR(seen[0], ==, &main_mark);
        CHECK_PTR(seen[1], ==, &thread_mark);
        CHECK_PTR(test_marker_get(), ==, &main_mark);
        flow_done(&other);
}

/* --- sanitizers --- */

static PL_NOINLINE int use_locals(int n)
{
        volatile char block[256]; /* on ASan's fake stack, with detect_stack_use_after_return=1 */

        memset((char *)(uintptr_t)block, n, sizeof(block));
        if (n > 0) {
                go(&other, &home, NULL, false);
                return use_locals(n - 1) + block[17];
        }
        return block[17];
}

PL_NO_TSAN static void keep_locals(void *pass, void *arg)
{
        int *ret = arg;

        (void)pass;
        pl_fiber_after_switch(&other.fiber);
        *ret = use_locals(20);
        go(&other, &home, NULL, true);
        __builtin_trap();
}

static PL_NOINLINE int touch_deep(int n)
{
        volatile char block[512];

        memset((char *)(uintptr_t)block, n, sizeof(block));
        return n == 0 ? block[3] : touch_deep(n - 1) + block[3];
}

TEST(a_stack_can_be_used_again_and_again)
{
        for (int i = 0; i < 200; i++) {
                int sum = 0;

                if (i == 0) {
                        run(keep_locals, &sum, NULL);
                } else {
                        pl_fiber_reset(&other.fiber);
                        pl_context_make(&other.context, other.stack + STACK_BYTES, keep_locals, &sum);
                        go(&home, &other, NULL, false);
                }
                for (int n = 0; n < 20; n++) {
                        touch_deep(10);
                        go(&home, &other, NULL, false);
                }
                CHECK_INT(sum, ==, 210);
        }
        flow_done(&other);
}

/* --- unwinding: in a process of its own, because libunwind keeps a pipe open --- */

static pid_t fork_child(void)
{
        fflush(NULL);
        return CHECK_SYS(fork());
}

static void check_child(pid_t pid)
{
        int status = -1;

        CHECK_INT(waitpid(pid, &status, 0), ==, pid);
        CHECK_INT(status, ==, 0);
}

struct trace {
        int frames;
        uintptr_t last_function;
};

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context, void *arg)
{
        struct trace *trace = arg;
        uintptr_t ip = _Unwind_GetIP(context);

        if (ip == 0)
                return _URC_NO_REASON;
        trace->last_function = (uintptr_t)_Unwind_FindEnclosingFunction((void *)(ip - 1));
        return ++trace->frames > 100 ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static PL_NOINLINE void trace_by_gcc(struct trace *trace)
{
        _Unwind_Backtrace(count_frame, trace);
        __asm__ volatile("");
}

PL_NO_TSAN static void unwind_here(void *pass, void *arg)
{
        (void)pass;
        pl_fiber_after_switch(&other.fiber);
        trace_by_gcc(arg);
        go(&other, &home, NULL, true);
        __builtin_trap();
}

static _Noreturn void check_unwinding(pl_context_entry entry)
{
        struct trace trace = {0};

        run(entry, &trace, NULL);
        CHECK_INT(trace.frames, ==, 3);
        CHECK_UINT(trace.last_function, ==, (uintptr_t)pl_context_trampoline);
        _exit(0);
}

TEST(unwinding_ends_at_the_trampoline)
{
        pid_t pid = fork_child();

        if (pid == 0)
                check_unwinding(unwind_here);
        check_child(pid);
}

#ifdef HAVE_LIBUNWIND
static PL_NOINLINE void trace_by_libunwind(struct trace *trace)
{
        unw_context_t context;
        unw_cursor_t cursor;
        int r;

        unw_getcontext(&context);
        CHECK_INT(unw_init_local(&cursor, &context), ==, 0);
        do {
                unw_proc_info_t info;

                CHECK_INT(unw_get_proc_info(&cursor, &info), ==, 0);
                trace->last_function = (uintptr_t)info.start_ip;
                trace->frames++;
                r = unw_step(&cursor);
        } while (r > 0 && trace->frames < 100);
        CHECK_INT(r, ==, 0);
}

PL_NO_TSAN static void unwind_by_libunwind(void *pass, void *arg)
{
        (void)pass;
        pl_fiber_after_switch(&other.fiber);
        trace_by_libunwind(arg);
        go(&other, &home, NULL, true);
        __builtin_trap();
}
#endif

TEST(libunwind_ends_at_the_trampoline)
{
#ifdef HAVE_LIBUNWIND
        pid_t pid = fork_child();

        if (pid == 0)
                check_unwinding(unwind_by_libunwind);
        check_child(pid);
#else
        SKIP("built without libunwind");
#endif
}

/* --- gdb, on a child that stands still --- */

static char *ask_gdb(pid_t pid, const char *commands)
{
        static char text[65536];
        char line[1024];
        size_t n = 0;
        FILE *pipe;

        snprintf(line, sizeof(line), "gdb -nx -q -batch -iex 'set debuginfod enabled off' -p %d %s 2>&1", (int)pid,
                 commands);
        pipe = popen(line, "r");
        CHECK(pipe != NULL);
        n = fread(text, 1, sizeof(text) - 1, pipe);
        text[n] = '\0';
        pclose(pipe);
        printf("%s\n", text);
        return text;
}

static bool can_debug(void)
{
#ifdef __x86_64__
        return system("gdb --version >/dev/null 2>&1") == 0 && getenv("QEMU_LD_PREFIX") == NULL;
#else
        return false; /* under qemu-user there is nothing to attach to */
#endif
}

static void end_child(pid_t pid)
{
        kill(pid, SIGKILL);
        CHECK_INT(waitpid(pid, NULL, 0), ==, pid);
}

static PL_NOINLINE void stand_still(int ready)
{
        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
        if (write(ready, "", 1) == 1)
                for (;;)
                        pause();
}

PL_NO_TSAN static void stand_still_in_flow(void *pass, void *arg)
{
        (void)pass;
        pl_fiber_after_switch(&other.fiber);
        stand_still(*(int *)arg);
        __builtin_trap();
}

static PL_NOINLINE void suspended_leaf(void)
{
        go(&other, &home, NULL, false);
        __asm__ volatile("");
}

PL_NO_TSAN static void suspend_in_flow(void *pass, void *arg)
{
        (void)pass, (void)arg;
        pl_fiber_after_switch(&other.fiber);
        suspended_leaf();
        __builtin_trap();
}

/* A child that stands still inside a flow, or outside of one that is suspended. */
static pid_t start_child(bool inside)
{
        int ready[2];
        char byte;
        pid_t pid;

        CHECK_SYS(pipe(ready));
        pid = fork_child();
        if (pid == 0) {
                if (inside) {
                        run(stand_still_in_flow, &ready[1], NULL);
                } else {
                        run(suspend_in_flow, NULL, NULL);
                        stand_still(ready[1]);
                }
                _exit(1);
        }
        CHECK_INT(read(ready[0], &byte, 1), ==, 1);
        close(ready[0]);
        close(ready[1]);
        return pid;
}

/* The backtrace has these functions in this order, and the trampoline is the last. */
static void check_backtrace(const char *text, const char *inner, const char *outer)
{
        const char *a = strstr(text, inner);
        const char *b = a ? strstr(a, outer) : NULL;
        const char *c = b ? strstr(b, "pl_context_trampoline") : NULL;

        CHECK(a != NULL && b != NULL && c != NULL);
        CHECK(strstr(c, "\n#") == NULL);
        CHECK(strstr(text, "corrupt") == NULL && strstr(text, "Backtrace stopped") == NULL);
}

TEST(gdb_unwinds_a_running_flow, .timeout_ms = 120000)
{
        pid_t pid;

        if (!can_debug())
                SKIP("gdb is not installed or cannot attach");
        pid = start_child(true);
        check_backtrace(ask_gdb(pid, "-ex bt"), "stand_still", "stand_still_in_flow");
        end_child(pid);
}

TEST(gdb_unwinds_a_suspended_flow_from_its_context, .timeout_ms = 120000)
{
        pid_t pid;

        if (!can_debug())
                SKIP("gdb is not installed or cannot attach");
        pid = start_child(false);
        check_backtrace(ask_gdb(pid, "-ex 'set $rsp=(long)other.context.sp' -ex 'set $rbp=(long)other.context.fp' "
                                     "-ex 'set $rip=(long)other.context.pc' -ex bt -ex kill"),
                        "suspended_leaf", "suspend_in_flow");
        end_child(pid);
}
