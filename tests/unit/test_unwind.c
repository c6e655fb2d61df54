/* Stacks of the caller and of a suspended flow; reading memory that may not be there. */
#include "plat/unwind.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/test.h"
#include "plat/sys.h"

enum { MOST = 32 };

static void *frames[MOST];
static unsigned n_frames;
static volatile int nothing;

#ifdef __clang__
#define NOINLINE __attribute__((noinline)) /* it makes no clones, and does not know the word */
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif

static NOINLINE int innermost(void)
{
        struct pl_context here;

        pl_context_here(&here);
        n_frames = pl_plat_unwind(&here, true, frames, MOST);
        return nothing;
}

/* With a frame of some size. */
static NOINLINE int middle(size_t n)
{
        volatile char place[200];

        place[n] = (char)innermost();
        return place[n] + nothing;
}

static NOINLINE int outermost(void)
{
        return middle((size_t)nothing + 100) + nothing;
}

/* Whether the i-th frame goes on in the function that starts there and is not longer than that. */
static bool is_in(unsigned i, uintptr_t function)
{
        const uintptr_t longest = 4096;

        return i < n_frames && (uintptr_t)frames[i] > function && (uintptr_t)frames[i] < function + longest;
}

static unsigned find(uintptr_t function, unsigned from)
{
        while (from < n_frames && !is_in(from, function))
                from++;
        return from;
}

TEST(unwind_finds_who_called_in_order)
{
        outermost();
        CHECK_UINT(n_frames, >=, 4);
        CHECK(is_in(0, (uintptr_t)innermost));
        CHECK(is_in(1, (uintptr_t)middle));
        CHECK(is_in(2, (uintptr_t)outermost));
        CHECK(is_in(3, (uintptr_t)test_unwind_finds_who_called_in_order));
}

TEST(unwind_stops_where_there_is_no_room)
{
        struct pl_context here;
        void *two[3] = {NULL, NULL, (void *)1};

        pl_context_here(&here);
        CHECK_UINT(pl_plat_unwind(&here, true, two, 2), ==, 2);
        CHECK_PTR(two[2], ==, (void *)1);
}

TEST(unwind_of_nonsense_is_one_frame)
{
        struct pl_context nowhere = {.sp = (void *)8, .fp = (void *)8, .pc = (void *)8};
        void *found[4];

        CHECK_UINT(pl_plat_unwind(&nowhere, false, found, 4), ==, 1);
}

TEST(unwind_of_a_stack_that_is_gone_ends)
{
        struct pl_context here;
        void *found[4];

        pl_context_here(&here);
        here.sp = (void *)4096;
        here.fp = (void *)4096;
        CHECK_UINT(pl_plat_unwind(&here, false, found, 4), ==, 1);
}

/* --- a flow --- */

static struct pl_context root, flow;
static char stack[64 * 1024] __attribute__((aligned(64)));

static NOINLINE int waits(void)
{
        pl_context_switch(&flow, &root, NULL);
        return nothing;
}

static void entry(void *pass, void *arg)
{
        (void)pass;
        (void)arg;
        waits();
        pl_context_switch(&flow, &root, NULL);
        __builtin_unreachable();
}

TEST(unwind_of_a_suspended_flow_ends_at_its_beginning)
{
        if (TEST_WITH_ASAN || TEST_WITH_TSAN)
                SKIP("a switch that the sanitizer is not told of");
        pl_context_make(&flow, stack + sizeof stack, entry, NULL);
        pl_context_switch(&root, &flow, NULL);
        n_frames = pl_plat_unwind(&flow, false, frames, MOST);
        unsigned at = find((uintptr_t)waits, 0);
        CHECK_UINT(at, ==, 0);
        CHECK_UINT(find((uintptr_t)entry, at + 1), ==, 1);
        CHECK_UINT(n_frames, <=, 3);
}

/* --- names, objects --- */

TEST(unwind_names_the_program_and_the_place)
{
        char text[200];

        pl_plat_describe_code((const char *)(uintptr_t)outermost + 1, text, sizeof text);
        CHECK(strstr(text, "test_unwind+0x") != NULL);
        pl_plat_describe_code((const void *)8, text, sizeof text);
        CHECK_STR(text, "0x8");
        pl_plat_describe_data(&n_frames, text, sizeof text);
        CHECK(strstr(text, "test_unwind+0x") != NULL);
}

TEST(unwind_knows_what_is_static)
{
        int local;
        int *heap = malloc(sizeof *heap);

        CHECK(pl_plat_is_static(&n_frames));
        CHECK(!pl_plat_is_static(heap));
        CHECK(!pl_plat_is_static(&local));
        CHECK(pl_plat_same_object((void *)(uintptr_t)outermost, &n_frames));
        CHECK(!pl_plat_same_object((void *)(uintptr_t)outermost, heap));
        free(heap);
}

/* --- peeking --- */

TEST(peek_reads_what_is_there)
{
        const char from[] = "twelve bytes";
        char to[sizeof from] = "";

        errno = 7;
        CHECK_INT(pl_plat_peek(to, from, sizeof from), ==, 0);
        CHECK_STR(to, from);
        CHECK_INT(errno, ==, 7);
}

TEST(peek_of_what_is_unmapped_is_refused)
{
        char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        char to[8] = "kept";

        CHECK(page != MAP_FAILED);
        CHECK_SYS(munmap(page, 4096));
        errno = 7;
        CHECK_INT(pl_plat_peek(to, page, sizeof to), ==, -EFAULT);
        CHECK_STR(to, "kept");
        CHECK_INT(errno, ==, 7);
}

TEST(peek_over_the_end_of_what_is_mapped_gives_the_rest_as_zeroes)
{
        char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        char to[8] = "1234567";

        CHECK(pages != MAP_FAILED);
        memset(pages + 4092, 'x', 4);
        CHECK_SYS(munmap(pages + 4096, 4096));
        CHECK_INT(pl_plat_peek(to, pages + 4092, sizeof to), ==, 0);
        CHECK_MEM(to, "xxxx\0\0\0\0", sizeof to);
        CHECK_SYS(munmap(pages, 4096));
}
