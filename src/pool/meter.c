/* What a worker has used, and what it tells a tuner of its jobs; see meter.h. */
#include "pool/meter.h"

#include "plat/sys.h"

#define READ_EVERY_NS 10000000

/* --- what was used --- */

void pl_pool_usage_init(struct pl_pool_usage *usage, uint32_t tid)
{
        *usage = (struct pl_pool_usage){.tid = tid};
        if (pl_plat_thread_times(tid, &usage->cpu_ns, &usage->delay_ns) == 0)
                usage->read_ns = pl_plat_now_ns();
}

void pl_pool_usage_add(struct pl_pool_usage *usage, int64_t took_ns, int64_t now_ns, int64_t *cpu_ns,
                       int64_t *blocked_ns)
{
        int64_t cpu_now_ns, delay_now_ns;

        usage->busy_ns += took_ns;
        if (!usage->read_ns || now_ns - usage->read_ns < READ_EVERY_NS ||
            pl_plat_thread_times(usage->tid, &cpu_now_ns, &delay_now_ns) < 0)
                return;
        int64_t used_ns = cpu_now_ns - usage->cpu_ns;
        /* What it was neither on a processor for nor waiting for one, it was blocked in. */
        int64_t rest_ns = usage->busy_ns - used_ns - (delay_now_ns - usage->delay_ns);
        *cpu_ns += used_ns;
        *blocked_ns += rest_ns > 0 ? rest_ns : 0;
        usage->cpu_ns = cpu_now_ns;
        usage->delay_ns = delay_now_ns;
        usage->read_ns = now_ns;
        usage->busy_ns = 0;
}

/* --- telling --- */

void pl_pool_meter_init(struct pl_pool_meter *meter, struct plait_tuner *tuner, uint32_t tid)
{
        *meter = (struct pl_pool_meter){.tuner = tuner};
        if (tuner)
                pl_pool_usage_init(&meter->usage, tid);
}

void pl_pool_meter_begin(struct pl_pool_meter *meter)
{
        if (meter->tuner)
                plait_tuner_begin(meter->tuner, &meter->call, pl_plat_now_ns());
}

void pl_pool_meter_end(struct pl_pool_meter *meter, uint64_t items)
{
        struct plait_tuner_sample sample = {.outcome = PLAIT_TUNER_OK, .pieces = items};

        if (!meter->tuner)
                return;
        int64_t now_ns = pl_plat_now_ns();
        pl_pool_usage_add(&meter->usage, now_ns - meter->call.begin_ns, now_ns, &sample.cpu_ns, &sample.blocked_ns);
        plait_tuner_end(meter->tuner, &meter->call, &sample, now_ns);
}
