/*
 * Queues whose middle is in a file. Not locked: the user does that.
 *
 * An item is its size (16 bits) and its bytes. Chunks in memory begin small, since most queues are short.
 */
#include "fetch/backlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

struct chunk {
        uint32_t begin, end, room; /* bytes */
        unsigned char data[];
};

#define ROOM_FIRST 480
#define SLOT_BYTES ((off_t)(BACKLOG_CHUNK + 16))

/* What a chunk is in the file. */
struct slot {
        uint32_t next, begin, end, unused;
        unsigned char data[BACKLOG_CHUNK];
};

_Static_assert(sizeof(struct slot) == SLOT_BYTES, "slots lie side by side");

static int open_unnamed(void)
{
        const char *folder = getenv("TMPDIR");
        char path[] = "/tmp/plait-fetch-XXXXXX";

        int fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0)
                return fd;
        fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        unlink(path);
        return fd;
}

void spill_done(struct spill *spill)
{
        if (spill->fd >= 0)
                close(spill->fd);
        free(spill->free_slots);
        *spill = (struct spill)SPILL_INIT;
}

static int take_slot(struct spill *spill, uint32_t *ret)
{
        if (spill->fd < 0) {
                int fd = open_unnamed();
                if (fd < 0)
                        return fd;
                spill->fd = fd;
        }
        *ret = spill->free_count ? spill->free_slots[--spill->free_count] : spill->slots++;
        return 0;
}

/* One that cannot be remembered is lost until the end: that costs disk space only. */
static void give_slot(struct spill *spill, uint32_t slot)
{
        if (spill->free_count == spill->free_room) {
                size_t room = spill->free_room * 2 + 64;
                uint32_t *grown = realloc(spill->free_slots, room * sizeof *grown);
                if (!grown)
                        return;
                spill->free_slots = grown;
                spill->free_room = room;
        }
        spill->free_slots[spill->free_count++] = slot;
}

static int write_whole(int fd, const void *data, size_t bytes, off_t at)
{
        const unsigned char *p = data;

        while (bytes > 0) {
                ssize_t n = pwrite(fd, p, bytes, at);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                p += n;
                at += n;
                bytes -= (size_t)n;
        }
        return 0;
}

/* Moves the tail into the file, behind the last chunk there. */
static int spill_tail(struct backlog *backlog, struct spill *spill)
{
        struct chunk *tail = backlog->tail;
        struct slot slot = {.begin = tail->begin, .end = tail->end};
        uint32_t number = 0;

        int r = take_slot(spill, &number);
        if (r < 0)
                return r;
        memcpy(slot.data, tail->data, tail->end);
        r = write_whole(spill->fd, &slot, sizeof slot, number * SLOT_BYTES);
        if (r == 0 && backlog->spilled > 0)
                r = write_whole(spill->fd, &number, sizeof number, backlog->last * SLOT_BYTES);
        if (r < 0) {
                give_slot(spill, number);
                return r;
        }
        if (backlog->spilled++ == 0)
                backlog->first = number;
        backlog->last = number;
        tail->begin = tail->end = 0;
        return 0;
}

/* Makes room in the tail for *bytes*. */
static int make_room(struct backlog *backlog, struct spill *spill, size_t bytes)
{
        struct chunk *tail = backlog->tail;

        if (tail && tail->end + bytes <= tail->room)
                return 0;
        if (tail && tail->end + bytes > BACKLOG_CHUNK) {
                if (backlog->head)
                        return spill_tail(backlog, spill);
                backlog->head = tail;
                backlog->tail = tail = NULL;
        }
        size_t room = tail ? (size_t)tail->room * 2 + bytes : ROOM_FIRST + bytes;
        if (room > BACKLOG_CHUNK)
                room = BACKLOG_CHUNK;
        struct chunk *grown = realloc(tail, sizeof *grown + room);
        if (!grown)
                return -ENOMEM;
        if (!tail)
                grown->begin = grown->end = 0;
        grown->room = (uint32_t)room;
        backlog->tail = grown;
        return 0;
}

int backlog_push(struct backlog *backlog, struct spill *spill, const void *item, size_t bytes)
{
        uint16_t size = (uint16_t)bytes;

        if (bytes + sizeof size > BACKLOG_CHUNK)
                return -EMSGSIZE;
        int r = make_room(backlog, spill, bytes + sizeof size);
        if (r < 0)
                return r;
        struct chunk *tail = backlog->tail;
        memcpy(tail->data + tail->end, &size, sizeof size);
        memcpy(tail->data + tail->end + sizeof size, item, bytes);
        tail->end += (uint32_t)(sizeof size + bytes);
        backlog->count++;
        return 0;
}

static int load_head(struct backlog *backlog, struct spill *spill)
{
        struct slot slot;

        free(backlog->head);
        backlog->head = NULL;
        if (backlog->spilled == 0) {
                backlog->head = backlog->tail;
                backlog->tail = NULL;
                return 0;
        }
        ssize_t n = pread(spill->fd, &slot, sizeof slot, backlog->first * SLOT_BYTES);
        if (n != (ssize_t)sizeof slot)
                return n < 0 ? -errno : -EIO;
        struct chunk *head = malloc(sizeof *head + slot.end);
        if (!head)
                return -ENOMEM;
        *head = (struct chunk){.begin = slot.begin, .end = slot.end, .room = slot.end};
        memcpy(head->data, slot.data, slot.end);
        give_slot(spill, backlog->first);
        backlog->first = slot.next;
        backlog->spilled--;
        backlog->head = head;
        return 0;
}

int backlog_pop(struct backlog *backlog, struct spill *spill, void *item)
{
        uint16_t size = 0;

        if (backlog->count == 0)
                return -ENODATA;
        if (!backlog->head || backlog->head->begin == backlog->head->end) {
                int r = load_head(backlog, spill);
                if (r < 0)
                        return r;
        }
        struct chunk *head = backlog->head;
        if (!head)
                return -EIO; /* the count says that there is something */
        memcpy(&size, head->data + head->begin, sizeof size);
        memcpy(item, head->data + head->begin + sizeof size, size);
        head->begin += (uint32_t)sizeof size + size;
        if (--backlog->count == 0)
                backlog_done(backlog);
        return size;
}

void backlog_done(struct backlog *backlog)
{
        free(backlog->head);
        free(backlog->tail);
        *backlog = (struct backlog){0};
}
