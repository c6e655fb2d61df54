/*
 * HTTP/1.1 responses (RFC 9112).
 */
#include "net/http1.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { LENGTH_DIGITS_MAX = 18, CHUNK_DIGITS_MAX = 15 };

struct text {
        const char *at;
        size_t bytes;
};

/* A line without its end, and *text* moved behind it. False: there is no whole line. */
static bool take_line(struct text *text, struct text *ret)
{
        const char *end = text->bytes ? memchr(text->at, '\n', text->bytes) : NULL;

        if (!end)
                return false;

        size_t bytes = (size_t)(end - text->at);

        *ret = (struct text){text->at, bytes > 0 && end[-1] == '\r' ? bytes - 1 : bytes};
        text->at = end + 1;
        text->bytes -= bytes + 1;
        return true;
}

static void keep(char *buf, size_t room, struct text text)
{
        size_t n = text.bytes < room - 1 ? text.bytes : room - 1;

        for (size_t i = 0; i < n; i++)
                buf[i] = isprint((unsigned char)text.at[i]) ? text.at[i] : '?';
        buf[n] = 0;
}

static bool is(struct text text, const char *word)
{
        return text.bytes == strlen(word) && strncasecmp(text.at, word, text.bytes) == 0;
}

/* Whether one of the words between commas is *word*. */
static bool has_word(struct text list, const char *word)
{
        while (list.bytes > 0) {
                size_t n = 0;

                while (n < list.bytes && list.at[n] != ',')
                        n++;

                struct text one = {list.at, n};

                while (one.bytes > 0 && isblank((unsigned char)*one.at))
                        one = (struct text){one.at + 1, one.bytes - 1};
                while (one.bytes > 0 && isblank((unsigned char)one.at[one.bytes - 1]))
                        one.bytes--;
                if (is(one, word))
                        return true;
                n += n < list.bytes;
                list = (struct text){list.at + n, list.bytes - n};
        }
        return false;
}

static bool parse_length(struct text text, uint64_t *ret)
{
        uint64_t value = 0;

        if (text.bytes == 0 || text.bytes > LENGTH_DIGITS_MAX)
                return false;
        for (size_t i = 0; i < text.bytes; i++) {
                if (!isdigit((unsigned char)text.at[i]))
                        return false;
                value = value * 10 + (uint64_t)(text.at[i] - '0');
        }
        *ret = value;
        return true;
}

static int parse_status_line(struct text line, struct net_http1_head *head)
{
        static const char start[] = "HTTP/1.";
        size_t n = sizeof start - 1;

        if (line.bytes < n + 5 || memcmp(line.at, start, n) != 0 || !isdigit((unsigned char)line.at[n]) ||
            line.at[n + 1] != ' ')
                return -EBADMSG;
        head->minor = line.at[n] - '0';
        for (size_t i = n + 2; i < n + 5; i++) {
                if (!isdigit((unsigned char)line.at[i]))
                        return -EBADMSG;
                head->status = head->status * 10 + line.at[i] - '0';
        }
        if (head->status < 100 || head->status > 599 || (line.bytes > n + 5 && line.at[n + 5] != ' '))
                return -EBADMSG;
        if (line.bytes > n + 6)
                keep(head->reason, sizeof head->reason, (struct text){line.at + n + 6, line.bytes - n - 6});
        head->closes = head->minor == 0;
        return 0;
}

static int note_field(struct text name, struct text value, struct net_http1_head *head)
{
        const struct {
                const char *name;
                char *buf;
                size_t room;
        } texts[] = {
                {"location", head->location, sizeof head->location},
                {"date", head->date, sizeof head->date},
                {"server", head->server, sizeof head->server},
                {"via", head->via, sizeof head->via},
                {"x-cache", head->cache, sizeof head->cache},
                {"content-type", head->content_type, sizeof head->content_type},
                {"proxy-authenticate", head->realm, sizeof head->realm},
                {"www-authenticate", head->realm, sizeof head->realm},
        };

        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
                if (is(name, texts[i].name))
                        keep(texts[i].buf, texts[i].room, value);
        if (is(name, "transfer-encoding"))
                head->chunked |= has_word(value, "chunked");
        if (is(name, "connection")) {
                head->closes |= has_word(value, "close");
                head->closes &= !has_word(value, "keep-alive");
        }
        if (is(name, "content-length")) {
                uint64_t length;

                if (!parse_length(value, &length) || (head->has_length && length != head->length))
                        return -EBADMSG;
                head->has_length = true;
                head->length = length;
        }
        return 0;
}

static int parse_field(struct text line, struct net_http1_head *head)
{
        const char *colon = memchr(line.at, ':', line.bytes);

        if (*line.at == ' ' || *line.at == '\t') /* a continued line, of long ago */
                return 0;
        if (!colon || colon == line.at)
                return -EBADMSG;

        struct text name = {line.at, (size_t)(colon - line.at)};
        struct text value = {colon + 1, line.bytes - name.bytes - 1};

        while (value.bytes > 0 && isblank((unsigned char)*value.at))
                value = (struct text){value.at + 1, value.bytes - 1};
        while (value.bytes > 0 && isblank((unsigned char)value.at[value.bytes - 1]))
                value.bytes--;
        return note_field(name, value, head);
}

ssize_t net_http1_parse_head(const char *data, size_t bytes, struct net_http1_head *ret)
{
        static const char start[] = "HTTP/1.";
        struct net_http1_head head = {0};
        struct text rest = {data, bytes};
        struct text line;

        if (memcmp(data, start, bytes < sizeof start - 1 ? bytes : sizeof start - 1) != 0)
                return -EBADMSG;
        if (!take_line(&rest, &line))
                return bytes > NET_HTTP1_HEAD_MAX ? -EBADMSG : 0;

        int r = parse_status_line(line, &head);

        while (r == 0 && take_line(&rest, &line)) {
                if (line.bytes == 0) {
                        *ret = head;
                        return rest.at - data;
                }
                r = parse_field(line, &head);
        }
        if (r < 0)
                return r;
        return bytes > NET_HTTP1_HEAD_MAX ? -EBADMSG : 0;
}

