/*
 * File names from URLs. A URL is a stranger's text: what comes out is made of allowed characters, not cleared of bad
 * ones.
 */
#include "fetch/name.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "fetch/sum.h"
#include "term/text.h"

#define STEM_MAX 100 /* bytes */
#define EXTENSION_MAX 8

/* The last segment of the path that is not empty, else the host, which has no extension. */
static const char *last_segment(const char *url, size_t *ret_bytes, int *ret_is_host)
{
        const char *authority = strstr(url, "://");
        authority = authority ? authority + 3 : url;
        const char *end = authority + strcspn(authority, "?#");
        const char *path = authority + strcspn(authority, "/?#");

        while (end > path && end[-1] == '/')
                end--;
        *ret_is_host = end <= path;
        if (end > path) {
                const char *begin = end;
                while (begin[-1] != '/')
                        begin--;
                *ret_bytes = (size_t)(end - begin);
                return begin;
        }
        for (const char *p = authority; p < path; p++)
                if (*p == '@')
                        authority = p + 1; /* no names and passwords in file names */
        *ret_bytes = (size_t)(path - authority);
        return authority;
}

static int hex(char c)
{
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
}

/* Decodes %XX; what does not fit is left out. */
static size_t decode_percent(const char *from, size_t bytes, char *to, size_t size)
{
        size_t used = 0;

        for (size_t i = 0; i < bytes && used < size; i++) {
                if (from[i] == '%' && i + 2 < bytes && hex(from[i + 1]) >= 0 && hex(from[i + 2]) >= 0) {
                        to[used++] = (char)(hex(from[i + 1]) * 16 + hex(from[i + 2]));
                        i += 2;
                } else {
                        to[used++] = from[i];
                }
        }
        return used;
}

/* Whether a character may stand in a name, wherever. */
static int is_harmless(uint32_t point)
{
        if (point < 0x80)
                return isalnum((int)point) || (point != 0 && strchr("._-+=@,~", (int)point));
        return point >= 0xA1 && !text_is_control(point) && point != 0x3000 && !(point >= 0x2000 && point <= 0x200A) &&
               !(point >= 0xE000 && point <= 0xF8FF) && point < 0xE0000;
}

static size_t make_harmless(const char *from, size_t bytes, char *to, size_t size)
{
        size_t used = 0;

        for (size_t i = 0; i < bytes;) {
                uint32_t point = 0;
                size_t length = text_decode(from + i, bytes - i, &point);
                int keep = length && is_harmless(point) && !(used == 0 && (point == '.' || point == '-'));
                size_t room = keep ? length : 1;

                if (used + room > size)
                        break;
                if (keep)
                        memcpy(to + used, from + i, length);
                else
                        to[used] = '_';
                used += room;
                i += length ? length : 1;
        }
        return used;
}

/* The length of the extension at the end, its dot included; 0 when there is none. ".tar.gz" and the like count whole.
 */
static size_t extension_bytes(const char *text, size_t bytes)
{
        size_t n = 0;

        while (n < bytes && n <= EXTENSION_MAX && isalnum((unsigned char)text[bytes - 1 - n]))
                n++;
        if (n == 0 || n > EXTENSION_MAX || n + 1 >= bytes || text[bytes - 1 - n] != '.')
                return 0;
        n++;
        if (n + 4 < bytes && strncasecmp(text + bytes - n - 4, ".tar", 4) == 0)
                n += 4;
        return n;
}

static void write_sum(const char *url, char sum[17])
{
        static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* no i, l, o, u: nothing to misread */
        unsigned char full[SUM_BYTES];
        uint32_t bits = 0;
        unsigned have = 0;
        size_t next = 0;

        sum_of_text(url, strlen(url), full);
        for (size_t i = 0; i < 16; i++) {
                if (have < 5) {
                        bits = (bits & 0xFF) << 8 | full[next++];
                        have += 8;
                }
                have -= 5;
                sum[i] = digits[bits >> have & 31];
        }
        sum[16] = 0;
}

void name_of_url(const char *url, char name[NAME_SIZE])
{
        char plain[1024];
        char stem[256];
        char sum[17];
        char tail[EXTENSION_MAX + 6];
        size_t bytes = 0;
        int is_host = 0;

        const char *segment = last_segment(url, &bytes, &is_host);
        bytes = decode_percent(segment, bytes, plain, sizeof plain);
        size_t extension = is_host ? 0 : extension_bytes(plain, bytes);
        memcpy(tail, plain + bytes - extension, extension);
        tail[extension] = 0;
        size_t used = make_harmless(plain, bytes - extension, stem, STEM_MAX);
        write_sum(url, sum);
        snprintf(name, NAME_SIZE, "%.*s%s%s%s", (int)used, stem, used ? "-" : "", sum, tail);
}
