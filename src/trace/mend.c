/* Filling what scan.c found to be no chunk of ours, by packets of the same size. */
#include "trace/mend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/file_lock.h"
#include "trace/recording.h"

enum {
        VARINT_BYTES = 4, /* of one that is made longer than it need be */
        HEAD_BYTES = 16,
        FILLER_MOST = PL_TRACE_CHUNK_MOST / 2,
};

/* A varint that takes *bytes*, however small it is. */
static uint8_t *put_long_varint(uint8_t *out, uint64_t value, size_t bytes)
{
        for (size_t i = 0; i < bytes; i++, value >>= 7)
                *out++ = (uint8_t)((value & 0x7f) | (i + 1 < bytes ? 0x80 : 0));
        return out;
}

/* The head of a packet that takes the place of *bytes*: a chunk of *type*, or an empty one. Returns how much it has. */
static size_t make_filler(uint8_t *out, uint64_t bytes, enum pl_trace_chunk type)
{
        uint8_t *at = out;
        size_t width = bytes < 0x80 ? 1 : VARINT_BYTES;
        size_t head = 1 + 2 * width + PL_TRACE_FIELD_KEY_BYTES;

        *at++ = PL_TRACE_PACKET_KEY;
        if (bytes <= head) {
                at = put_long_varint(at, 0, (size_t)bytes - 1);
        } else {
                at = put_long_varint(at, bytes - 1 - width, width);
                at = put_long_varint(at, PL_TRACE_FIELD_KEY, PL_TRACE_FIELD_KEY_BYTES);
                at = put_long_varint(at, bytes - head, width);
                *at++ = (uint8_t)type;
        }
        return (size_t)(at - out);
}

/* Of a single byte no packet can be made: it is left. */
static int fill(int fd, uint64_t at, uint64_t bytes, enum pl_trace_chunk type)
{
        uint8_t filler[HEAD_BYTES];

        while (bytes > 1) {
                uint64_t part = bytes <= FILLER_MOST ? bytes : bytes == FILLER_MOST + 1 ? FILLER_MOST - 1 : FILLER_MOST;
                size_t n = make_filler(filler, part, type);

                ssize_t written = pwrite(fd, filler, n, (off_t)at);
                if (written != (ssize_t)n)
                        return written < 0 ? -errno : -EIO;
                at += part;
                bytes -= part;
        }
        return 0;
}

static int fill_end(const struct plait_recording *recording, int fd)
{
        uint64_t bytes = recording->bytes - recording->at;

        if (bytes == 1)
                return ftruncate(fd, (off_t)recording->at) < 0 ? -errno : 0;
        return fill(fd, recording->at, bytes, PL_TRACE_CHUNK_LOST);
}

static bool is_own_file(const struct plait_recording *recording, int fd)
{
        struct stat own, other;

        return fstat(recording->fd, &own) == 0 && fstat(fd, &other) == 0 && own.st_dev == other.st_dev &&
               own.st_ino == other.st_ino;
}

int pl_trace_mend(const struct plait_recording *recording, int fd)
{
        if (!is_own_file(recording, fd))
                return 0;
        /* What is not whole at the end may be about to become so, as long as somebody records into the file. */
        bool end = recording->at < recording->bytes && !pl_trace_file_is_locked(fd);
        char path[32];
        int r = 0;

        if (!recording->n_gaps && !end)
                return 0;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int anywhere = open(path, O_WRONLY | O_CLOEXEC); /* *fd* appends, wherever it is told to write */
        if (anywhere < 0)
                return -errno;
        for (uint32_t i = 0; r == 0 && i < recording->n_gaps; i++) {
                const struct pl_trace_gap *gap = &recording->gaps[i];

                r = fill(anywhere, gap->at, gap->bytes,
                         gap->for_perfetto ? PL_TRACE_CHUNK_NOTHING : PL_TRACE_CHUNK_LOST);
        }
        if (r == 0 && end)
                r = fill_end(recording, anywhere);
        close(anywhere);
        return r;
}
