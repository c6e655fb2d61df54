/* Recordings of programs whose threads come and go, and what recording must leave alone. */
#include <errno.h>
#include <plait/plait.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "api/recorded.h"

enum { THREADS = 600, RECORDINGS = 4, BURST = 2000, TRIES = 2000, AT_A_TIME = 50 };

static void *tell(void *arg)
{
        plait_trace_message(arg);
        return NULL;
}

static void tell_in_threads(int n, char *text)
{
        pthread_t threads[AT_A_TIME];

        for (int i = 0; i < n; i += AT_A_TIME) {
                int some = n - i < AT_A_TIME ? n - i : AT_A_TIME;

                for (int k = 0; k < some; k++)
                        CHECK_INT(pthread_create(&threads[k], NULL, tell, text), ==, 0);
                for (int k = 0; k < some; k++)
                        pthread_join(threads[k], NULL);
        }
}

static void start_small(int64_t sample_ns)
{
        struct plait_trace_opts opts = {.size = sizeof opts, .ring_bytes = 65536, .sample_ns = sample_ns};

        CHECK_INT(plait_trace_start(new_path(), &opts), ==, 0);
}

/* Each recording ends before it has seen that its threads have. */
TEST(threads_of_earlier_recordings_leave_their_rings_to_later_ones)
{
        for (int i = 0; i < RECORDINGS; i++) {
                start_small(0);
                tell_in_threads(THREADS, "there");
                CHECK_INT(plait_trace_stop(NULL), ==, 0);
                struct plait_recording *recording = opened();
                CHECK_UINT(count(recording, PLAIT_RECORDING_INSTANT, "there"), ==, THREADS);
                done(recording);
        }
}

/* There is no ring for some of so many threads in so short a time, but for those that come later. */
TEST(after_a_crowd_of_threads_there_are_rings_again)
{
        bool told = false;

        start_small(1000000);
        tell_in_threads(BURST, "crowd");
        for (int i = 0; i < TRIES && !told; i++) {
                tell_in_threads(1, "later");
                struct plait_recording *recording = opened();
                told = count(recording, PLAIT_RECORDING_INSTANT, "later") > 0;
                plait_recording_close(recording);
        }
        CHECK_INT(plait_trace_stop(NULL), ==, 0);
        unlink(path);
        CHECK(told);
}

/* A program that goes wrong only while it is recorded would be hard to mend. */
TEST(an_event_without_a_name_does_no_harm)
{
        static struct plait_trace_name nameless = PLAIT_TRACE_NAME(NULL);

        CHECK_INT(plait_trace_start(new_path(), NULL), ==, 0);
        plait_span_begin(&nameless);
        plait_span_end(&nameless);
        plait_span_begin(NULL);
        plait_span_end(NULL);
        plait_trace_message(NULL);
        CHECK_INT(plait_trace_stop(NULL), ==, 0);
        struct plait_recording *recording = opened();
        CHECK_UINT(count(recording, PLAIT_RECORDING_SPAN_BEGIN, NULL), ==, 1);
        CHECK_UINT(count(recording, PLAIT_RECORDING_SPAN_END, "(null)"), ==, 1);
        CHECK_UINT(count(recording, PLAIT_RECORDING_INSTANT, NULL), ==, 1);
        done(recording);
}

TEST(errno_stays_as_it_was)
{
        struct plait_recording *recording;

        errno = ENOTTY;
        CHECK_INT(plait_trace_start("/nonexistent/folder/file", NULL), ==, -ENOENT);
        CHECK_INT(plait_recording_open(&recording, "/nonexistent/folder/file"), ==, -ENOENT);
        CHECK_INT(plait_trace_start("/", NULL), ==, -EISDIR);
        CHECK_INT(errno, ==, ENOTTY);
        const char *to = new_path();
        errno = ENOTTY;
        CHECK_INT(plait_trace_start(to, NULL), ==, 0);
        PLAIT_INSTANT("first", 1);
        CHECK_INT(plait_trace_stop(NULL), ==, 0);
        CHECK_INT(errno, ==, ENOTTY);
        unlink(path);
}
