/* Niceness, policy, priority and processors of a thread. On Linux each of them is the thread's, not the process's. */
#include "plat/order.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "plat/sys.h"

static const int policies[] = {
        [PLAIT_POLICY_KEEP] = -1,         [PLAIT_POLICY_OTHER] = SCHED_OTHER, [PLAIT_POLICY_BATCH] = SCHED_BATCH,
        [PLAIT_POLICY_IDLE] = SCHED_IDLE, [PLAIT_POLICY_FIFO] = SCHED_FIFO,   [PLAIT_POLICY_RR] = SCHED_RR};

static bool is_realtime(int policy)
{
        return policy == SCHED_FIFO || policy == SCHED_RR;
}

int pl_plat_order_make(const struct plait_thread_opts *opts, struct pl_order *ret)
{
        struct pl_order order = {.policy = -1};

        if (!opts) {
                *ret = order;
                return 0;
        }
        if (opts->size != sizeof *opts || opts->nice < -20 || opts->nice > 19 ||
            opts->policy >= PL_ARRAY_SIZE(policies) || (opts->cpu_count && !opts->cpus))
                return -EINVAL;
        order.nice = opts->nice;
        order.policy = policies[opts->policy];
        order.priority = opts->priority;
        if (is_realtime(order.policy) ? order.priority < 1 || order.priority > 99 : order.priority != 0)
                return -EINVAL;
        for (size_t i = 0; i < opts->cpu_count; i++) {
                if (opts->cpus[i] >= CPU_SETSIZE)
                        return -EINVAL;
                CPU_SET(opts->cpus[i], &order.cpus);
        }
        order.n_cpus = (unsigned)CPU_COUNT(&order.cpus);
        *ret = order;
        return 0;
}

/* The C library has one function for processes and threads each; the thread is meant by 0. */
static int set_policy(const struct pl_order *order)
{
        struct sched_param param = {.sched_priority = order->priority};
        int policy = order->policy | (is_realtime(order->policy) ? SCHED_RESET_ON_FORK : 0);

        return sched_setscheduler(0, policy, &param) < 0 ? -errno : 0;
}

int pl_plat_order_apply(const struct pl_order *order)
{
        int saved = errno;
        int r = 0;

        if (order->n_cpus && sched_setaffinity(0, sizeof order->cpus, &order->cpus) < 0)
                r = -errno;
        if (r == 0 && order->policy >= 0)
                r = set_policy(order);
        if (r == 0 && order->nice && setpriority(PRIO_PROCESS, 0, order->nice) < 0)
                r = -errno;
        errno = saved;
        return r == -EACCES ? -EPERM : r;
}

void pl_plat_order_narrow(struct pl_order *order, unsigned index)
{
        unsigned skip = order->n_cpus ? index % order->n_cpus : 0;

        for (unsigned cpu = 0; order->n_cpus && cpu < CPU_SETSIZE; cpu++) {
                if (!CPU_ISSET(cpu, &order->cpus) || skip-- > 0)
                        continue;
                CPU_ZERO(&order->cpus);
                CPU_SET(cpu, &order->cpus);
                order->n_cpus = 1;
                return;
        }
}

void pl_plat_order_save(struct pl_order *ret)
{
        struct sched_param param = {0};
        int saved = errno;

        *ret = (struct pl_order){.policy = sched_getscheduler(0)};
        if (ret->policy >= 0 && sched_getparam(0, &param) == 0)
                ret->priority = param.sched_priority;
        if (ret->policy >= 0)
                ret->policy &= ~SCHED_RESET_ON_FORK;
        ret->nice = getpriority(PRIO_PROCESS, 0);
        if (sched_getaffinity(0, sizeof ret->cpus, &ret->cpus) == 0)
                ret->n_cpus = (unsigned)CPU_COUNT(&ret->cpus);
        errno = saved;
}

void pl_plat_order_restore(const struct pl_order *saved_order)
{
        int saved = errno;

        if (saved_order->n_cpus)
                (void)!sched_setaffinity(0, sizeof saved_order->cpus, &saved_order->cpus);
        if (saved_order->policy >= 0) {
                struct sched_param param = {.sched_priority = saved_order->priority};

                (void)!sched_setscheduler(0, saved_order->policy, &param);
        }
        (void)!setpriority(PRIO_PROCESS, 0, saved_order->nice);
        errno = saved;
}

int pl_plat_cpu_here(void)
{
        return sched_getcpu();
}

/* Of *cpus*; if *home* is not one of them, the next one counts as it. */
static unsigned nth_after(const cpu_set_t *cpus, unsigned home, unsigned nth)
{
        unsigned cpu = home;

        while (!CPU_ISSET(cpu, cpus))
                cpu = (cpu + 1) % CPU_SETSIZE;
        for (nth %= (unsigned)CPU_COUNT(cpus); nth; nth -= CPU_ISSET(cpu, cpus) ? 1 : 0)
                cpu = (cpu + 1) % CPU_SETSIZE;
        return cpu;
}

void pl_plat_thread_scatter(int home, unsigned nth)
{
        cpu_set_t all, one;
        int saved = errno;

        if (home >= 0 && home < CPU_SETSIZE && sched_getaffinity(0, sizeof all, &all) == 0 && CPU_COUNT(&all) > 1) {
                unsigned cpu = nth_after(&all, (unsigned)home, nth);

                CPU_ZERO(&one);
                CPU_SET(cpu, &one);
                if ((int)cpu != sched_getcpu() && sched_setaffinity(0, sizeof one, &one) == 0)
                        (void)!sched_setaffinity(0, sizeof all, &all);
        }
        errno = saved;
}
