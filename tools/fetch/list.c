/*
 * The list of URLs, streamed: memory does not depend on its length.
 */
#include "fetch/list.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <plait/fd.h>

int list_open(struct list *list, char **urls, const char *file)
{
        struct stat st;
        int fd = -1;

        if (file) {
                fd = strcmp(file, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                            : open(file, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        return -errno;
                if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
                        close(fd);
                        return -EISDIR;
                }
        }
        list->urls = urls;
        list->fd = fd;
        list->end = fd < 0;
        list->line = list->passed = 0;
        list->begin = list->have = 0;
        return 0;
}

void list_close(struct list *list)
{
        if (list->fd >= 0)
                plait_close(list->fd);
        list->fd = -1;
}

/* Adds to the buffer; returns 1, or 0 at the end, or a negative errno. */
static int fill(struct list *list)
{
        if (list->end)
                return 0;
        memmove(list->buffer, list->buffer + list->begin, list->have);
        list->begin = 0;
        ssize_t n = plait_read(list->fd, list->buffer + list->have, sizeof list->buffer - list->have, PLAIT_NEVER);
        if (n < 0)
                return (int)n;
        list->have += (size_t)n;
        list->end = n == 0;
        return n > 0;
}

/* Copies the next line, of which the first sizeof url - 1 bytes are kept. Returns 1, 0 at the end, or an error. */
static int next_line(struct list *list, struct list_entry *entry)
{
        size_t used = 0;
        bool any = false;

        entry->cut = false;
        for (;;) {
                if (list->have == 0) {
                        int r = fill(list);
                        if (r < 0)
                                return r;
                        if (r == 0)
                                break;
                }
                any = true;
                const char *from = list->buffer + list->begin;
                const char *end = memchr(from, '\n', list->have);
                size_t bytes = end ? (size_t)(end - from) : list->have;
                size_t keep = bytes < sizeof entry->url - 1 - used ? bytes : sizeof entry->url - 1 - used;

                memcpy(entry->url + used, from, keep);
                used += keep;
                entry->cut |= keep < bytes;
                list->begin += bytes + (end ? 1 : 0);
                list->have -= bytes + (end ? 1 : 0);
                if (end)
                        break;
        }
        entry->url[used] = 0;
        if (memchr(entry->url, 0, used))
                for (size_t i = 0; i < used; i++)
                        if (!entry->url[i])
                                entry->url[i] = 1; /* a control character like any other, and refused as one */
        return any ? 1 : 0;
}

static void trim(char *text)
{
        static const char blank[] = " \t\r\f\v";
        size_t skip = strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;

        skip += strspn(text + skip, blank);
        size_t bytes = strlen(text + skip);
        while (bytes > 0 && strchr(blank, text[skip + bytes - 1]))
                bytes--;
        memmove(text, text + skip, bytes);
        text[bytes] = 0;
}

int list_next(struct list *list, struct list_entry *entry)
{
        entry->line = 0;
        entry->cut = false;
        if (*list->urls) {
                size_t bytes = strlen(*list->urls);
                entry->cut = bytes >= sizeof entry->url;
                if (entry->cut)
                        bytes = sizeof entry->url - 1;
                memcpy(entry->url, *list->urls++, bytes);
                entry->url[bytes] = 0;
                return 1;
        }
        for (;;) {
                int r = next_line(list, entry);
                if (r <= 0)
                        return r;
                entry->line = ++list->line;
                trim(entry->url);
                if (entry->url[0] && entry->url[0] != '#')
                        return 1;
                list->passed++;
        }
}

uint64_t list_estimate(const struct list *list)
{
        char buffer[65536];
        struct stat st;
        uint64_t count = 0;
        off_t at = 0;
        char last = '\n';

        for (char **url = list->urls; *url; url++)
                count++;
        if (list->fd < 0)
                return count;
        if (fstat(list->fd, &st) < 0 || !S_ISREG(st.st_mode))
                return 0;
        off_t begin = lseek(list->fd, 0, SEEK_CUR);
        for (ssize_t n; (n = pread(list->fd, buffer, sizeof buffer, begin + at)) > 0; at += n) {
                for (const char *p = buffer; (p = memchr(p, '\n', (size_t)(buffer + n - p))); p++)
                        count++;
                last = buffer[n - 1];
        }
        return count + (last != '\n');
}
