/*
 * The summary as one JSON document.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "term/json.h"
#include "trace/summary.h"

static double seconds(int64_t ns)
{
        return (double)ns / 1e9;
}

static void put_flow(struct json *json, const char *key, uint64_t flow, const char *name)
{
        char text[64];

        json_string(json, key, flow ? model_flow_name(flow, name, text, sizeof text) : NULL);
}

static void put_object(struct json *json, const struct summary *summary, const struct summary_wait *wait)
{
        const char *cause = plait_recording_cause(summary->model.recording, wait->process, wait->cause);
        char text[64];

        if (wait->object_name) {
                json_string(json, "object", wait->object_name);
                return;
        }
        if (strcmp(cause, "read") == 0 || strcmp(cause, "write") == 0)
                snprintf(text, sizeof text, "descriptor %" PRId64, wait->value);
        else
                snprintf(text, sizeof text, "0x%" PRIx64, wait->object);
        json_string(json, "object", wait->object || text[0] == 'd' ? text : NULL);
}

static void put_states(struct json *json, const struct model *model)
{
        json_open(json, "states", '{');
        json_number(json, "running", seconds(model->state_ns[MODEL_RUNNING]));
        json_number(json, "runnable", seconds(model->state_ns[MODEL_RUNNABLE]));
        json_open(json, "waiting", '{');
        for (size_t i = 0; i < model->n_causes; i++)
                json_number(json, model->causes[i].name, seconds(model->causes[i].total_ns));
        json_close(json, '}');
        json_close(json, '}');
}

static void put_waits(struct json *json, const struct summary *summary)
{
        json_open(json, "waits", '[');
        for (size_t i = 0; i < summary->n_waits; i++) {
                const struct summary_wait *wait = &summary->waits[i];

                json_open(json, NULL, '{');
                put_flow(json, "task", wait->flow, wait->flow_name);
                json_string(json, "cause", plait_recording_cause(summary->model.recording, wait->process, wait->cause));
                put_object(json, summary, wait);
                put_flow(json, "holder", wait->holder, wait->holder_name);
                json_number(json, "start_s", seconds(wait->start_ns));
                json_number(json, "duration_s", seconds(wait->duration_ns));
                json_close(json, '}');
        }
        json_close(json, ']');
}

static void put_locks(struct json *json, const struct summary *summary)
{
        json_open(json, "locks", '[');
        for (size_t i = 0; i < summary->n_locks; i++) {
                const struct summary_lock *lock = summary->top_locks[i];

                json_open(json, NULL, '{');
                json_string(json, "cause",
                            plait_recording_cause(summary->model.recording, lock->longest.process,
                                                  lock->longest.cause));
                put_object(json, summary, &lock->longest);
                json_integer(json, "waits", lock->count);
                json_number(json, "total_s", seconds(lock->total_ns));
                json_number(json, "longest_s", seconds(lock->longest.duration_ns));
                put_flow(json, "holder", lock->longest.holder, lock->longest.holder_name);
                json_close(json, '}');
        }
        json_close(json, ']');
}

static void put_phases(struct json *json, const struct model_request *request)
{
        static const char *const names[PLAIT_RECORDING_PHASES] = {
                [PLAIT_RECORDING_QUEUED] = "queued",   [PLAIT_RECORDING_NAME] = "name",
                [PLAIT_RECORDING_CONNECT] = "connect", [PLAIT_RECORDING_TLS] = "tls",
                [PLAIT_RECORDING_SEND] = "send",       [PLAIT_RECORDING_FIRST_BYTE] = "first_byte",
                [PLAIT_RECORDING_BODY] = "body",
        };

        json_open(json, "phases_s", '{');
        for (int i = 0; i < PLAIT_RECORDING_PHASES; i++)
                if (request->phase_ns[i] >= 0)
                        json_number(json, names[i], seconds(request->phase_ns[i]));
        json_close(json, '}');
}

static void put_requests(struct json *json, const struct summary *summary)
{
        json_open(json, "requests", '[');
        for (size_t i = 0; i < summary->n_requests; i++) {
                const struct model_request *request = &summary->requests[i];
                int64_t status = request->status;
                char text[32];

                json_open(json, NULL, '{');
                json_string(json, "request", request->text);
                put_flow(json, "task", request->flow, request->flow_name);
                if (!request->open && status >= 0)
                        json_integer(json, "status", (uint64_t)status);
                else
                        json_string(json, "status", NULL);
                json_string(json, "error",
                            request->open || status >= 0 ? NULL
                            : request->problem           ? request->problem
                                                         : model_error_text(status, text, sizeof text));
                json_number(json, "start_s", seconds(request->start_ns));
                json_number(json, "duration_s", seconds(request->end_ns - request->start_ns));
                put_phases(json, request);
                json_close(json, '}');
        }
        json_close(json, ']');
}

static void put_tasks(struct json *json, const struct summary *summary)
{
        json_open(json, "tasks", '[');
        for (size_t i = 0; i < summary->n_names; i++) {
                const struct summary_name *name = summary->top_names[i];

                json_open(json, NULL, '{');
                put_flow(json, "task", name->flow, name->name);
                json_integer(json, "count", name->count);
                json_number(json, "running_s", seconds(name->busy_ns[MODEL_RUNNING]));
                json_number(json, "runnable_s", seconds(name->busy_ns[MODEL_RUNNABLE]));
                json_number(json, "waiting_s", seconds(name->busy_ns[MODEL_WAITING]));
                json_close(json, '}');
        }
        json_close(json, ']');
}

int summary_json(const struct summary *summary, FILE *to)
{
        const struct model *model = &summary->model;
        struct json json = {0};

        json_open(&json, NULL, '{');
        json_integer(&json, "schema", 1);
        json_number(&json, "duration_s", seconds(model->info.duration_ns));
        json_integer(&json, "events", model->n_events);
        json_integer(&json, "dropped", model->info.dropped);
        put_states(&json, model);
        put_waits(&json, summary);
        put_locks(&json, summary);
        put_requests(&json, summary);
        put_tasks(&json, summary);
        json_close(&json, '}');
        json_raw(&json, "\n", 1);
        bool failed = json.failed;
        if (!failed)
                fwrite(json.text, 1, json.bytes, to);
        json_done(&json);
        return failed ? -ENOMEM : 0;
}
