/* Addresses and names. */
#include "harness/task.h"
#include "harness/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>

static void check_literal(const char *host, const char *service, const char *text)
{
        struct plait_addresses *found;
        char buf[PLAIT_ADDRESS_TEXT];

        CHECK_OK(plait_resolve(host, service, PLAIT_NEVER, &found));
        CHECK_UINT(found->count, ==, 1);
        CHECK_STR(plait_address_text(&found->at[0], buf, sizeof buf), text);
        plait_addresses_free(found);
}

TEST(numbers_need_no_look_up, .run = in_task)
{
        check_literal("127.0.0.1", "80", "127.0.0.1:80");
        check_literal("::1", "65535", "[::1]:65535");
        check_literal("fe80::1%1", "0", "[fe80::1%1]:0");
}

TEST(localhost_is_found, .run = in_task)
{
        struct plait_addresses *found;

        CHECK_OK(plait_resolve("localhost", "http", plait_in_s(5), &found));
        CHECK_UINT(found->count, >=, 1);
        for (size_t i = 0; i < found->count; i++) {
                CHECK(found->at[i].as.any.sa_family == AF_INET || found->at[i].as.any.sa_family == AF_INET6);
                CHECK_INT(ntohs(found->at[i].as.in.sin_port), ==, 80);
        }
        plait_addresses_free(found);
}

TEST(threads_can_look_up_too)
{
        struct plait_addresses *found;

        CHECK_OK(plait_resolve("localhost", "80", PLAIT_NEVER, &found));
        plait_addresses_free(found);
}

TEST(nonsense_is_refused_and_outputs_stay, .run = in_task)
{
        struct plait_addresses *found = (struct plait_addresses *)16;

        CHECK_INT(plait_resolve(NULL, "80", PLAIT_NEVER, &found), ==, -EINVAL);
        CHECK_INT(plait_resolve("", "80", PLAIT_NEVER, &found), ==, -EINVAL);
        CHECK_INT(plait_resolve("localhost", NULL, PLAIT_NEVER, &found), ==, -EINVAL);
        CHECK_INT(plait_resolve("localhost", "no-such-service", plait_in_s(5), &found), ==, -EINVAL);
        CHECK_INT(plait_resolve("::1", "70000", plait_in_s(5), &found), <, 0);
        CHECK_PTR(found, ==, (struct plait_addresses *)16);
        plait_addresses_free(NULL);
}

static int look_up(void *arg)
{
        struct plait_addresses *found;
        int r = plait_resolve("name.invalid", "80", PLAIT_NEVER, &found);

        (void)arg;
        CHECK_INT(r, <, 0);
        return r;
}

/* Look-ups that were given up go on for a while, with descriptors of their own. */
static int count_open(void)
{
        int n = 0;

        for (int fd = 0; fd < 100; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static int give_up(void *arg);

TEST(cancelled_look_up_returns_at_once)
{
        int before = count_open();

        CHECK_INT(plait_run(give_up, NULL, NULL), ==, 0);
        while (count_open() > before)
                sched_yield();
}

static int give_up(void *arg)
{
        enum { LOOK_UPS = 40 };
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        for (int i = 0; i < LOOK_UPS; i++)
                CHECK_OK(plait_scope_go(&scope, look_up, NULL));
        plait_yield();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), <, 0);
        return 0;
}

TEST(unknown_families_have_a_text_too)
{
        struct plait_address address = {.length = 2, .as.any.sa_family = 99};
        char buf[PLAIT_ADDRESS_TEXT], small[8];

        CHECK_STR(plait_address_text(&address, buf, sizeof buf), "unknown address family 99");
        CHECK_STR(plait_address_text(&address, small, sizeof small), "unknown");
        address = (struct plait_address){.length = 2, .as.any.sa_family = AF_UNIX};
        CHECK_STR(plait_address_text(&address, buf, sizeof buf), "unix:");
}
