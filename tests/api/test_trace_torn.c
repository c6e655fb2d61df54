/* Recordings of which a part was cut off, as by SIGKILL amid a write: behind it others may have gone on. */
#include <fcntl.h>
#include <plait/plait.h>
#include <sys/stat.h>

#include "api/recorded.h"

enum { EVENTS = 4000, PACKETS_MOST = 4096 };

static uint8_t whole[4 << 20];
static size_t whole_bytes;
static size_t begins[PACKETS_MOST + 1]; /* of each packet, and the file's end */
static size_t n_packets;

static int tell_much(void *unused)
{
        (void)unused;
        for (int i = 0; i < EVENTS; i++)
                PLAIT_INSTANT("many", i);
        return 0;
}

/* How many bytes the packet at *data* has; 0: it is none, or not whole. */
static size_t packet_bytes(const uint8_t *data, size_t n)
{
        size_t bytes = 0, at = 1;

        if (n < 2 || data[0] != 0x0a)
                return 0;
        for (unsigned shift = 0; at < n && shift < 35; shift += 7) {
                bytes |= (size_t)(data[at] & 0x7f) << shift;
                if (!(data[at++] & 0x80))
                        return at + bytes <= n ? at + bytes : 0;
        }
        return 0;
}

static size_t varint_bytes(const uint8_t *data)
{
        size_t n = 1;

        while (*data++ & 0x80)
                n++;
        return n;
}

static size_t read_file(uint8_t *ret, size_t room)
{
        int fd = CHECK_SYS(open(path, O_RDONLY | O_CLOEXEC));
        ssize_t n = CHECK_SYS(read(fd, ret, room));

        close(fd);
        CHECK_INT(n, <, (ssize_t)room);
        return (size_t)n;
}

static void write_file(const uint8_t *data, size_t n, int flags)
{
        int fd = CHECK_SYS(open(path, O_WRONLY | O_CLOEXEC | flags));

        CHECK_INT(write(fd, data, n), ==, (ssize_t)n);
        close(fd);
}

static void record_whole(void)
{
        plait_recording_close(record(tell_much, NULL));
        whole_bytes = read_file(whole, sizeof whole);
        n_packets = 0;
        for (size_t at = 0, n; at < whole_bytes; at += n) {
                n = packet_bytes(whole + at, whole_bytes - at);
                CHECK_UINT(n, >, 0);
                CHECK_UINT(n_packets, <, PACKETS_MOST);
                begins[n_packets++] = at;
        }
        begins[n_packets] = whole_bytes;
}

/* As Perfetto reads it: nothing but packets, up to the end. */
static void check_packets(void)
{
        static uint8_t data[8 << 20];
        size_t bytes = read_file(data, sizeof data);

        for (size_t at = 0, n; at < bytes; at += n) {
                n = packet_bytes(data + at, bytes - at);
                CHECK_UINT(n, >, 0);
        }
}

/* What *recording* has stays as it is when it is made a trace for Perfetto, too. Closes it. */
static void check_appending(struct plait_recording *recording)
{
        uint64_t there = count(recording, PLAIT_RECORDING_INSTANT, "many");
        int fd = CHECK_SYS(open(path, O_WRONLY | O_APPEND | O_CLOEXEC));

        CHECK_INT(plait_recording_perfetto(recording, fd), ==, 0);
        close(fd);
        plait_recording_close(recording);
        check_packets();
        recording = opened();
        CHECK_UINT(count(recording, PLAIT_RECORDING_INSTANT, "many"), ==, there);
        CHECK(info_of(recording).torn);
        plait_recording_close(recording);
}

/* Whether the packet has a chunk of events: each of those can be left out alone. */
static bool has_events(size_t packet)
{
        enum { KEY_BYTES = 3, TYPE_EVENTS = 5 };
        size_t at = begins[packet] + 1;

        at += varint_bytes(whole + at) + KEY_BYTES;
        return whole[at + varint_bytes(whole + at)] == TYPE_EVENTS;
}

static bool has_many_events(size_t packet)
{
        return has_events(packet) && begins[packet + 1] - begins[packet] > 2000;
}

/* Of packet *packet* the first *left* bytes are there, and all that came later. */
static void write_with_gap(size_t packet, size_t left)
{
        size_t next = begins[packet + 1];

        write_file(whole, begins[packet] + left, O_TRUNC);
        write_file(whole + next, whole_bytes - next, O_APPEND);
}

TEST(what_follows_a_part_that_was_cut_off_is_read)
{
        static const size_t left[] = {2, 3, 6, 7, 8, 20, 127, 128, 129, 1000, 1999};
        unsigned tried = 0;

        record_whole();
        for (size_t packet = 0; packet < n_packets; packet++) {
                if (!has_many_events(packet))
                        continue;
                for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
                        write_with_gap(packet, left[i]);
                        struct plait_recording *recording = opened();
                        CHECK(info_of(recording).torn);
                        CHECK(plait_recording_get_process(recording, 0)->ended);
                        CHECK_UINT(count(recording, PLAIT_RECORDING_INSTANT, "many"), <, EVENTS);
                        check_appending(recording);
                        tried++;
                }
        }
        CHECK_UINT(tried, >, 0);
        unlink(path);
}

TEST(a_part_that_was_cut_off_loses_nothing_but_itself)
{
        uint64_t missing = 0;

        record_whole();
        for (size_t packet = 0; packet < n_packets; packet++) {
                if (!has_events(packet))
                        continue;
                write_with_gap(packet, 8);
                struct plait_recording *recording = opened();
                missing += EVENTS - count(recording, PLAIT_RECORDING_INSTANT, "many");
                plait_recording_close(recording);
        }
        CHECK_UINT(missing, ==, EVENTS); /* each of them was missing once */
        unlink(path);
}

TEST(a_recording_that_was_cut_off_can_be_completed_for_perfetto)
{
        record_whole();
        size_t last = n_packets - 1;
        while (last > 0 && !has_many_events(last))
                last--;
        CHECK_UINT(last, >, 0);
        for (size_t left = 1; left < 2000; left += left < 140 ? 1 : 100) {
                write_file(whole, begins[last] + left, O_TRUNC);
                struct plait_recording *recording = opened();
                CHECK(info_of(recording).torn);
                CHECK(!plait_recording_get_process(recording, 0)->ended);
                if (left > 1)
                        check_appending(recording);
                else
                        plait_recording_close(recording);
        }
        unlink(path);
}
