/*
 * The journal and its index. Appending needs no lock among processes: lines go to a file opened with O_APPEND, whole
 * ones by one write().
 * Runs that use a folder share its lock; who gets it alone may tidy up.
 */
#include "fetch/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch/name.h"
#include "fetch/sum.h"
#include "fetch/url.h"

#define LINE_MAX_BYTES (URL_BYTES_MAX + NAME_SIZE + 64)
#define SUM_DIGITS 16
#define READ_BYTES 65536
#define LINES_FIRST 65536

/* An entry of the index: open addressing, an empty one is all zeroes. */
struct slot {
        uint64_t key;    /* of the URL */
        uint64_t offset; /* of its last line, plus one */
};

static uint64_t sum_of(const char *text, size_t bytes)
{
        unsigned char full[SUM_BYTES];
        uint64_t sum = 0;

        sum_of_text(text, bytes, full);
        memcpy(&sum, full, sizeof sum);
        return sum;
}

struct line {
        struct journal_entry entry;
        char name[NAME_SIZE];
        const char *url; /* in the text */
};

/* Reads a number and the blank behind it; NULL if there is none. */
static char *take_number(char *text, int base, uint64_t *ret)
{
        char *end = NULL;

        *ret = text ? strtoull(text, &end, base) : 0;
        return text && end > text && *end == ' ' ? end + 1 : NULL;
}

/* Takes a line (without its newline, with a NUL) apart; false if it is damaged. */
static bool parse(char *text, struct line *ret)
{
        uint64_t sum = 0;
        uint64_t status = 0;

        if (strncmp(text, "v1 ", 3) != 0)
                return false;
        char *rest = take_number(text + 3, 16, &sum);
        if (!rest || sum != sum_of(rest, strlen(rest)))
                return false;
        char *name = take_number(take_number(rest, 10, &status), 10, &ret->entry.bytes);
        size_t bytes = name ? strcspn(name, " ") : 0;
        if (bytes == 0 || bytes >= sizeof ret->name || name[bytes] != ' ' || !name[bytes + 1])
                return false;
        ret->entry.status = (int)status;
        memcpy(ret->name, name, bytes);
        ret->name[bytes] = 0;
        ret->url = name + bytes + 1;
        return true;
}

static int put(struct journal *journal, uint64_t key, uint64_t offset)
{
        struct slot slot;

        for (uint64_t i = key & journal->mask;; i = (i + 1) & journal->mask) {
                off_t at = (off_t)(i * sizeof slot);
                ssize_t n = pread(journal->index_fd, &slot, sizeof slot, at);
                if (n != (ssize_t)sizeof slot)
                        return n < 0 ? -errno : -EIO;
                if (slot.offset != 0 && slot.key != key)
                        continue;
                slot = (struct slot){.key = key, .offset = offset + 1};
                n = pwrite(journal->index_fd, &slot, sizeof slot, at);
                return n == (ssize_t)sizeof slot ? 0 : n < 0 ? -errno : -EIO;
        }
}

/* The offset of the last line with this key plus one; 0 when there is none. */
static uint64_t get(const struct journal *journal, uint64_t key)
{
        struct slot slot;

        for (uint64_t i = key & journal->mask;; i = (i + 1) & journal->mask) {
                if (pread(journal->index_fd, &slot, sizeof slot, (off_t)(i * sizeof slot)) != (ssize_t)sizeof slot)
                        return 0;
                if (slot.offset == 0 || slot.key == key)
                        return slot.offset;
        }
}

/* Calls *each* (NULL: none) for every line; returns how many there are or a negative errno. */
static int64_t walk(struct journal *journal, int (*each)(struct journal *journal, char *text, uint64_t offset))
{
        size_t room = READ_BYTES + LINE_MAX_BYTES;
        char *buffer = malloc(room + 1);
        size_t have = 0;
        uint64_t offset = 0; /* of buffer[0] */
        int64_t lines = 0;

        if (!buffer)
                return -ENOMEM;
        journal->torn = false;
        for (;;) {
                ssize_t n = pread(journal->fd, buffer + have, room - have, (off_t)(offset + have));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        lines = n < 0 ? -errno : lines;
                        break;
                }
                have += (size_t)n;
                size_t begin = 0;
                for (char *end; (end = memchr(buffer + begin, '\n', have - begin)) && lines >= 0;) {
                        *end = 0;
                        int r = each ? each(journal, buffer + begin, offset + begin) : 0;
                        lines = r < 0 ? r : lines + 1;
                        begin = (size_t)(end - buffer) + 1;
                }
                if (lines < 0)
                        break;
                if (begin == 0 && have == room)
                        begin = have; /* no line is that long: damage */
                memmove(buffer, buffer + begin, have - begin);
                have -= begin;
                offset += begin;
                journal->torn = have > 0;
        }
        free(buffer);
        return lines;
}

static int index_line(struct journal *journal, char *text, uint64_t offset)
{
        struct line line;

        return parse(text, &line) ? put(journal, sum_of(line.url, strlen(line.url)), offset) : 0;
}