void net_http1_begin_body(struct net_http1_body *body, const struct net_http1_head *head, bool is_head_request)
{
        *body = (struct net_http1_body){.framing = NET_HTTP1_UNTIL_CLOSE};
        if (is_head_request || head->status < 200 || head->status == 204 || head->status == 304)
                body->framing = NET_HTTP1_NO_BODY;
        else if (head->chunked)
                body->framing = NET_HTTP1_CHUNKED;
        else if (head->has_length)
                body->framing = NET_HTTP1_LENGTH;
        if (body->framing == NET_HTTP1_LENGTH)
                body->left = head->length;
        body->done = body->framing == NET_HTTP1_NO_BODY || (body->framing == NET_HTTP1_LENGTH && body->left == 0);
}

/* Where in the frame of a chunk the next byte belongs. */
enum {
        CHUNK_SIZE,
        CHUNK_EXTENSION,
        CHUNK_DATA,
        CHUNK_END,     /* the line end behind the data */
        TRAILER_START, /* of a line */
        TRAILER,
};

static int value_of_digit(char c)
{
        if (isdigit((unsigned char)c))
                return c - '0';
        return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* A byte that is not data. */
static int feed_frame(struct net_http1_body *body, char c)
{
        switch (body->state) {
        case CHUNK_SIZE:
                if (value_of_digit(c) >= 0) {
                        if (++body->digits > CHUNK_DIGITS_MAX)
                                return -EBADMSG;
                        body->left = body->left * 16 + (uint64_t)value_of_digit(c);
                        return 0;
                }
                if (body->digits == 0)
                        return -EBADMSG;
                body->state = CHUNK_EXTENSION;
                break;
        case CHUNK_EXTENSION: break;
        case CHUNK_END:
                if (c == '\n') {
                        body->state = CHUNK_SIZE;
                        body->digits = 0;
                }
                return c == '\n' || c == '\r' ? 0 : -EBADMSG;
        case TRAILER_START:
                body->done = c == '\n';
                if (c != '\r')
                        body->state = TRAILER;
                return 0;
        default: /* TRAILER */
                if (c == '\n')
                        body->state = TRAILER_START;
                return 0;
        }
        if (c == '\n') /* of the line with the size */
                body->state = body->left > 0 ? CHUNK_DATA : TRAILER_START;
        return 0;
}

ssize_t net_http1_feed(struct net_http1_body *body, const char *data, size_t bytes,
                       void (*sink)(void *arg, const char *data, size_t bytes), void *arg)
{
        size_t used = 0;

        while (used < bytes && !body->done) {
                size_t n = bytes - used;

                if (body->framing == NET_HTTP1_CHUNKED && body->state != CHUNK_DATA) {
                        if (feed_frame(body, data[used++]) < 0)
                                return -EBADMSG;
                        continue;
                }
                if (body->framing != NET_HTTP1_UNTIL_CLOSE && n > body->left)
                        n = (size_t)body->left;
                if (sink)
                        sink(arg, data + used, n);
                used += n;
                body->received += n;
                if (body->framing == NET_HTTP1_UNTIL_CLOSE)
                        continue;
                body->left -= n;
                if (body->left == 0 && body->framing == NET_HTTP1_LENGTH)
                        body->done = true;
                else if (body->left == 0)
                        body->state = CHUNK_END;
        }
        return (ssize_t)used;
}

static int month_of(const char *name)
{
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

        for (int i = 0; i < 12; i++)
                if (strncmp(months + 3 * (size_t)i, name, 3) == 0)
                        return i;
        return -1;
}

static const char *skip(const char *text)
{
        return text + strspn(text, " ,-:");
}

static bool take_number(const char **text, int *ret)
{
        const char *at = skip(*text);
        int value = 0;
        int digits = 0;

        for (; digits < 5 && isdigit((unsigned char)at[digits]); digits++)
                value = value * 10 + at[digits] - '0';
        if (digits == 0 || digits > 4)
                return false;
        *text = at + digits;
        *ret = value;
        return true;
}

static bool take_month(const char **text, int *ret)
{
        const char *at = skip(*text);
        int month = month_of(at);

        if (month < 0)
                return false;
        *text = at + 3;
        *ret = month;
        return true;
}

static bool take_time(const char **text, struct tm *tm)
{
        return take_number(text, &tm->tm_hour) && take_number(text, &tm->tm_min) && take_number(text, &tm->tm_sec);
}

int64_t net_http1_parse_date(const char *text)
{
        struct tm tm = {0};
        int year = 0;
        const char *behind_day = text + strcspn(text, " ,");
        const char *at = behind_day;

        /* "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT" */
        bool is_date = take_number(&at, &tm.tm_mday) && take_month(&at, &tm.tm_mon) && take_number(&at, &year) &&
                       take_time(&at, &tm);

        if (!is_date) { /* "Sun Nov  6 08:49:37 1994" */
                at = behind_day;
                is_date = take_month(&at, &tm.tm_mon) && take_number(&at, &tm.tm_mday) && take_time(&at, &tm) &&
                          take_number(&at, &year);
        }
        if (year >= 0 && year < 100)
                year += year < 70 ? 2000 : 1900;
        tm.tm_year = year - 1900;
        if (!is_date || year < 1970 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
            tm.tm_sec > 60)
                return -1;
        return (int64_t)timegm(&tm);
}
