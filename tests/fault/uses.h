/* What programs do with an executor, any kind of it, each returning 0 or the first error; and what is wrong ends it. */
#ifndef FAULT_USES_H
#define FAULT_USES_H

#include <plait/plait.h>

#include "attempt.h"

enum { JOBS = 5 };

static inline int square(void *arg, void *result)
{
        long number = *(const long *)arg;

        *(long *)result = number * number;
        return 0;
}

/* Submit some, and see each of those that were end. */
static inline int use_jobs(struct plait_executor *executor)
{
        struct plait_future *futures[JOBS];
        long numbers[JOBS], results[JOBS] = {0};
        int n = 0, first = 0;

        while (n < JOBS && first == 0) {
                struct plait_job job = {.fn = square,
                                        .arg = &numbers[n],
                                        .arg_bytes = sizeof numbers[n],
                                        .result = &results[n],
                                        .result_bytes = sizeof results[n]};

                numbers[n] = n;
                first = plait_executor_submit(executor, &job, &futures[n]);
                n += first == 0;
        }
        for (int i = 0; i < n; i++) {
                int result = 0;
                int r = plait_future_wait(futures[i], PLAIT_NEVER, &result, NULL);

                if (r == 0)
                        r = result;
                if (r == 0 && results[i] != (long)i * i)
                        _exit(WRONG);
                if (first == 0)
                        first = r;
                plait_future_unref(futures[i]);
        }
        return first;
}

static inline int use_map(struct plait_executor *executor)
{
        long numbers[JOBS], results[JOBS];

        for (int i = 0; i < JOBS; i++)
                numbers[i] = i;
        int r = plait_executor_map(executor, square, numbers, sizeof *numbers, results, sizeof *results, JOBS, NULL);
        for (int i = 0; r == 0 && i < JOBS; i++)
                if (results[i] != (long)i * i)
                        _exit(WRONG);
        return r;
}

struct source {
        long next, reported;
};

static inline int next_number(void *context, void *item)
{
        struct source *source = context;

        if (source->next == 40)
                return 0;
        *(long *)item = source->next++;
        return 1;
}

static inline int see(void *context, void *item, const struct plait_job_end *end)
{
        struct source *source = context;

        if (*(long *)item != source->reported++ ||
            (end->result == 0 && *(long *)end->data != *(long *)item * *(long *)item))
                _exit(WRONG);
        return 0;
}

static inline int use_stream(struct plait_executor *executor)
{
        struct source source = {0};
        const struct plait_executor_flow flow = {.next = next_number,
                                                 .fn = square,
                                                 .done = see,
                                                 .context = &source,
                                                 .arg_bytes = sizeof(long),
                                                 .result_bytes = sizeof(long)};
        int r = plait_executor_stream(executor, &flow, NULL);

        if (source.next != source.reported)
                _exit(WRONG);
        return r;
}

static inline int use_completion(struct plait_executor *executor)
{
        struct plait_completion *completion;
        long numbers[JOBS];
        int submitted = 0, seen = 0;
        int r = plait_completion_new(&completion);

        for (int i = 0; i < JOBS && r == 0; i++) {
                struct plait_job job = {
                        .fn = square, .arg = &numbers[i], .arg_bytes = sizeof(long), .result_bytes = sizeof(long)};
                struct plait_future *future;

                numbers[i] = i;
                r = plait_executor_submit(executor, &job, &future);
                if (r < 0)
                        break;
                r = plait_completion_add(completion, future, (uint64_t)i);
                submitted += r == 0;
                if (r < 0) /* it uses this frame */
                        (void)!plait_future_wait(future, PLAIT_NEVER, NULL, NULL);
                plait_future_unref(future);
        }
        if (r == -ENOMEM && submitted == 0)
                return r;
        while (plait_completion_next(completion, PLAIT_NEVER, NULL, NULL) > 0)
                seen++;
        if (seen != submitted)
                _exit(WRONG);
        plait_completion_free(completion);
        return r;
}

static inline int use_all(struct plait_executor *executor)
{
        int (*const uses[])(struct plait_executor *) = {use_jobs, use_map, use_stream, use_completion};
        int first = 0;

        for (size_t i = 0; i < sizeof uses / sizeof uses[0] && first == 0; i++)
                first = uses[i](executor);
        return first;
}

#endif
