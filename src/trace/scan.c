/*
 * Finding the chunks in a recording's file, and what is no chunk there: a process that is killed while it writes leaves
 * a part of one behind, and others may go on behind that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/recording.h"

enum {
        LOOK_BYTES = 64 * 1024,
        HEAD_BYTES = 64, /* what tells that something is a chunk is in so many */
};

ssize_t pl_trace_read_at(const struct plait_recording *recording, uint64_t at, void *buf, size_t bytes)
{
        const int saved = errno;
        size_t done = 0;
        int r = 0;

        while (done < bytes && r == 0) {
                ssize_t n = pread(recording->fd, (char *)buf + done, bytes - done, (off_t)(at + done));

                if (n == 0)
                        break;
                if (n > 0)
                        done += (size_t)n;
                else if (errno != EINTR)
                        r = -errno;
        }
        errno = saved;
        return r < 0 ? r : (ssize_t)done;
}

/* --- packets --- */

struct packet {
        uint64_t bytes; /* all of it */
        uint64_t field; /* the first one in it */
        size_t chunk;   /* where ours begins in it; 0: it is one of Perfetto's */
        uint64_t chunk_bytes;
        bool is_empty;
};

/* The packet that begins with the *n* bytes at *data*, where the file has *left*. False: it is none, or not whole. */
static bool parse(const uint8_t *data, size_t n, uint64_t left, struct packet *ret)
{
        uint64_t packet, field = 0, bytes;
        size_t at = 1, k;

        if (!n || data[0] != PL_TRACE_PACKET_KEY || !(k = pl_trace_get_varint(data + at, n - at, &packet)))
                return false;
        at += k;
        if (packet > left || at + packet > left)
                return false;
        *ret = (struct packet){.bytes = at + packet, .is_empty = packet == 0};
        k = packet ? pl_trace_get_varint(data + at, n - at, &field) : 0;
        ret->field = field;
        if (!k || field != PL_TRACE_FIELD_KEY)
                return true;
        at += k;
        k = pl_trace_get_varint(data + at, n - at, &bytes);
        at += k;
        ret->chunk = at;
        ret->chunk_bytes = bytes;
        return k && bytes && bytes <= PL_TRACE_CHUNK_MOST && at + bytes == ret->bytes;
}

/* Only of events, and of what is left of others, may *data* have less than all. */
static bool read_chunk(struct plait_recording *recording, const uint8_t *data, size_t n, const struct packet *packet)
{
        size_t there = n - packet->chunk < packet->chunk_bytes ? n - packet->chunk : (size_t)packet->chunk_bytes;

        uint8_t type = data[packet->chunk];

        if (there < packet->chunk_bytes && type != PL_TRACE_CHUNK_EVENTS && type < PL_TRACE_CHUNK_NOTHING)
                return false;
        recording->file_bytes += packet->bytes;
        return pl_trace_read_chunk(recording, data + packet->chunk, there, recording->at + packet->chunk,
                                   (size_t)packet->chunk_bytes);
}

/* --- gaps --- */

static bool is_chunk(const struct plait_recording *recording, const uint8_t *data, size_t n, uint64_t left)
{
        struct packet packet;

        return parse(data, n, left, &packet) && packet.chunk && packet.chunk < n &&
               pl_trace_begins_chunk(recording, data + packet.chunk, n - packet.chunk);
}

/* Where the next chunk begins, in the *n* bytes that are at *at* in the file; *n*: not there. */
static size_t find_chunk(const struct plait_recording *recording, const uint8_t *data, size_t n, uint64_t at)
{
        const uint8_t *found = data;

        while ((found = memchr(found, PL_TRACE_PACKET_KEY, (size_t)(data + n - found)))) {
                size_t skip = (size_t)(found - data);

                if (is_chunk(recording, found, n - skip, recording->bytes - at - skip))
                        return skip;
                found++;
        }
        return n;
}

/*
 * A packet of which a part was cut off seems whole if what follows is long enough: then there is a chunk in it, or its
 * end is in the next one's head.
 */
static bool swallows_chunk(const struct plait_recording *recording, const uint8_t *data, size_t n, uint64_t bytes)
{
        uint64_t left = recording->bytes - recording->at;

        if (bytes == left || (bytes < n && is_chunk(recording, data + bytes, n - bytes, left - bytes)))
                return false;
        size_t at = 1 + find_chunk(recording, data + 1, n - 1, recording->at + 1);
        return at < n && at < bytes;
}

/* What is at recording->at is none of ours, and is passed over. As scan_packet(). */
static int note_gap(struct plait_recording *recording, uint64_t bytes, bool for_perfetto)
{
        if (!pl_trace_grow(&recording->gaps, recording->n_gaps, &recording->gaps_room, sizeof *recording->gaps))
                return -ENOMEM;
        recording->gaps[recording->n_gaps++] = (struct pl_trace_gap){
                .at = recording->at, .bytes = bytes, .for_perfetto = for_perfetto};
        recording->at += bytes;
        return 1;
}

/* From what is not whole at recording->at to the next chunk. As scan_packet(). */
static int skip_gap(struct plait_recording *recording, uint8_t *data)
{
        uint64_t at = recording->at + 1;
        ssize_t n = recording->n_processes ? pl_trace_read_at(recording, at, data, LOOK_BYTES) : 0;

        for (; n > 0; n = pl_trace_read_at(recording, at, data, LOOK_BYTES)) {
                size_t skip = find_chunk(recording, data, (size_t)n, at);

                if (skip < (size_t)n) {
                        uint64_t bytes = at + skip - recording->at;

                        recording->torn = true;
                        return note_gap(recording, bytes, false);
                }
                if (n <= HEAD_BYTES)
                        break;
                at += (size_t)n - HEAD_BYTES; /* its head may be only begun here */
        }
        return n < 0 ? (int)n : 0;
}

/* --- scanning --- */

/* The packet at recording->at. 1; 0: it is not whole, or there is none; or a negative errno. */
static int scan_packet(struct plait_recording *recording, uint8_t *data)
{
        ssize_t n = pl_trace_read_at(recording, recording->at, data, LOOK_BYTES);
        struct packet packet;

        if (n <= 0)
                return (int)n;
        if (!parse(data, (size_t)n, recording->bytes - recording->at, &packet) ||
            swallows_chunk(recording, data, (size_t)n, packet.bytes))
                return skip_gap(recording, data);
        if (packet.field == PL_TRACE_COMPRESSED_KEY)
                return note_gap(recording, packet.bytes, true);
        if (packet.is_empty)
                recording->torn = true; /* where something was cut off */
        if (packet.chunk && !read_chunk(recording, data, (size_t)n, &packet)) {
                if (recording->error || !recording->n_processes)
                        return recording->error;
                recording->torn = true; /* a damaged one: those behind it may be whole */
        }
        recording->at += packet.bytes;
        return 1;
}

int pl_trace_scan(struct plait_recording *recording)
{
        uint8_t *data = malloc(LOOK_BYTES);
        struct stat st;
        int r = 1;

        if (!data)
                return -ENOMEM;
        if (fstat(recording->fd, &st) < 0)
                r = -errno;
        else
                recording->bytes = (uint64_t)st.st_size;
        while (r > 0 && recording->at < recording->bytes)
                r = scan_packet(recording, data);
        free(data);
        return r < 0 ? r : 0;
}
