/* What worker processes start with, how they are replaced, what they print, and pools inside and beside each other. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait/plait.h>

#include "harness/task.h"
#include "harness/test.h"

static struct plait_executor *open_with(const struct plait_executor_opts *opts)
{
        struct plait_executor *executor;

        CHECK_INT(plait_executor_processes(opts, &executor), ==, 0);
        return executor;
}

static struct plait_executor *open_executor(unsigned workers)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = workers};

        return open_with(&opts);
}

static int call(struct plait_executor *executor, int (*fn)(void *arg, void *result), int number)
{
        struct plait_job job = {.fn = fn, .arg = &number, .arg_bytes = sizeof number};

        return plait_executor_call(executor, &job, PLAIT_NEVER, NULL);
}

/* What a job says of its process. */
struct facts {
        int pid, descriptors, nice, cpus, in;
        bool blocked, handled;
        char folder[256], variable[64], name[16];
};

static int count_descriptors(void)
{
        DIR *list = opendir("/proc/self/fd");
        int n = -1; /* the one of the list */

        for (const struct dirent *entry; list && (entry = readdir(list));)
                n += entry->d_name[0] != '.';
        if (list)
                closedir(list);
        return n;
}

static int tell_facts(void *arg, void *result)
{
        struct facts *facts = result;
        struct sigaction action;
        const char *variable = getenv("PLAIT_TEST_VARIABLE");
        cpu_set_t cpus;
        sigset_t blocked;
        char c;

        (void)arg;
        memset(facts, 0, sizeof *facts);
        facts->pid = (int)getpid();
        facts->descriptors = count_descriptors();
        facts->nice = getpriority(PRIO_PROCESS, 0);
        if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
                facts->cpus = CPU_COUNT(&cpus);
        facts->in = (int)read(STDIN_FILENO, &c, 1);
        sigprocmask(SIG_BLOCK, NULL, &blocked);
        sigaction(SIGUSR1, NULL, &action);
        facts->blocked = sigismember(&blocked, SIGUSR1);
        facts->handled = action.sa_handler != SIG_DFL;
        if (!getcwd(facts->folder, sizeof facts->folder))
                return -errno;
        snprintf(facts->variable, sizeof facts->variable, "%s", variable ? variable : "");
        pthread_getname_np(pthread_self(), facts->name, sizeof facts->name);
        return 0;
}

static struct facts ask_facts(struct plait_executor *executor)
{
        struct facts facts = {0};
        struct plait_job job = {.fn = tell_facts, .result = &facts, .result_bytes = sizeof facts};

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 0);
        return facts;
}

static void check_start(const struct plait_executor_opts *opts)
{
        CHECK_SYS(setenv("PLAIT_TEST_VARIABLE", "seen", 1));
        CHECK_SYS(chdir("/usr"));
        struct plait_executor *executor = open_with(opts);
        CHECK_SYS(setenv("PLAIT_TEST_VARIABLE", "too late", 1));
        CHECK_SYS(chdir("/"));

        struct facts facts = ask_facts(executor);
        CHECK_STR(facts.variable, "seen");
        CHECK_STR(facts.folder, "/usr");
        CHECK_STR(facts.name, "facts");
        CHECK_INT(facts.in, ==, 0);
        CHECK_INT(facts.descriptors, ==, 4); /* the three, and one to wake the program */
        CHECK_INT(facts.nice, ==, 5);
        CHECK_INT(facts.cpus, ==, 1);
        CHECK(!facts.blocked);
        CHECK(!facts.handled);
        plait_executor_free(executor);
}

static const struct plait_thread_opts nicer = {.size = sizeof nicer, .nice = 5};
static const struct plait_executor_opts facts_opts = {
        .size = sizeof facts_opts, .name = "facts", .workers = 1, .flags = PLAIT_EXECUTOR_PIN, .threads = &nicer};

TEST(a_worker_starts_with_what_the_manual_says)
{
        sigset_t set;
        int fd = CHECK_SYS(open("/dev/null", O_RDONLY)); /* not for workers */

        signal(SIGUSR1, SIG_IGN);
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        check_start(&facts_opts);
        close(fd);
}

/* --- a copy of the program, or the program started anew --- */

static int computed = 1;
static int constructed;

__attribute__((constructor)) static void construct(void)
{
        constructed = 7;
}

