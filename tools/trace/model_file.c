/*
 * Opening and closing the model of a recording.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/model_parts.h"

static void explain(int error, const char *path, char *message, size_t size)
{
        switch (-error) {
        case EBADMSG: snprintf(message, size, "%s is no recording of plait's", path); break;
        case EPROTONOSUPPORT:
                snprintf(message, size, "%s was recorded by a newer plait, which this one does not know", path);
                break;
        case ENOMEM: snprintf(message, size, "out of memory"); break;
        default: snprintf(message, size, "%s cannot be read: %s", path, strerrordesc_np(-error)); break;
        }
}

int model_open(struct model *model, const char *path, char *message, size_t size)
{
        *model = (struct model){.own = calloc(1, sizeof *model->own)};
        model->info.size = sizeof model->info;
        int r = model->own ? plait_recording_open(&model->recording, path) : -ENOMEM;
        if (r == 0)
                r = plait_recording_get_info(model->recording, &model->info);
        if (r < 0) {
                explain(r, path, message, size);
                model_close(model);
        }
        return r;
}

void model_close(struct model *model)
{
        model_parts_done(model->own);
        free(model->own);
        plait_recording_close(model->recording);
        *model = (struct model){0};
}
