/* The reader of recordings, which come from anywhere. Each input is a file; what can be read of it is read, twice. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plait/recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint64_t read_all(struct plait_recording *recording)
{
        struct plait_recording_event event;
        uint64_t sum = 0;

        while (plait_recording_next(recording, &event) > 0) {
                sum = sum * 31 + event.kind + (uint64_t)event.time_ns;
                if (!plait_recording_get_process(recording, event.process) ||
                    !plait_recording_get_lane(recording, event.lane) || !*plait_recording_kind_name(event.kind))
                        abort();
                (void)plait_recording_cause(recording, event.process, event.cause);
        }
        return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
        int fd = memfd_create("recording", MFD_CLOEXEC);
        struct plait_recording *recording;
        char path[64];

        if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
                abort();
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (plait_recording_open(&recording, path) == 0) {
                uint64_t sum = read_all(recording);

                plait_recording_rewind(recording);
                if (read_all(recording) != sum)
                        abort();
                plait_recording_close(recording);
        }
        close(fd);
        return 0;
}