static int tell_computed(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return computed * 100 + constructed;
}

TEST(a_worker_finds_what_constructors_have_made_and_nothing_else)
{
        computed = 5;
        struct plait_executor *executor = open_executor(1);
        CHECK_INT(call(executor, tell_computed, 0), ==, 107);
        plait_executor_free(executor);
}

TEST(a_worker_of_a_copied_server_finds_what_the_program_has_computed)
{
        computed = 5;
        CHECK_INT(plait_fork_server_start(), ==, 0);
        CHECK_INT(plait_fork_server_start(), ==, -EALREADY);
        computed = 6;
        struct plait_executor *executor = open_executor(1);
        CHECK_INT(call(executor, tell_computed, 0), ==, 507);
        CHECK_INT(plait_fork_server_stop(), ==, -EBUSY);
        plait_executor_free(executor);
        executor = open_executor(1);
        CHECK_INT(call(executor, tell_computed, 0), ==, 507);
        plait_executor_free(executor);
        CHECK_INT(plait_fork_server_stop(), ==, 0);
        executor = open_executor(1);
        CHECK_INT(call(executor, tell_computed, 0), ==, 107);
        plait_executor_free(executor);
}

static void *idle(void *arg)
{
        (void)!plait_event_wait(arg, PLAIT_NEVER);
        return NULL;
}

TEST(a_program_with_threads_cannot_be_copied_but_has_pools)
{
        struct plait_event event = PLAIT_EVENT_INIT;
        pthread_t threads[4];

        for (int i = 0; i < 4; i++)
                CHECK_INT(pthread_create(&threads[i], NULL, idle, &event), ==, 0);
        CHECK_INT(plait_fork_server_start(), ==, -EBUSY);
        struct plait_executor *executor = open_executor(2);
        for (int i = 0; i < 50; i++)
                CHECK_INT(call(executor, tell_computed, 0), ==, 107);
        plait_executor_free(executor);
        plait_event_set(&event);
        for (int i = 0; i < 4; i++)
                CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
}

/* --- libraries --- */

TEST(a_function_of_a_library_that_is_loaded_later_is_found)
{
        struct plait_executor *executor = open_executor(1);
        CHECK_INT(call(executor, tell_computed, 0), ==, 107); /* the worker is there already */

        void *library = dlopen("libz.so.1", RTLD_NOW);
        if (!library)
                SKIP("no libz");
        int (*version)(void *arg, void *result);
        *(void **)(void *)&version = dlsym(library, "zlibCompileFlags"); /* of no arguments, returns a number */
        CHECK(version);
        CHECK_INT(call(executor, version, 0), >, 0);
        plait_executor_free(executor);
        dlclose(library);
}

/* The contents of *from* into the new file *to*. */
static void copy_file(const char *from, const char *to)
{
        int in = CHECK_SYS(open(from, O_RDONLY | O_CLOEXEC));
        int out = CHECK_SYS(open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700));
        char bytes[4096];
        ssize_t n;

        while ((n = CHECK_SYS(read(in, bytes, sizeof bytes))) > 0)
                CHECK_INT(write(out, bytes, (size_t)n), ==, n);
        close(in);
        close(out);
}

struct late {
        char folder[32], path[64];
        void *library;
        int (*answer)(void *arg, void *result);
};

static struct late copy_late(void)
{
        struct late late = {.folder = "/tmp/plait-late-XXXXXX"};

        CHECK(mkdtemp(late.folder));
        snprintf(late.path, sizeof late.path, "%s/late.so", late.folder);
        copy_file(PLAIT_TEST_LATE "/late_42.so", late.path);
        return late;
}

/* A library of which workers that are made later on need the file. */
static struct late load_late(void)
{
        struct late late = copy_late();

        late.library = dlopen(late.path, RTLD_NOW);
        if (late.library)
                *(void **)(void *)&late.answer = dlsym(late.library, "late_answer");
        CHECK(late.answer);
        return late;
}

static void unload_late(struct late *late)
{
        dlclose(late->library);
        unlink(late->path);
        CHECK_SYS(rmdir(late->folder));
}

static struct plait_job_end end_of(struct plait_executor *executor, int (*fn)(void *arg, void *result))
{
        const struct plait_job job = {.fn = fn};
        struct plait_job_end end;

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, &end), ==, end.result);
        return end;
}

