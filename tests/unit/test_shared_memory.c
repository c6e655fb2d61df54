/* Shared memory that a worker keeps mapped between its jobs, and lets go of. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/test.h"
#include "pool/memory.h"

/* Another process, which makes memory when told to and lets go of it when told so. */
struct owner {
        pid_t pid;
        int to, from;
};

enum { MEMORIES = 4 };

static void serve(int in, int out)
{
        struct pl_pool_memory *memories[MEMORIES] = {NULL};
        struct pl_pool_memory_id id;
        unsigned char which;

        while (read(in, &which, 1) == 1) {
                memset(&id, 0, sizeof id);
                if (memories[which]) {
                        pl_pool_memory_unref(memories[which]);
                        memories[which] = NULL;
                } else {
                        CHECK_OK(pl_pool_memory_new(10000, 0, "test", &memories[which]));
                        memset(memories[which]->data, which + 1, memories[which]->bytes);
                        pl_pool_memory_id(memories[which], &id);
                }
                CHECK_INT(write(out, &id, sizeof id), ==, sizeof id);
        }
        _exit(0);
}

static struct owner start(void)
{
        struct owner owner;
        int to[2], from[2];

        CHECK_SYS(pipe2(to, O_CLOEXEC));
        CHECK_SYS(pipe2(from, O_CLOEXEC));
        owner.pid = CHECK_SYS(fork());
        if (owner.pid == 0) {
                close(to[1]);
                serve(to[0], from[1]);
        }
        close(to[0]);
        close(from[1]);
        owner.to = to[1];
        owner.from = from[0];
        return owner;
}

static struct pl_pool_memory_id toggle(const struct owner *owner, unsigned char which)
{
        struct pl_pool_memory_id id;

        CHECK_INT(write(owner->to, &which, 1), ==, 1);
        CHECK_INT(read(owner->from, &id, sizeof id), ==, sizeof id);
        return id;
}

static void stop(struct owner *owner)
{
        close(owner->to);
        close(owner->from);
        CHECK_INT(waitpid(owner->pid, NULL, 0), ==, owner->pid);
}

static struct pl_pool_memory *open_and_look(const struct pl_pool_memory_id *id, int value)
{
        struct pl_pool_memory *memory = NULL;

        CHECK_OK(pl_pool_memory_open(id, &memory));
        CHECK_INT(((unsigned char *)memory->data)[9999], ==, value);
        return memory;
}

/* Whether this process still has it: then it can be opened though its owner has let go of it. */
static bool is_here(const struct pl_pool_memory_id *id)
{
        struct pl_pool_memory *memory = NULL;

        if (pl_pool_memory_open(id, &memory) < 0)
                return false;
        pl_pool_memory_unref(memory);
        return true;
}

TEST(memory_is_not_kept_unless_that_is_wanted)
{
        struct owner owner = start();
        struct pl_pool_memory_id id = toggle(&owner, 0);

        pl_pool_memory_unref(open_and_look(&id, 1));
        toggle(&owner, 0);
        CHECK(!is_here(&id));
        stop(&owner);
}

TEST(memory_that_is_kept_is_opened_again_where_it_was)
{
        struct owner owner = start();
        struct pl_pool_memory_id id = toggle(&owner, 0);

        pl_pool_memory_keep(2);
        struct pl_pool_memory *memory = open_and_look(&id, 1);
        const void *data = memory->data;

        pl_pool_memory_unref(memory);
        pl_pool_memory_sweep(false); /* its owner has it */
        toggle(&owner, 0);
        memory = open_and_look(&id, 1);
        CHECK_PTR(memory->data, ==, data);
        pl_pool_memory_unref(memory);
        pl_pool_memory_sweep(false);
        CHECK(!is_here(&id));
        stop(&owner);
}

TEST(memory_in_use_is_not_swept)
{
        struct owner owner = start();
        struct pl_pool_memory_id id = toggle(&owner, 0);

        pl_pool_memory_keep(2);
        struct pl_pool_memory *memory = open_and_look(&id, 1);

        toggle(&owner, 0);
        pl_pool_memory_sweep(false);
        pl_pool_memory_sweep(true);
        CHECK_INT(((unsigned char *)memory->data)[0], ==, 1);
        pl_pool_memory_unref(memory);
        pl_pool_memory_sweep(true);
        CHECK(!is_here(&id));
        stop(&owner);
}

TEST(memory_that_was_used_longest_ago_goes_first)
{
        struct owner owner = start();
        struct pl_pool_memory_id ids[MEMORIES];

        pl_pool_memory_keep(2);
        for (unsigned char i = 0; i < 3; i++)
                ids[i] = toggle(&owner, i);
        pl_pool_memory_unref(open_and_look(&ids[0], 1));
        pl_pool_memory_unref(open_and_look(&ids[1], 2));
        pl_pool_memory_unref(open_and_look(&ids[0], 1));
        pl_pool_memory_unref(open_and_look(&ids[2], 3));
        CHECK_SYS(kill(owner.pid, SIGKILL));
        stop(&owner);
        CHECK(!is_here(&ids[1]));
        CHECK(is_here(&ids[0]));
        CHECK(is_here(&ids[2]));
        pl_pool_memory_keep(0);
        CHECK(!is_here(&ids[0]));
        CHECK(!is_here(&ids[2]));
}
