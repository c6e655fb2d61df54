/* libcurl is loaded by the first session, and not before. */
#include <errno.h>
#include <plait/plait.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "harness/task.h"
#include "harness/test.h"

static bool is_mapped(const char *library)
{
        FILE *maps = fopen("/proc/self/maps", "re");
        char line[512];
        bool found = false;

        CHECK(maps != NULL);
        while (!found && fgets(line, sizeof line, maps))
                found = strstr(line, library) != NULL;
        fclose(maps);
        return found;
}

static void make_a_session(void)
{
        struct plait_session *session;

        CHECK_OK(plait_session_new(&session, NULL));
        plait_session_free(session);
}

TEST(the_first_session_loads_libcurl, .run = in_task)
{
        CHECK(!is_mapped("libcurl"));
        make_a_session();
        CHECK(is_mapped("libcurl"));
        make_a_session();
}

TEST(a_session_of_a_task_with_the_least_stack_loads_libcurl)
{
        struct in_task_body task = {.body = make_a_session};
        struct plait_run_opts opts = {.size = sizeof opts, .stack_bytes = 16 << 10};

        CHECK_INT(plait_run(in_task_main, &task, &opts), ==, 0);
        CHECK(is_mapped("libcurl"));
}

TEST(a_session_without_libcurl_is_refused_until_it_can_be_loaded)
{
        struct plait_session *session = NULL;
        struct rlimit before, none;

        CHECK_SYS(getrlimit(RLIMIT_NOFILE, &before));
        none = before;
        none.rlim_cur = 0;
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &none));
        CHECK_INT(plait_session_new(&session, NULL), ==, -ELIBACC);
        CHECK(session == NULL);
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &before));
        make_a_session();
}