TEST(a_library_is_loaded_by_workers_that_are_there_already)
{
        struct plait_executor *executor = open_executor(1);

        CHECK_INT(call(executor, tell_computed, 0), ==, 107);
        struct late late = load_late();
        CHECK_INT(call(executor, late.answer, 0), ==, 42);
        unload_late(&late);
        plait_executor_free(executor);
}

TEST(a_library_is_found_by_workers_in_another_folder)
{
        struct plait_executor *executor = open_executor(1);
        int here = CHECK_SYS(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
        struct late late = copy_late();

        CHECK_SYS(chdir(late.folder));
        late.library = dlopen("./late.so", RTLD_NOW);
        CHECK_SYS(fchdir(here));
        close(here);
        CHECK(late.library);
        *(void **)(void *)&late.answer = dlsym(late.library, "late_answer");
        CHECK_INT(call(executor, late.answer, 0), ==, 42);
        unload_late(&late);
        plait_executor_free(executor);
}

TEST(a_library_whose_file_is_gone_costs_its_jobs, .stderr_match = "cannot use a library")
{
        struct late late = load_late();
        struct plait_executor *executor = open_executor(1);

        CHECK_SYS(unlink(late.path));
        struct plait_job_end end = end_of(executor, late.answer);
        CHECK_INT(end.status, ==, PLAIT_JOB_REFUSED);
        CHECK_INT(end.result, ==, -ELIBACC);
        CHECK_INT(call(executor, tell_computed, 0), ==, 107);
        unload_late(&late);
        plait_executor_free(executor);
}

TEST(a_library_whose_file_is_another_one_costs_its_jobs, .stderr_match = "replaced by another file")
{
        struct late late = load_late();
        struct plait_executor *executor = open_executor(1);

        CHECK_SYS(unlink(late.path));
        copy_file(PLAIT_TEST_LATE "/late_4300.so", late.path);
        struct plait_job_end end = end_of(executor, late.answer);
        CHECK_INT(end.status, ==, PLAIT_JOB_REFUSED);
        CHECK_INT(end.result, ==, -ELIBBAD);
        CHECK_INT(call(executor, tell_computed, 0), ==, 107);
        unload_late(&late);
        plait_executor_free(executor);
}

TEST(what_is_no_function_of_a_module_is_refused)
{
        struct plait_executor *executor = open_executor(1);
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        int (*nowhere)(void *arg, void *result);

        CHECK(page != MAP_FAILED);
        *(void **)(void *)&nowhere = page;
        CHECK_INT(call(executor, nowhere, 0), ==, -EINVAL);
        munmap(page, 4096);
        plait_executor_free(executor);
}

/* --- replacing --- */

static int tell_pid(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return (int)getpid();
}

TEST(a_worker_is_replaced_after_so_many_jobs)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1, .jobs_per_worker = 3};
        struct plait_executor *executor = open_with(&opts);
        struct plait_executor_stats stats = {.size = sizeof stats};
        int last = 0, changes = 0;

        for (int i = 0; i < 12; i++) {
                int pid = call(executor, tell_pid, 0);

                CHECK_INT(pid, >, 0);
                changes += pid != last;
                last = pid;
        }
        CHECK_INT(changes, ==, 4);
        CHECK_INT(plait_executor_get_stats(executor, &stats), ==, 0);
        CHECK_UINT(stats.returned, ==, 12);
        CHECK_UINT(stats.crashed, ==, 0);
        plait_executor_free(executor);
}

static int grow(void *arg, void *result)
{
        size_t bytes = (size_t) * (const int *)arg << 20;
        char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        (void)result;
        if (memory == MAP_FAILED)
                return -ENOMEM;
        memset(memory, 1, bytes); /* and it is never given back */
        __asm__ volatile("" : : "r"(memory) : "memory");
        return (int)getpid();
}

TEST(a_worker_is_replaced_when_it_has_grown)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1, .rss_bytes = 200 << 20};
        struct plait_executor *executor = open_with(&opts);
        int first = call(executor, grow, 1);

        CHECK_INT(call(executor, grow, 300), ==, first);
        CHECK_INT(call(executor, grow, 1), !=, first);
        plait_executor_free(executor);
}

/* --- at the beginning and the end --- */

static int prepared;

static int prepare(void *arg)
{
        prepared = *(const int *)arg;
        return 0;
}

static int tell_prepared(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return prepared;
}

