/*
 * What a task's control block says.
 */
#include "inspect/taking.h"

bool inspect_word_waits(uint64_t word)
{
        word &= PLAIT_REGISTRY_STATE_MASK;
        return word == PLAIT_REGISTRY_BEGUN || word == PLAIT_REGISTRY_WAITING;
}

bool inspect_is_same(const struct plait_registry_task *layout, const char *before, const char *after)
{
        return inspect_get(before, layout->id) == inspect_get(after, layout->id) &&
               inspect_get(before, layout->wait.state) == inspect_get(after, layout->wait.state) &&
               inspect_get(before, layout->on_cpu) == inspect_get(after, layout->on_cpu) &&
               inspect_get(before, layout->sp) == inspect_get(after, layout->sp) &&
               inspect_get(before, layout->name) == inspect_get(after, layout->name) &&
               inspect_get(before, layout->saved) == inspect_get(after, layout->saved);
}

static int16_t runs_on(const struct inspect_picture *picture, uint64_t address)
{
        for (size_t i = 0; i < picture->n_workers; i++)
                if (picture->workers[i].current == address)
                        return (int16_t)i;
        return -1;
}

static enum inspect_state state_of(const struct plait_registry_task *layout, const char *copy, int16_t running)
{
        if (running >= 0)
                return INSPECT_RUNNING;
        if (!inspect_get(copy, layout->stack))
                return INSPECT_NEW;
        if (inspect_word_waits(inspect_get(copy, layout->wait.state)))
                return INSPECT_WAITING;
        /* On the processor though no worker runs it: it runs tasks of its scope on its own stack, and waits for them.
         * Or it has just been resumed, or is just being left: then it can go on. */
        return inspect_get(copy, layout->on_cpu) ? INSPECT_WAITING : INSPECT_READY;
}

void inspect_describe_wait(const struct taking *taking, const char *copy, const struct plait_registry_wait *wait,
                           struct inspect_task *task)
{
        uint32_t now_ms = (uint32_t)(taking->picture->now_ns / 1000000);

        task->cause = (uint32_t)inspect_get(copy, wait->cause);
        task->object = inspect_get(copy, wait->object);
        int32_t age = (int32_t)(now_ms - (uint32_t)inspect_get(copy, wait->since_ms));
        task->age_ms = age > 0 ? (uint32_t)age : 0; /* it may have begun since *now* */
        task->aged = wait->since_ms.size > 0;
}

static int32_t time_left(const struct taking *taking, const char *copy)
{
        const struct plait_registry_task *layout = &taking->program->layout.task;
        int64_t deadline = inspect_get_signed(copy, layout->deadline_ns);

        if (!inspect_get(copy, layout->wheel))
                return -1;
        int64_t left = (deadline - taking->picture->now_ns) / 1000000;
        return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int32_t)left;
}

void inspect_describe(const struct taking *taking, const char *copy, uint64_t address, struct inspect_task *task)
{
        const struct plait_registry_task *layout = &taking->program->layout.task;
        int16_t running = runs_on(taking->picture, address);

        *task = (struct inspect_task){
                .address = address,
                .id = inspect_get(copy, layout->id),
                .fn = inspect_get(copy, layout->fn),
                .scope = inspect_get(copy, layout->scope),
                .home = inspect_get(copy, layout->home),
                .name = INTERN_NONE,
                .stack = INTERN_NONE,
                .fd = -1,
                .left_ms = -1,
                .bound = inspect_get(copy, layout->bound) != 0,
                .compact = inspect_get(copy, layout->compact) != 0,
        };
        task->state = (uint8_t)state_of(layout, copy, running);
        task->worker = running >= 0 ? running : task->bound ? (int16_t)inspect_get(copy, layout->worker) : -1;
        if (task->state != INSPECT_WAITING)
                return;
        if (inspect_word_waits(inspect_get(copy, layout->wait.state))) {
                inspect_describe_wait(taking, copy, &layout->wait, task);
                task->left_ms = time_left(taking, copy);
        } else {
                task->cause = taking->causes.join;
                task->object = task->scope;
        }
}
