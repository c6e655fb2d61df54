/*
 * What the model's parts are called.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "trace/model.h"

const char *model_error_text(int64_t error, char *buffer, size_t size)
{
        const char *text = error < 0 && error > -4096 ? strerrordesc_np((int)-error) : NULL;

        if (text)
                return text;
        snprintf(buffer, size, "error %" PRId64, error);
        return buffer;
}

const char *model_flow_name(uint64_t flow, const char *name, char *buffer, size_t size)
{
        if (name && *name)
                return name;
        snprintf(buffer, size, "%s %" PRIu64, flow & PLAIT_RECORDING_THREAD ? "thread" : "task",
                 flow & ~PLAIT_RECORDING_THREAD);
        return buffer;
}

const char *model_lane_name(const struct plait_recording_lane *lane, char *buffer, size_t size)
{
        if (lane->kind == PLAIT_RECORDING_LANE_WORKER)
                snprintf(buffer, size, "worker %" PRIu32, lane->number);
        else if (lane->name && *lane->name)
                return lane->name;
        else
                snprintf(buffer, size, "thread %" PRIu32, lane->tid);
        return buffer;
}

/* What kind of thing is all that can be said of it: the rest comes and goes. */
static bool says_enough(const char *cause)
{
        return strcmp(cause, "sleep") == 0 || strcmp(cause, "join") == 0 || strcmp(cause, "task") == 0;
}

const char *model_wait_text(const struct model *model, const struct model_slice *slice, char *buffer, size_t size)
{
        const char *cause = plait_recording_cause(model->recording, slice->flow->process, slice->cause);

        if (slice->object_name)
                snprintf(buffer, size, "%s %s", cause, slice->object_name);
        else if (strcmp(cause, "read") == 0 || strcmp(cause, "write") == 0)
                snprintf(buffer, size, "%s descriptor %" PRId64, cause, slice->value);
        else if (slice->object && !says_enough(cause))
                snprintf(buffer, size, "%s 0x%" PRIx64, cause, slice->object);
        else
                snprintf(buffer, size, "%s", cause);
        return buffer;
}