static int build_index(struct journal *journal, uint64_t lines)
{
        char temp[TEMP_SIZE];
        uint64_t slots = 64;

        while (slots < lines * 2)
                slots *= 2;
        journal->index_fd = folder_create(journal->folder, temp);
        if (journal->index_fd < 0)
                return journal->index_fd;
        close(journal->index_fd);
        journal->index_fd = openat(journal->folder->fd, temp, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        int r = journal->index_fd < 0 ? -errno : 0;
        folder_discard(journal->folder, temp);
        if (r == 0 && ftruncate(journal->index_fd, (off_t)(slots * sizeof(struct slot))) < 0)
                r = -errno;
        journal->mask = slots - 1;
        if (r == 0) {
                int64_t walked = walk(journal, index_line);
                r = walked < 0 ? (int)walked : 0;
        }
        return r;
}

static int open_file(const struct folder *folder)
{
        struct stat st;

        int fd = openat(folder->fd, JOURNAL_NAME, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
                return fd;
        close(fd);
        return -EINVAL;
}

int journal_open(struct journal *journal, struct folder *folder, bool resume)
{
        int fd = open_file(folder);
        if (fd < 0)
                return fd;
        *journal = (struct journal){.folder = folder, .fd = fd, .index_fd = -1};
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                folder_sweep(folder);
        flock(fd, LOCK_SH); /* a file system without locks has no leftovers removed, that is all */

        int64_t lines = walk(journal, NULL);
        int r = lines < 0 ? (int)lines : 0;
        if (lines > 0 && resume)
                r = build_index(journal, (uint64_t)lines);
        if (r < 0)
                journal_close(journal);
        return r;
}

void journal_close(struct journal *journal)
{
        if (journal->fd >= 0)
                close(journal->fd);
        if (journal->index_fd >= 0)
                close(journal->index_fd);
        journal->fd = journal->index_fd = -1;
        free(journal->lines);
        journal->lines = NULL;
        journal->lines_bytes = journal->lines_room = 0;
}

bool journal_find(const struct journal *journal, const char *url, const char *name, struct journal_entry *ret)
{
        char text[LINE_MAX_BYTES + 1];
        struct line line;

        uint64_t offset = journal->index_fd >= 0 ? get(journal, sum_of(url, strlen(url))) : 0;
        if (offset == 0)
                return false;
        ssize_t n = pread(journal->fd, text, sizeof text - 1, (off_t)(offset - 1));
        if (n <= 0)
                return false;
        text[n] = 0;
        text[strcspn(text, "\n")] = 0;
        if (!parse(text, &line) || strcmp(line.url, url) != 0 || strcmp(line.name, name) != 0 ||
            !folder_has(journal->folder, name, line.entry.bytes))
                return false;
        *ret = line.entry;
        return true;
}

static int make_room(struct journal *journal, size_t bytes)
{
        size_t room = journal->lines_room ? journal->lines_room : LINES_FIRST;

        while (room < journal->lines_bytes + bytes)
                room *= 2;
        if (room == journal->lines_room)
                return 0;
        char *grown = realloc(journal->lines, room);
        if (!grown)
                return -ENOMEM;
        journal->lines = grown;
        journal->lines_room = room;
        return 0;
}

int journal_add(struct journal *journal, const char *url, const char *name, const struct journal_entry *entry)
{
        char head[32];

        if (journal->fd < 0)
                return 0;
        int r = make_room(journal, LINE_MAX_BYTES + 2);
        if (r < 0)
                return r;
        char *line = journal->lines + journal->lines_bytes;
        char *body = line + sizeof "v1 " - 1 + SUM_DIGITS + 1;
        int length = snprintf(body, LINE_MAX_BYTES, "%d %" PRIu64 " %s %s", entry->status, entry->bytes, name, url);
        snprintf(head, sizeof head, "v1 %016" PRIx64 " ", sum_of(body, (size_t)length));
        memcpy(line, head, (size_t)(body - line));
        body[length] = '\n';
        journal->lines_bytes = (size_t)(body + length + 1 - journal->lines);
        return 0;
}

/* What a crash left of a line is closed off by a newline of its own. */
static int close_torn_line(struct journal *journal)
{
        if (!journal->torn)
                return 0;
        ssize_t n = write(journal->fd, "\n", 1);
        journal->torn = n != 1;
        return n == 1 ? 0 : n < 0 ? -errno : -ENOSPC;
}

int journal_flush(struct journal *journal)
{
        size_t bytes = journal->lines_bytes;

        if (bytes == 0)
                return 0;
        journal->lines_bytes = 0;
        int r = close_torn_line(journal);
        if (r < 0)
                return r;
        ssize_t n = write(journal->fd, journal->lines, bytes);
        if (n == (ssize_t)bytes)
                return 0;
        r = n < 0 ? -errno : -ENOSPC;
        journal->torn = n > 0;
        return r;
}
