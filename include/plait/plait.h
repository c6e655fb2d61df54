/**
 * @file plait/plait.h
 * Everything. Programs include this one.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <stdio.h>
 *
 * static int count(void *total)
 * {
 *         for (int i = 0; i < 3; i++) {
 *                 plait_sleep(plait_in_ms(1));
 *                 __atomic_add_fetch((int *)total, 1, __ATOMIC_RELAXED);
 *         }
 *         return 0;
 * }
 *
 * static int app(void *total)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         for (int i = 0; i < 10000; i++)
 *                 plait_scope_go(&scope, count, total);
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         int total = 0;
 *         int r = plait_run(app, &total, NULL);
 *
 *         printf("%d\n", total);
 *         return r < 0 || total != 30000;
 * }
 * @endcode
 */
#ifndef PLAIT_PLAIT_H
#define PLAIT_PLAIT_H

#include <plait/advise.h>
#include <plait/array.h>
#include <plait/as_completed.h>
#include <plait/barrier.h>
#include <plait/base.h>
#include <plait/blocking.h>
#include <plait/breaker.h>
#include <plait/broadcast.h>
#include <plait/channel.h>
#include <plait/child.h>
#include <plait/completion.h>
#include <plait/condition.h>
#include <plait/errno.h>
#include <plait/event.h>
#include <plait/executor.h>
#include <plait/fd.h>
#include <plait/fork_server.h>
#include <plait/future.h>
#include <plait/gather.h>
#include <plait/http.h>
#include <plait/latch.h>
#include <plait/limiter.h>
#include <plait/local.h>
#include <plait/lock_all.h>
#include <plait/map.h>
#include <plait/mutex.h>
#include <plait/name.h>
#include <plait/once.h>
#include <plait/parallel.h>
#include <plait/queue.h>
#include <plait/race.h>
#include <plait/recording.h>
#include <plait/registry.h>
#include <plait/retry.h>
#include <plait/run.h>
#include <plait/rwlock.h>
#include <plait/scope.h>
#include <plait/select.h>
#include <plait/semaphore.h>
#include <plait/shared_barrier.h>
#include <plait/shared_mutex.h>
#include <plait/signal.h>
#include <plait/socket.h>
#include <plait/task.h>
#include <plait/thread.h>
#include <plait/time.h>
#include <plait/timer.h>
#include <plait/trace.h>
#include <plait/tuner.h>
#include <plait/within.h>
#include <plait/worker_local.h>

#endif
