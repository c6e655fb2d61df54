/* What worker processes start with: the program's state, environment and libraries, however it was started itself. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait/plait.h>

#include "api/worker.h"
#include "harness/test.h"

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

/* --- a program that was started by hand, by the dynamic linker --- */

static int find_interpreter(struct dl_phdr_info *info, size_t size, void *arg)
{
        const char **ret = arg;

        (void)size;
        for (unsigned i = 0; i < info->dlpi_phnum; i++)
                if (info->dlpi_phdr[i].p_type == PT_INTERP)
                        *ret = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        return 1; /* the first is the program */
}

static int end_of_child(pid_t pid)
{
        int status = 0;

        CHECK_INT(CHECK_SYS(waitpid(pid, &status, 0)), ==, pid);
        return status;
}

TEST(a_program_that_the_dynamic_linker_was_told_to_start_has_workers)
{
        char argv0[] = "--argv0", name[] = "by hand", single[] = "--single";
        char again[] = "a_worker_finds_what_constructors_have_made_and_nothing_else";
        char *interpreter = NULL, path[PATH_MAX];
        pid_t pid;

        if (TEST_WITH_ASAN || TEST_WITH_TSAN)
                SKIP("sanitizers start programs anew themselves");
        dl_iterate_phdr(find_interpreter, &interpreter);
        CHECK(interpreter);
        ssize_t n = CHECK_SYS(readlink("/proc/self/exe", path, sizeof path - 1));
        path[n] = '\0';
        char *const plain[] = {interpreter, path, single, again, NULL};
        char *const renamed[] = {interpreter, argv0, name, path, single, again, NULL};
        CHECK_INT(posix_spawn(&pid, interpreter, NULL, NULL, plain, environ), ==, 0);
        CHECK_INT(end_of_child(pid), ==, 0);
        CHECK_INT(posix_spawn(&pid, interpreter, NULL, NULL, renamed, environ), ==, 0);
        CHECK_INT(end_of_child(pid), ==, 0);
}
