/* What each kind of event has for arguments. */
#include "trace/event.h"

#define SHAPE(a_, b_)                                                 \
        {                                                             \
                .known = true, .a = PL_TRACE_##a_, .b = PL_TRACE_##b_ \
        }
#define SHAPE_TEXT(a_, b_)                                                          \
        {                                                                           \
                .known = true, .text = true, .a = PL_TRACE_##a_, .b = PL_TRACE_##b_ \
        }

const struct pl_trace_shape pl_trace_shapes[PL_TRACE_KINDS] = {
        [PLAIT_RECORDING_EXISTS] = SHAPE(FLOW, PLACE), /* task, function */
        [PLAIT_RECORDING_SPAWNED] = SHAPE(FLOW, PLACE),
        [PLAIT_RECORDING_NAMED] = SHAPE_TEXT(FLOW, NONE),
        [PLAIT_RECORDING_RUNS] = SHAPE(FLOW, NONE),    /* small: 1 it starts */
        [PLAIT_RECORDING_WAITS] = SHAPE(PLACE, PLAIN), /* small: cause; object, what plait/recording.h says by cause */
        [PLAIT_RECORDING_WAKES] = SHAPE(FLOW, NONE),   /* small: enum plait_recording_wake, PL_TRACE_LOOKING */
        [PLAIT_RECORDING_FINISHED] = SHAPE(NONE, SIGNED), /* result */
        [PLAIT_RECORDING_CANCELS] = SHAPE_TEXT(PLACE, NONE),
        [PLAIT_RECORDING_REFUSED] = SHAPE(PLACE, SIGNED), /* small: cause; object, error */
        [PLAIT_RECORDING_IDLE] = SHAPE(NONE, NONE),       /* small: how soundly */
        [PLAIT_RECORDING_AWAKE] = SHAPE(NONE, NONE),
        [PLAIT_RECORDING_STOLE] = SHAPE(FLOW, PLAIN),      /* small: how many; the first, the worker's number */
        [PLAIT_RECORDING_STUCK] = SHAPE(NONE, PLAIN),      /* small: 1 blocked; ms << PL_TRACE_WORKER_BITS | worker */
        [PLAIT_RECORDING_RESCUED] = SHAPE(NONE, PLAIN),    /* small: how many; the worker's number */
        [PLAIT_RECORDING_CALL_BEGIN] = SHAPE(PLACE, FLOW), /* small: enum pl_trace_call; call, for whom */
        [PLAIT_RECORDING_CALL_END] = SHAPE(PLACE, NONE),
        [PLAIT_RECORDING_JOB_SUBMITTED] = SHAPE_TEXT(PLACE, NONE),
        [PLAIT_RECORDING_JOB_BEGIN] = SHAPE_TEXT(PLACE, NONE),
        [PLAIT_RECORDING_JOB_END] = SHAPE(PLACE, SIGNED),
        [PLAIT_RECORDING_REQUEST_BEGIN] = SHAPE_TEXT(PLACE, NONE),
        [PLAIT_RECORDING_REQUEST_PHASE] = SHAPE(PLACE, PLAIN), /* small: enum plait_recording_phase; ns */
        [PLAIT_RECORDING_REQUEST_END] = SHAPE_TEXT(PLACE, SIGNED),
        [PLAIT_RECORDING_SPAN_BEGIN] = SHAPE(NAME, NONE),
        [PLAIT_RECORDING_SPAN_END] = SHAPE(NAME, NONE),
        [PLAIT_RECORDING_INSTANT] = SHAPE(NAME, SIGNED),
        [PLAIT_RECORDING_COUNTER] = SHAPE(NAME, DOUBLE),
        [PLAIT_RECORDING_FLOW_OUT] = SHAPE(NAME, PLAIN),
        [PLAIT_RECORDING_FLOW_IN] = SHAPE(NAME, PLAIN),
        [PLAIT_RECORDING_DROPPED] = SHAPE(PLAIN, NONE),
        [PLAIT_RECORDING_OBJECT] = SHAPE_TEXT(PLACE, NONE),
        [PLAIT_RECORDING_ENDED] = SHAPE(NONE, NONE),
        [PL_TRACE_MESSAGE] = SHAPE_TEXT(NONE, NONE),
        [PL_TRACE_SINCE] = SHAPE(PLAIN, NONE),
        [PL_TRACE_WAITS_SINCE] = SHAPE(PLACE, PLAIN),
};

static const char *const names[PLAIT_RECORDING_KINDS] = {
        [PLAIT_RECORDING_NONE] = "none",
        [PLAIT_RECORDING_EXISTS] = "exists",
        [PLAIT_RECORDING_SPAWNED] = "spawned",
        [PLAIT_RECORDING_NAMED] = "named",
        [PLAIT_RECORDING_RUNS] = "runs",
        [PLAIT_RECORDING_WAITS] = "waits",
        [PLAIT_RECORDING_YIELDS] = "yields",
        [PLAIT_RECORDING_WAKES] = "wakes",
        [PLAIT_RECORDING_FINISHED] = "finished",
        [PLAIT_RECORDING_CANCELS] = "cancels",
        [PLAIT_RECORDING_REFUSED] = "refused",
        [PLAIT_RECORDING_IDLE] = "idle",
        [PLAIT_RECORDING_AWAKE] = "awake",
        [PLAIT_RECORDING_STOLE] = "stole",
        [PLAIT_RECORDING_STUCK] = "stuck",
        [PLAIT_RECORDING_RESCUED] = "rescued",
        [PLAIT_RECORDING_CALL_BEGIN] = "call begin",
        [PLAIT_RECORDING_CALL_END] = "call end",
        [PLAIT_RECORDING_JOB_SUBMITTED] = "job submitted",
        [PLAIT_RECORDING_JOB_BEGIN] = "job begin",
        [PLAIT_RECORDING_JOB_END] = "job end",
        [PLAIT_RECORDING_REQUEST_BEGIN] = "request begin",
        [PLAIT_RECORDING_REQUEST_PHASE] = "request phase",
        [PLAIT_RECORDING_REQUEST_END] = "request end",
        [PLAIT_RECORDING_SPAN_BEGIN] = "span begin",
        [PLAIT_RECORDING_SPAN_END] = "span end",
        [PLAIT_RECORDING_INSTANT] = "instant",
        [PLAIT_RECORDING_COUNTER] = "counter",
        [PLAIT_RECORDING_FLOW_OUT] = "flow out",
        [PLAIT_RECORDING_FLOW_IN] = "flow in",
        [PLAIT_RECORDING_DROPPED] = "dropped",
        [PLAIT_RECORDING_OBJECT] = "object",
        [PLAIT_RECORDING_ENDED] = "ended",
};

const char *plait_recording_kind_name(enum plait_recording_kind kind)
{
        return (unsigned)kind < PLAIT_RECORDING_KINDS ? names[kind] : "unknown";
}
