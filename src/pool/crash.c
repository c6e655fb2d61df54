/*
 * What a crashing worker process leaves behind: the signal, the address, and the stack, written by a signal handler
 * into memory that the pool reads when the process is dead. Addresses are left as offsets in their modules, so that the
 * pool can name them.
 *
 * The handler runs on a stack of its own and uses what is safe there: the unwinder (plat/unwind.h) and
 * _dl_find_object(). Afterwards things take the course that they would have taken without it, with a core file and
 * whatever else the program does about such a signal.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "plat/unwind.h"
#include "pool/worker.h"

enum { STACK_BYTES = 64 * 1024 };

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

static struct pl_crash *record;
static struct sigaction previous[PL_ARRAY_SIZE(signals)];

static void describe(struct pl_crash_frame *frame, const void *pc)
{
        struct dl_find_object object;

        *frame = (struct pl_crash_frame){.pc = (uintptr_t)pc};
        if (_dl_find_object((void *)((uintptr_t)pc - 1), &object) != 0)
                return;
        const char *path = object.dlfo_link_map->l_name;
        const char *slash = strrchr(path, '/');
        const char *name = *path ? slash ? slash + 1 : path : program_invocation_short_name;
        size_t n = strnlen(name, sizeof frame->module - 1);

        memcpy(frame->module, name, n);
        frame->offset = (uintptr_t)pc - object.dlfo_link_map->l_addr;
        frame->extent = (uintptr_t)object.dlfo_map_end - (uintptr_t)object.dlfo_map_start;
}

static void note(int sig, const siginfo_t *info, const void *context)
{
        void *frames[PL_CRASH_FRAMES];
        struct pl_context at;

        record->signal = sig;
        record->code = info->si_code;
        record->address = (uintptr_t)info->si_addr;
        pl_plat_interrupted(context, &at);
        record->n_frames = pl_plat_unwind(&at, false, frames, PL_CRASH_FRAMES);
        for (unsigned i = 0; i < record->n_frames; i++)
                describe(&record->frames[i], frames[i]);
        atomic_store_explicit(&record->complete, 1, memory_order_release);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
        int saved = errno;

        if (!atomic_load_explicit(&record->complete, memory_order_relaxed))
                note(sig, info, context);
        for (size_t i = 0; i < PL_ARRAY_SIZE(signals); i++)
                if (signals[i] == sig)
                        sigaction(sig, &previous[i], NULL);
        if (info->si_code <= 0)
                raise(sig); /* it was sent: pending until this returns. A fault comes again by itself */
        errno = saved;
}

int pl_crash_catch(struct pl_crash *crash)
{
        struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        stack_t stack, now;

        record = crash;
        if (sigaltstack(NULL, &now) == 0 && now.ss_flags & SS_DISABLE) {
                stack = (stack_t){.ss_size = STACK_BYTES,
                                  .ss_sp = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                                                -1, 0)};
                if (stack.ss_sp == MAP_FAILED)
                        return -ENOMEM;
                sigaltstack(&stack, NULL);
        }
        sigemptyset(&action.sa_mask);
        for (size_t i = 0; i < PL_ARRAY_SIZE(signals); i++)
                if (sigaction(signals[i], &action, &previous[i]) < 0)
                        return -errno;
        return 0;
}
