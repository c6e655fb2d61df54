/*
 * What workers do, by samples.
 */
#include "top/rates.h"

#include <stdlib.h>

void rates_begin(struct rates *rates, int64_t now_ns)
{
        intern_done(&rates->tasks);
        rates->samples = 0;
        rates->queued = 0;
        rates->busy = 0;
        rates->switches = 0;
        rates->began_ns = now_ns;
        rates->ended_ns = now_ns;
}

static void count_task(struct rates *rates, uint64_t address)
{
        bool is_new = false;
        uint32_t index = intern(&rates->tasks, &address, sizeof address, &is_new);

        if (index == INTERN_NONE)
                return;
        if (index >= rates->room) {
                size_t room = rates->room ? rates->room * 2 : 256;
                uint64_t *grown = realloc(rates->counts, room * sizeof *grown);

                if (!grown)
                        return;
                rates->counts = grown;
                rates->room = room;
        }
        rates->counts[index] = is_new ? 1 : rates->counts[index] + 1;
}

static void count_switches(struct rates *rates, size_t worker)
{
        uint32_t now = rates->workers.workers[worker].ticks;

        if (worker >= rates->n_ticks) {
                uint32_t *grown = realloc(rates->ticks, (worker + 1) * sizeof *grown);

                if (!grown)
                        return;
                rates->ticks = grown;
                for (; rates->n_ticks <= worker; rates->n_ticks++)
                        grown[rates->n_ticks] = rates->workers.workers[rates->n_ticks].ticks;
        }
        rates->switches += now - rates->ticks[worker]; /* it wraps */
        rates->ticks[worker] = now;
}

int rates_sample(struct rates *rates, struct inspect_program *program, int64_t now_ns, struct inspect_error *error)
{
        int r = inspect_take_workers(program, &rates->workers, error);

        if (r < 0)
                return r;
        rates->queued += rates->workers.injected;
        rates->stuck = rates->workers.stuck;
        for (size_t i = 0; i < rates->workers.n_workers; i++) {
                const struct inspect_worker *worker = &rates->workers.workers[i];

                rates->queued += (uint64_t)worker->ready + worker->bound + worker->fresh;
                count_switches(rates, i);
                if (worker->current) {
                        rates->busy++;
                        count_task(rates, worker->current);
                }
        }
        rates->samples++;
        rates->ended_ns = now_ns;
        return 0;
}

double rates_of_task(const struct rates *rates, uint64_t address)
{
        uint32_t index = intern_find(&rates->tasks, &address, sizeof address);

        return index == INTERN_NONE || index >= rates->room || !rates->samples
                       ? 0
                       : (double)rates->counts[index] / (double)rates->samples;
}

double rates_queue(const struct rates *rates)
{
        return rates->samples ? (double)rates->queued / (double)rates->samples : 0;
}

double rates_switches(const struct rates *rates)
{
        double seconds = (double)(rates->ended_ns - rates->began_ns) / 1e9;

        return seconds > 0 ? (double)rates->switches / seconds : 0;
}

double rates_delay(const struct rates *rates)
{
        double switches = rates_switches(rates);

        if (rates->queued == 0)
                return 0;
        return switches > 0 ? rates_queue(rates) / switches : -1;
}

void rates_done(struct rates *rates)
{
        intern_done(&rates->tasks);
        inspect_picture_done(&rates->workers);
        free(rates->counts);
        free(rates->ticks);
        *rates = (struct rates){0};
}
