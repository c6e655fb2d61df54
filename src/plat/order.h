/* How the system is to schedule a thread: what struct plait_thread_opts says, checked and copied. */
#ifndef PL_PLAT_ORDER_H
#define PL_PLAT_ORDER_H

#include <sched.h>

#include "base/attributes.h"
#include "plait/thread.h"

struct pl_order {
        int nice;        /* 0: as it is */
        int policy;      /* SCHED_...; -1: as it is */
        int priority;    /* of FIFO and RR */
        unsigned n_cpus; /* 0: as it is */
        cpu_set_t cpus;
};

/* 0 or -EINVAL. *opts* may be NULL: everything as it is. */
PL_WARN_UNUSED int pl_plat_order_make(const struct plait_thread_opts *opts, struct pl_order *ret);

/* To the calling thread. 0, -EPERM or -EINVAL (of the processors, this process may use none). */
PL_WARN_UNUSED int pl_plat_order_apply(const struct pl_order *order);

/* The *index*th processor, in turn, instead of all. */
void pl_plat_order_narrow(struct pl_order *order, unsigned index);

/* How the calling thread is being scheduled; and back to that, as far as the system permits. */
void pl_plat_order_save(struct pl_order *ret);
void pl_plat_order_restore(const struct pl_order *saved);

/* The processor that the calling thread is on just now. */
int pl_plat_cpu_here(void);

/*
 * Move the calling thread to the *nth* one after *home* of those that it may run on, for now: it may be moved on. A
 * thread starts on the processor of its starter, and a virtual machine's kernel may leave it there for milliseconds
 * although another one is idle, since that looks like one that the host has taken away.
 */
void pl_plat_thread_scatter(int home, unsigned nth);

/* Let threads that pl_plat_thread_start() makes from now on run on all of *cpus*; NULL: where their starter may. */
void pl_plat_thread_spread(const cpu_set_t *cpus);

#endif
