/*
 * Lines of output.
 */
#include "ps/line.h"

#include <string.h>

#include "term/text.h"

static void put_bytes(struct line *line, const char *text, size_t bytes)
{
        if (line->used + bytes > sizeof line->text)
                bytes = sizeof line->text - line->used;
        memcpy(line->text + line->used, text, bytes);
        line->used += bytes;
}

void line_put(struct line *line, const char *text)
{
        put_bytes(line, text, strlen(text));
}

static void put_digits(struct line *line, uint64_t number, unsigned base)
{
        char digits[24];
        size_t at = sizeof digits;

        do
                digits[--at] = "0123456789abcdef"[number % base];
        while ((number /= base) > 0);
        put_bytes(line, digits + at, sizeof digits - at);
}

void line_number(struct line *line, uint64_t number)
{
        put_digits(line, number, 10);
}

void line_hex(struct line *line, uint64_t number)
{
        put_bytes(line, "0x", 2);
        put_digits(line, number, 16);
}

void line_thousandths(struct line *line, uint64_t number)
{
        char rest[4] = {'.', (char)('0' + number / 100 % 10), (char)('0' + number / 10 % 10),
                        (char)('0' + number % 10)};

        put_digits(line, number / 1000, 10);
        put_bytes(line, rest, sizeof rest);
}

static void blanks(struct line *line, size_t count)
{
        static const char some[] = "                                                                ";

        while (count > 0) {
                size_t n = count < sizeof some - 1 ? count : sizeof some - 1;

                put_bytes(line, some, n);
                count -= n;
        }
}

/* Most texts are plain letters, whose width is their number. */
static size_t width_of(const char *text)
{
        size_t length = 0;

        while (text[length] > 0)
                length++;
        return text[length] ? text_columns(text) : length;
}

void line_cell(struct line *line, const char *text, size_t columns)
{
        char cut[256];
        size_t width = width_of(text);

        if (width > columns) {
                text = text_safe(text, columns, cut, sizeof cut);
                width = width_of(text);
        }
        line_put(line, text);
        blanks(line, columns - (width < columns ? width : columns) + 2);
}

void line_cell_right(struct line *line, const char *text, size_t columns)
{
        size_t width = width_of(text);

        blanks(line, width < columns ? columns - width : 0);
        line_put(line, text);
        blanks(line, 2);
}

void line_number_right(struct line *line, uint64_t number, size_t columns)
{
        size_t width = 1;

        for (uint64_t rest = number; rest >= 10; rest /= 10)
                width++;
        blanks(line, width < columns ? columns - width : 0);
        put_digits(line, number, 10);
        blanks(line, 2);
}

void line_append(struct line *line, const struct line *more)
{
        put_bytes(line, more->text, more->used);
}
