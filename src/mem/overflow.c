/*
 * Reporting stack overflows. See mem/overflow.h.
 *
 * The handlers run on a stack of their own and use only what is safe in a signal handler. Installing and uninstalling
 * is guarded by *lock*; the handlers read *previous*, which is written before they are installed and while they are
 * not.
 */
#include "mem/overflow.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plat/lock.h"
#include "plat/sys.h"

enum { ALTERNATE_BYTES = 64 * 1024 };

static const int signals[] = {SIGSEGV, SIGBUS};

static struct pl_lock lock;
static unsigned installed;
static bool in_chain[PL_ARRAY_SIZE(signals)]; /* ours is the handler, or somebody above it passes signals on to it */
static struct sigaction previous[PL_ARRAY_SIZE(signals)];
static _Atomic(pl_mem_describe) describe_hook;

void pl_mem_overflow_describe(pl_mem_describe describe)
{
        atomic_store(&describe_hook, describe);
}

/* --- the message, without stdio --- */

struct message {
        char text[512];
        size_t n;
};

static void add(struct message *m, const char *text, size_t n)
{
        if (n > sizeof(m->text) - m->n)
                n = sizeof(m->text) - m->n;
        memcpy(m->text + m->n, text, n);
        m->n += n;
}

static void add_text(struct message *m, const char *text)
{
        add(m, text, strlen(text));
}

static void add_number(struct message *m, size_t number)
{
        char digits[20];
        size_t n = sizeof(digits);

        do
                digits[--n] = (char)('0' + number % 10);
        while ((number /= 10) > 0);
        add(m, digits + n, sizeof(digits) - n);
}

/* Say that who runs on *stack* overflowed it. False: nobody does. */
static bool report(const struct pl_stack *stack, const char *how)
{
        pl_mem_describe describe = atomic_load(&describe_hook);
        struct message m = {.n = 0};
        char who[256] = "a task";
        int n = describe ? describe(stack, who, sizeof(who)) : (int)strlen(who);

        if (n <= 0)
                return false;
        add_text(&m, "plait: ");
        add(&m, who, (size_t)n < sizeof(who) ? (size_t)n : sizeof(who));
        add_text(&m, " overflowed its stack of ");
        add_number(&m, stack->bytes / 1024);
        add_text(&m, " KiB");
        add_text(&m, how);
        add_text(&m, "; give it a larger one with struct plait_task_opts.stack_bytes\n");
        if (write(STDERR_FILENO, m.text, m.n) < 0)
                return true; /* there is nowhere else to say it */
        return true;
}

void pl_mem_stack_check_canary(const struct pl_stack *stack)
{
        const char *base = pl_mem_stack_base(stack);
        char any = 0;

        for (size_t i = 0; i < PL_STACK_CANARY; i++)
                any |= base[i];
        if (any == 0)
                return;
        if (!report(stack, " (its canary is dead, so the memory below may be damaged)"))
                pl_warn("a task overflowed its stack (its canary is dead, so the memory below may be damaged)");
        abort();
}

/* --- the handlers --- */

static void set_default(int sig)
{
        struct sigaction action = {.sa_handler = SIG_DFL};

        sigemptyset(&action.sa_mask);
        sigaction(sig, &action, NULL);
}

/* What would have happened without us. */
static void pass_on(const struct sigaction *to, int sig, siginfo_t *info, void *context)
{
        sigset_t old;

        if (!(to->sa_flags & SA_SIGINFO) && (to->sa_handler == SIG_DFL || to->sa_handler == SIG_IGN)) {
                if (to->sa_handler == SIG_IGN && info->si_code <= 0)
                        return;   /* sent by somebody, and ignored */
                set_default(sig); /* a fault comes again when we return; nobody can ignore those */
                if (info->si_code <= 0)
                        raise(sig); /* pending until we return */
                return;
        }
        pthread_sigmask(SIG_BLOCK, &to->sa_mask, &old);
        if (to->sa_flags & SA_SIGINFO)
                to->sa_sigaction(sig, info, context);
        else
                to->sa_handler(sig);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
        int saved = errno;
        bool in_guard = false;
        struct pl_stack *stack = info->si_code > 0 ? pl_mem_stack_owner(info->si_addr, &in_guard) : NULL;

        if (stack && in_guard && report(stack, ""))
                set_default(sig); /* and on return the fault comes again: the core file shows where */
        else
                pass_on(&previous[sig == SIGBUS], sig, info, context);
        errno = saved;
}

static bool is_ours(int sig)
{
        struct sigaction now;

        return sigaction(sig, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_fault;
}

int pl_mem_overflow_install(void)
{
        struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        int saved = errno;
        int r = 0;

        sigemptyset(&action.sa_mask);
        pl_lock_acquire(&lock);
        for (size_t i = 0; installed == 0 && i < PL_ARRAY_SIZE(signals); i++) {
                if (in_chain[i])
                        continue;
                if (sigaction(signals[i], NULL, &previous[i]) != 0 || sigaction(signals[i], &action, NULL) != 0)
                        r = -errno;
                else
                        in_chain[i] = true;
        }
        if (r == 0)
                installed++;
        pl_lock_release(&lock);
        errno = saved;
        return r;
}

void pl_mem_overflow_uninstall(void)
{
        int saved = errno;

        pl_lock_acquire(&lock);
        if (installed == 0)
                pl_panic("pl_mem_overflow_uninstall() without install()");
        installed--;
        for (size_t i = 0; installed == 0 && i < PL_ARRAY_SIZE(signals); i++) {
                if (!is_ours(signals[i]))
                        continue; /* whoever took it over may pass signals on to us */
                sigaction(signals[i], &previous[i], NULL);
                in_chain[i] = false;
        }
        pl_lock_release(&lock);
        errno = saved;
}

/* --- where the handlers run --- */

int pl_mem_overflow_thread_init(struct pl_overflow_thread *thread)
{
        int saved = errno;
        stack_t now, ours = {.ss_size = ALTERNATE_BYTES};
        long least = sysconf(_SC_SIGSTKSZ);
        int r = 0;

        if (least > 0 && (size_t)least > ours.ss_size)
                ours.ss_size = (size_t)least;
        *thread = (struct pl_overflow_thread){0};
        if (sigaltstack(NULL, &now) == 0 && !(now.ss_flags & SS_DISABLE))
                return 0;
        ours.ss_sp = mmap(NULL, ours.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (ours.ss_sp == MAP_FAILED) {
                r = -ENOMEM;
        } else if (sigaltstack(&ours, NULL) != 0) {
                r = -errno;
                munmap(ours.ss_sp, ours.ss_size);
        } else {
                thread->base = ours.ss_sp;
                thread->bytes = ours.ss_size;
        }
        errno = saved;
        return r;
}

void pl_mem_overflow_thread_done(struct pl_overflow_thread *thread)
{
        int saved = errno;
        stack_t now, none = {.ss_flags = SS_DISABLE};

        if (thread->base) {
                if (sigaltstack(NULL, &now) == 0 && now.ss_sp == thread->base)
                        sigaltstack(&none, NULL);
                munmap(thread->base, thread->bytes);
                thread->base = NULL;
        }
        errno = saved;
}
