/*
 * The contract with the operating system. Nothing above this layer includes a header of Linux for these things; the
 * implementation is in plat/linux/. Results are >= 0 or a negative errno; errno stays as it was.
 */
#ifndef PL_PLAT_SYS_H
#define PL_PLAT_SYS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/cpu.h"
#include "base/attributes.h"
#include "plat/panic.h"

#define PL_PLAT_NEVER INT64_MAX

/* --- time --- */

/* CLOCK_MONOTONIC. */
int64_t pl_plat_now_ns(void);

/* CLOCK_REALTIME. */
int64_t pl_plat_real_ns(void);

/* How many pl_plat_ticks() a millisecond has; >= 1. Calibrated at the first call, which may take a millisecond. */
uint64_t pl_plat_ticks_per_ms(void);

/* Whether the kernel makes CLOCK_MONOTONIC from pl_plat_ticks(), so that it is the same on all processors. */
bool pl_plat_clock_is_ticks(void);

/* --- waiting on a word of memory, within this process --- */

/*
 * Sleep while *word* is *expected*. 0: woken (or for no reason at all); -EAGAIN: it was not *expected*; -ETIMEDOUT;
 * -EINTR: a signal handler ran. *deadline_ns*: absolute, CLOCK_MONOTONIC, PL_PLAT_NEVER for none.
 */
int pl_plat_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns);

/* Wake up to *n* of its sleepers. */
void pl_plat_futex_wake(_Atomic uint32_t *word, int n);

/* The same between processes, of a word in memory that they share. */
int pl_plat_shared_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns);
void pl_plat_shared_wake(_Atomic uint32_t *word, int n);

/* An eventfd; not inherited by programs that are executed. The descriptor or -errno. */
int pl_plat_eventfd_open(void);

/* Wake who polls the eventfd *fd*. */
void pl_plat_eventfd_write(int fd);

/*
 * Sleep until *fd* is or has been written to (true; that is forgotten then), the alarm goes off, or *deadline_ns* has
 * come.
 */
bool pl_plat_eventfd_wait(int fd, int alarm_fd, int64_t deadline_ns);

/* An alarm, which is a descriptor, or -errno; and let it go off after that time, more than none, once. */
int pl_plat_alarm_open(void);
void pl_plat_alarm_set(int fd, int64_t after_ns);

/* Sleep for about so long. */
void pl_plat_nap_us(unsigned us);

/* --- memory that may not be there --- */

/*
 * Copy *n* bytes from *from*, which may be unmapped or be changing; nothing is copied when a page is missing, unless
 * something before it could be read: then the rest of *to* is zero. 0, -EFAULT, or -EPERM where the kernel refuses.
 */
int pl_plat_peek(void *to, const void *from, size_t n);

/* --- processors --- */

/* How many CPUs this process may keep busy: its affinity mask and its cgroups' quota (rounded up); >= 1. */
int pl_plat_cpu_count(void);

/* How many CPUs the calling thread's affinity mask has; >= 1. */
int pl_plat_cpu_affinity(void);

/*
 * The CPU quota of the cgroups (v2 and v1) that this process is in, rounded up; 0: unlimited. The smallest among the
 * ancestors counts. *root* is put before /proc and /sys, "" for the real ones.
 */
int pl_plat_cpu_quota(const char *root);

/* --- threads --- */

struct pl_thread {
        pthread_t id;
};

/*
 * Start a thread of the library's own: only the signals that a thread brings upon itself (SIGSEGV, SIGBUS, SIGFPE,
 * SIGILL, SIGTRAP, SIGSYS, SIGABRT) reach it. *stack_bytes* 0: the system's default. *name* is cut to 15 bytes.
 * 0, -EAGAIN or -ENOMEM (no resources), -EINVAL.
 */
PL_WARN_UNUSED int pl_plat_thread_start(struct pl_thread *ret, void *(*fn)(void *), void *arg, size_t stack_bytes,
                                        const char *name);

/* Wait for its end; returns what *fn* returned. */
void *pl_plat_thread_join(struct pl_thread *thread);

/* The calling thread's number, as the kernel and its tools know it. */
uint32_t pl_plat_thread_id(void);

/* The processor time that thread *tid* of this process has used so far; 0: there is none. */
int64_t pl_plat_thread_cpu_ns(uint32_t tid);

/* Whether thread *tid* of this process runs, or waits for a processor; false, too, where that cannot be found out. */
bool pl_plat_thread_is_runnable(uint32_t tid);

/*
 * What thread *tid* of any process has used of processors so far, and for how long it has waited for one. 0; or -ENOENT
 * (there is no such thread, or the kernel does not count that), ...: nothing is filled in.
 */
PL_WARN_UNUSED int pl_plat_thread_times(uint32_t tid, int64_t *ret_cpu_ns, int64_t *ret_delay_ns);

/* Whether there are threads besides the first one and those that pl_plat_thread_start() has started; true in doubt. */
bool pl_plat_has_foreign_threads(void);

/* Whether the calling thread is the only one of this process; false in doubt. A sanitizer's own does not count. */
bool pl_plat_is_single(void);

/* --- processes --- */

/*
 * Who this process is among all that run on this machine, now and later: its number in the low 22 bits, the low 32 bits
 * of its start time in the high half, 0 between. Never 0.
 */
uint64_t pl_plat_process_self(void);

/* Whether the process of that name runs; true in doubt. One that nobody has reaped yet does not. */
bool pl_plat_process_is_alive(uint64_t process);

/* --- settings --- */

/*
 * The environment variable *name* as a number of *min* to *max*. True: it is in *ret*. Anything else that is set is
 * named in a warning and ignored.
 */
bool pl_plat_env_u64(const char *name, uint64_t min, uint64_t max, uint64_t *ret);

/*
 * Whether PLAIT_DEBUG has *key*, as in PLAIT_DEBUG=migrate,guard=canary. Its value ("" without "=") is copied to
 * *value* if that is not NULL; one that does not fit counts as absent.
 */
bool pl_plat_debug(const char *key, char *value, size_t value_bytes);

/* A seed. From the kernel; from clock and addresses where that fails. */
uint64_t pl_plat_random_u64(void);

#endif
