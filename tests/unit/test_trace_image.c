/* Rings in shared memory: whether the process that made them lives. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/test.h"
#include "trace/file_lock.h"
#include "trace/image.h"

enum { LOOKS = 50000 };

static char path[] = "/tmp/plait-test-image-XXXXXX";

/* How often it looks alive. */
static void *look(void *arg)
{
        int fd = CHECK_SYS(open(path, O_RDONLY | O_CLOEXEC));
        int *alive = arg;

        for (int i = 0; i < LOOKS; i++)
                *alive += pl_trace_image_is_live(fd);
        close(fd);
        return NULL;
}

TEST(who_looks_whether_a_process_lives_does_not_look_alive_to_others)
{
        int fd = CHECK_SYS(mkstemp(path)), other = CHECK_SYS(open(path, O_RDONLY | O_CLOEXEC)), alive[2] = {0, 0};
        pthread_t thread;

        CHECK_INT(pl_trace_lock_file(fd, F_WRLCK), ==, 0);
        CHECK(pl_trace_image_is_live(other));
        close(fd);
        CHECK(!pl_trace_image_is_live(other));
        CHECK_INT(pthread_create(&thread, NULL, look, &alive[0]), ==, 0);
        look(&alive[1]);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_INT(alive[0] + alive[1], ==, 0);
        close(other);
        unlink(path);
}
