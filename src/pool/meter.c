/* What a worker tells a tuner of its jobs; see meter.h. */
#include "pool/meter.h"

#include "plat/sys.h"

#define READ_EVERY_NS 10000000

void pl_pool_meter_init(struct pl_pool_meter *meter, struct plait_tuner *tuner, uint32_t tid)
{
        *meter = (struct pl_pool_meter){.tuner = tuner, .tid = tid};
        if (tuner && pl_plat_thread_times(tid, &meter->cpu_ns, &meter->delay_ns) == 0)
                meter->read_ns = pl_plat_now_ns();
}

void pl_pool_meter_begin(struct pl_pool_meter *meter)
{
        if (meter->tuner)
                plait_tuner_begin(meter->tuner, &meter->call, pl_plat_now_ns());
}

/* What the worker was neither on a processor for nor waiting for one, it was blocked in. */
static void read_times(struct pl_pool_meter *meter, struct plait_tuner_sample *sample, int64_t now_ns)
{
        int64_t cpu_ns, delay_ns;

        if (pl_plat_thread_times(meter->tid, &cpu_ns, &delay_ns) < 0)
                return;
        sample->cpu_ns = cpu_ns - meter->cpu_ns;
        sample->blocked_ns = meter->busy_ns - sample->cpu_ns - (delay_ns - meter->delay_ns);
        if (sample->blocked_ns < 0)
                sample->blocked_ns = 0;
        meter->cpu_ns = cpu_ns;
        meter->delay_ns = delay_ns;
        meter->read_ns = now_ns;
        meter->busy_ns = 0;
}

void pl_pool_meter_end(struct pl_pool_meter *meter)
{
        struct plait_tuner_sample sample = {.outcome = PLAIT_TUNER_OK};

        if (!meter->tuner)
                return;
        int64_t now_ns = pl_plat_now_ns();
        meter->busy_ns += now_ns - meter->call.begin_ns;
        if (meter->read_ns && now_ns - meter->read_ns >= READ_EVERY_NS)
                read_times(meter, &sample, now_ns);
        plait_tuner_end(meter->tuner, &meter->call, &sample, now_ns);
}