static void say_goodbye(void *arg)
{
        printf("goodbye from %d\n", *(const int *)arg);
}

/* What comes out of standard output while *fn* runs. */
static void capture(void (*fn)(void), char *text, size_t bytes)
{
        int file = CHECK_SYS(memfd_create("output", MFD_CLOEXEC)), out = CHECK_SYS(dup(STDOUT_FILENO));

        fflush(stdout);
        CHECK_SYS(dup2(file, STDOUT_FILENO));
        fn();
        CHECK_SYS(dup2(out, STDOUT_FILENO));
        ssize_t n = CHECK_SYS(pread(file, text, bytes - 1, 0));
        text[n] = '\0';
        close(out);
        close(file);
}

static void prepare_and_end(void)
{
        int number = 42;
        const struct plait_executor_opts opts = {.size = sizeof opts,
                                                 .workers = 1,
                                                 .initializer = prepare,
                                                 .finaliser = say_goodbye,
                                                 .arg = &number,
                                                 .arg_bytes = sizeof number};
        struct plait_executor *executor = open_with(&opts);

        number = 43; /* they have a copy */
        CHECK_INT(call(executor, tell_prepared, 0), ==, 42);
        plait_executor_free(executor);
}

TEST(bytes_for_the_initializer_must_be_there)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .initializer = prepare, .arg_bytes = 8};
        struct plait_executor *executor;

        CHECK_INT(plait_executor_processes(&opts, &executor), ==, -EINVAL);
        CHECK_INT(plait_executor_threads(&opts, &executor), ==, -EINVAL);
        opts.arg = &opts;
        opts.arg_bytes = SIZE_MAX - 8;
        CHECK_INT(plait_executor_processes(&opts, &executor), ==, -ENOMEM);
}

TEST(initializer_and_finaliser_are_called_in_the_worker)
{
        char text[256];

        capture(prepare_and_end, text, sizeof text);
        CHECK_STR(text, "goodbye from 42\n");
        CHECK_INT(prepared, ==, 0);
}

/* --- what workers print --- */

enum { LINES = 300, LINE_BYTES = 100 };

static int print_lines(void *arg, void *result)
{
        char line[LINE_BYTES];

        (void)result;
        memset(line, 'a' + *(const int *)arg, sizeof line - 1);
        line[sizeof line - 1] = '\n';
        for (int i = 0; i < LINES; i++) { /* in pieces, so that they would be torn */
                CHECK_SYS(write(STDOUT_FILENO, line, LINE_BYTES / 2));
                CHECK_SYS(write(STDOUT_FILENO, line + LINE_BYTES / 2, LINE_BYTES / 2));
        }
        return 0;
}

static void print_from_two(void)
{
        struct plait_executor *executor = open_executor(2);
        struct plait_future *futures[2];

        for (int i = 0; i < 2; i++) {
                struct plait_job job = {.fn = print_lines, .arg = &i, .arg_bytes = sizeof i, .flags = PLAIT_JOB_COPY};

                CHECK_INT(plait_executor_submit(executor, &job, &futures[i]), ==, 0);
        }
        for (int i = 0; i < 2; i++) {
                CHECK_INT(plait_future_wait(futures[i], PLAIT_NEVER, NULL, NULL), ==, 0);
                plait_future_unref(futures[i]);
        }
        plait_executor_free(executor);
}

TEST(lines_of_workers_come_out_whole)
{
        static char text[2 * LINES * LINE_BYTES + 2];
        int lines[2] = {0, 0};

        capture(print_from_two, text, sizeof text);
        CHECK_UINT(strlen(text), ==, 2 * LINES * LINE_BYTES);
        for (const char *line = text; *line; line += LINE_BYTES) {
                for (int i = 0; i < LINE_BYTES - 1; i++)
                        CHECK_INT(line[i], ==, line[0]);
                CHECK_INT(line[LINE_BYTES - 1], ==, '\n');
                lines[line[0] - 'a']++;
        }
        CHECK_INT(lines[0], ==, LINES);
        CHECK_INT(lines[1], ==, LINES);
}

static int print_half(void *arg, void *result)
{
        (void)arg;
        (void)result;
        printf("whole\nhal");
        fflush(stdout);
        raise(SIGKILL);
        return 0;
}

