/* What is said of a worker that died: how, where, and in which job, if in any. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plat/unwind.h"
#include "pool/process.h"

enum { LINE_BYTES = 256 };

struct text {
        char *bytes;
        size_t n, room;
};

static PL_PRINTF(2, 3) void add(struct text *text, const char *format, ...)
{
        char line[LINE_BYTES];
        va_list args;

        va_start(args, format);
        int n = vsnprintf(line, sizeof line, format, args);
        va_end(args);
        if (n < 0)
                return;
        if ((size_t)n >= sizeof line)
                n = sizeof line - 1;
        if (text->n + (size_t)n + 1 > text->room) {
                size_t room = (text->room + (size_t)n + 1) * 2;
                char *more = realloc(text->bytes, room);

                if (!more)
                        return;
                text->bytes = more;
                text->room = room;
        }
        memcpy(text->bytes + text->n, line, (size_t)n + 1);
        text->n += (size_t)n;
}

/* The module of that name and size in this process; where its offsets count from. */
struct module_search {
        const struct pl_crash_frame *frame;
        uintptr_t base;
        bool found;
};

static int compare(struct dl_phdr_info *info, size_t size, void *arg)
{
        struct module_search *search = arg;
        const char *slash = strrchr(info->dlpi_name, '/');
        const char *name = slash ? slash + 1 : *info->dlpi_name ? info->dlpi_name : program_invocation_short_name;
        struct dl_find_object object;

        (void)size;
        if (strncmp(name, search->frame->module, sizeof search->frame->module - 1) != 0 || !info->dlpi_phnum)
                return 0;
        if (_dl_find_object((void *)(info->dlpi_addr + search->frame->offset - 1), &object) != 0 ||
            (uintptr_t)object.dlfo_map_end - (uintptr_t)object.dlfo_map_start != search->frame->extent)
                return 0;
        search->base = info->dlpi_addr;
        search->found = true;
        return 1;
}

/* The place in this process's copy of the module is the same, and here its name can be looked up. */
static void add_frame(struct text *text, unsigned index, struct pl_crash_frame *frame)
{
        struct module_search search = {.frame = frame};
        char place[LINE_BYTES - 32];

        frame->module[sizeof frame->module - 1] = '\0';
        dl_iterate_phdr(compare, &search);
        if (search.found)
                pl_plat_describe_code((const void *)(search.base + frame->offset), place, sizeof place);
        else if (*frame->module)
                snprintf(place, sizeof place, "%s+0x%llx", frame->module, (unsigned long long)frame->offset);
        else
                snprintf(place, sizeof place, "0x%llx", (unsigned long long)frame->pc);
        add(text, "  #%-2u %s\n", index, place);
}

static void add_signal(struct text *text, const struct pl_process *worker, int signal)
{
        const char *name = sigabbrev_np(signal);
        const struct pl_crash *crash = &worker->share->crash;

        add(text, "was ended by SIG%s (%s)", name ? name : "?", strsignal(signal));
        if (atomic_load(&crash->complete) && crash->code > 0)
                add(text, " at address 0x%llx", (unsigned long long)crash->address);
        if (signal == SIGKILL)
                add(text,
                    "; not by this pool: the system kills so when memory runs out, and it had used up to %llu MiB",
                    (unsigned long long)(worker->last_news.rss_most >> 20));
        add(text, "\n");
}

static void add_ending(struct text *text, const struct pl_process *worker)
{
        const struct pl_server_reply *news = &worker->last_news;

        if (worker->fate == PL_FATE_CORRUPT)
                add(text, "wrote into memory that is the pool's, and was killed\n");
        else if (!worker->buried)
                add(text, "was killed, because the fork server has ended\n");
        else if (news->signal)
                add_signal(text, worker, news->signal);
        else
                add(text, "called exit(%d)\n", news->exit_code);
}

static void add_worker(struct text *text, const struct pl_process *worker)
{
        add(text, "worker process %d ", (int)worker->pid);
        add_ending(text, worker);
        if (!atomic_load(&worker->share->crash.complete) || worker->fate != PL_FATE_NONE)
                return;
        struct pl_crash crash = worker->share->crash; /* nobody writes there any more; but it may be nonsense */
        for (unsigned i = 0; i < crash.n_frames && i < PL_CRASH_FRAMES; i++)
                add_frame(text, i, &crash.frames[i]);
}

char *pl_process_report(const struct pl_process *worker, const struct pl_job *job)
{
        struct text text = {0};
        char function[LINE_BYTES / 2];

        pl_plat_describe_code((const char *)(const void *)job->fn + 1, function, sizeof function);
        char *plus = strstr(function, "+0x1 ");
        if (plus)
                memmove(plus, plus + 4, strlen(plus + 4) + 1);
        if (job->name)
                add(&text, "job '%s' (%s): ", job->name, function);
        else
                add(&text, "job %s: ", function);
        add_worker(&text, worker);
        return text.bytes;
}

char *pl_process_start_report(const struct pl_process *worker)
{
        struct text text = {0};

        add_worker(&text, worker);
        if (text.n && text.bytes[text.n - 1] == '\n')
                text.bytes[text.n - 1] = '\0';
        return text.bytes;
}