static void print_and_die(void)
{
        struct plait_executor *executor = open_executor(1);

        CHECK_INT(call(executor, print_half, 0), ==, -EOWNERDEAD);
        plait_executor_free(executor);
}

TEST(what_a_worker_printed_before_it_died_comes_out)
{
        char text[64];

        capture(print_and_die, text, sizeof text);
        CHECK_STR(text, "whole\nhal\n");
}

/* --- pools in pools, and beside --- */

static int use_a_pool(void *arg, void *result)
{
        int depth = *(const int *)arg;

        (void)result;
        if (depth == 0)
                return 1;
        struct plait_executor *executor = open_executor(2);
        int r = call(executor, use_a_pool, depth - 1);
        plait_executor_free(executor);
        return r < 0 ? r : r + 1;
}

TEST(a_job_can_have_a_pool)
{
        struct plait_executor *executor = open_executor(1);

        CHECK_INT(call(executor, use_a_pool, 2), ==, 3);
        plait_executor_free(executor);
}

TEST(two_pools_do_not_disturb_each_other)
{
        struct plait_executor *one = open_executor(2), *two = open_executor(1);

        for (int i = 0; i < 100; i++) {
                CHECK_INT(call(one, tell_computed, 0), ==, 107);
                CHECK_INT(call(two, tell_computed, 0), ==, 107);
        }
        plait_executor_free(one);
        CHECK_INT(call(two, tell_computed, 0), ==, 107);
        plait_executor_free(two);
}

static int run_tasks(void *arg)
{
        (void)arg;
        return plait_sleep(plait_in_ms(1)) == 0 ? 11 : 0;
}

static int run_in_job(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return plait_run(run_tasks, NULL, NULL);
}

TEST(a_job_can_have_tasks, .run = in_task)
{
        struct plait_executor *executor = open_executor(1);

        CHECK_INT(call(executor, run_in_job, 0), ==, 11);
        plait_executor_free(executor);
}

TEST(pools_open_and_close_again_and_again)
{
        for (int i = 0; i < 300; i++) {
                struct plait_executor *executor = open_executor(1);

                if (i % 30 == 0)
                        CHECK_INT(call(executor, tell_computed, 0), ==, 107);
                plait_executor_free(executor);
        }
}

/* --- ways to wait --- */

static void note(struct plait_future_callback *callback, void *arg)
{
        (void)callback;
        plait_event_set(arg);
}

TEST(results_come_by_callback_and_select, .run = in_task)
{
        struct plait_executor *executor = open_executor(1);
        struct plait_future_callback callback = PLAIT_FUTURE_CALLBACK_INIT;
        struct plait_event event = PLAIT_EVENT_INIT;
        struct plait_job job = {.fn = tell_computed};
        struct plait_future *future;

        for (int i = 0; i < 50; i++) {
                CHECK_INT(plait_executor_submit(executor, &job, &future), ==, 0);
                if (i % 2) {
                        struct plait_case cases[] = {plait_case_future(future)};

                        CHECK_INT(plait_select(cases, 1, PLAIT_NEVER), ==, 0);
                        CHECK_INT(cases[0].result, ==, 107);
                } else {
                        CHECK_INT(plait_future_on_set(future, &callback, note, &event), ==, 0);
                        CHECK_INT(plait_event_wait(&event, PLAIT_NEVER), ==, 0);
                        plait_event_clear(&event);
                }
                plait_future_unref(future);
        }
        plait_executor_free(executor);
}

static void *wait_for_it(void *arg)
{
        CHECK_INT(plait_future_wait(arg, PLAIT_NEVER, NULL, NULL), ==, 0);
        return NULL;
}

TEST(several_threads_wait_for_their_jobs)
{
        enum { THREADS = 6 };
        struct plait_executor *executor = open_executor(2);
        struct plait_future *futures[THREADS];
        pthread_t threads[THREADS];
        struct plait_job job = {.fn = tell_computed};

        for (int round = 0; round < 20; round++) {
                for (int i = 0; i < THREADS; i++) {
                        CHECK_INT(plait_executor_submit(executor, &job, &futures[i]), ==, 0);
                        CHECK_INT(pthread_create(&threads[i], NULL, wait_for_it, futures[i]), ==, 0);
                }
                for (int i = 0; i < THREADS; i++) {
                        CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
                        plait_future_unref(futures[i]);
                }
        }
        plait_executor_free(executor);
}
