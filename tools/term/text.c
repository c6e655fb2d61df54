/*
 * Widths of UTF-8 text, and numbers as people read them. The locale plays no part: text is UTF-8 wherever plait runs.
 */
#include "term/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct range {
        uint32_t first, last;
};

/* Combining marks and joiners of common scripts: no column of their own. */
static const struct range narrow[] = {
        {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A},   {0x064B, 0x065F},
        {0x06D6, 0x06DC}, {0x0900, 0x0902}, {0x093C, 0x093C}, {0x0941, 0x0948},   {0x0E31, 0x0E31},
        {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},   {0x200B, 0x200F},
        {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF},
};

/* East Asian wide characters and emoji: two columns. */
static const struct range wide[] = {
        {0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x33FF},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},
        {0xA000, 0xA4CF},   {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
        {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF},
        {0x20000, 0x2FFFD}, {0x30000, 0x3FFFD},
};

/* They hide, reorder or break text. */
static const struct range controls[] = {
        {0x0000, 0x001F}, {0x007F, 0x009F}, {0x00AD, 0x00AD}, {0x061C, 0x061C}, {0x180E, 0x180E},
        {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFF},
};

static int within(const struct range *ranges, size_t count, uint32_t point)
{
        for (size_t i = 0; i < count; i++)
                if (point >= ranges[i].first && point <= ranges[i].last)
                        return 1;
        return 0;
}

int text_is_control(uint32_t point)
{
        return within(controls, sizeof controls / sizeof *controls, point);
}

size_t text_decode(const char *text, size_t bytes, uint32_t *ret_point)
{
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        const unsigned char *p = (const unsigned char *)text;

        if (bytes == 0)
                return 0;
        if (p[0] < 0x80) {
                *ret_point = p[0];
                return 1;
        }
        size_t length = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
        if (p[0] < 0xC2 || p[0] > 0xF4 || length > bytes)
                return 0;
        uint32_t point = p[0] & (0xFFU >> (length + 1));
        for (size_t i = 1; i < length; i++) {
                if ((p[i] & 0xC0) != 0x80)
                        return 0;
                point = point << 6 | (p[i] & 0x3F);
        }
        if (point < least[length] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
                return 0;
        *ret_point = point;
        return length;
}

static size_t point_columns(uint32_t point)
{
        if (point < 0x300)
                return 1;
        if (within(narrow, sizeof narrow / sizeof *narrow, point))
                return 0;
        return within(wide, sizeof wide / sizeof *wide, point) ? 2 : 1;
}

size_t text_columns(const char *text)
{
        size_t columns = 0;
        size_t left = strlen(text);

        while (left > 0) {
                uint32_t point = 0;
                size_t length = text_decode(text, left, &point);

                columns += length ? point_columns(point) : 1;
                text += length ? length : 1;
                left -= length ? length : 1;
        }
        return columns;
}

const char *text_safe(const char *text, size_t columns, char *buffer, size_t size)
{
        size_t left = strlen(text);
        size_t used = 0;
        size_t column = 0;
        size_t fit = 0; /* where "..." can go if the rest turns out not to fit */

        while (left > 0) {
                uint32_t point = 0;
                size_t length = text_decode(text, left, &point);
                int shown = length && !text_is_control(point);
                size_t bytes = shown ? length : 4;
                size_t width = shown ? point_columns(point) : 4;

                if (used + bytes + 4 > size || column + width > columns) {
                        snprintf(buffer + fit, size - fit, "...");
                        return buffer;
                }
                if (shown)
                        memcpy(buffer + used, text, length);
                else
                        snprintf(buffer + used, size - used, "\\x%02X", (unsigned char)*text);
                used += bytes;
                column += width;
                if (column + 3 <= columns)
                        fit = used;
                text += shown ? length : 1;
                left -= shown ? length : 1;
        }
        buffer[used] = 0;
        return buffer;
}

const char *text_bytes(double bytes, char *buffer, size_t size)
{
        static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
        size_t unit = 0;

        while (bytes >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
                bytes /= 1000;
                unit++;
        }
        snprintf(buffer, size, unit == 0 || bytes >= 99.95 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
        return buffer;
}

const char *text_seconds(double seconds, char *buffer, size_t size)
{
        unsigned long whole = seconds > 0 ? (unsigned long)(seconds + 0.5) : 0;

        if (seconds >= 3599.5)
                snprintf(buffer, size, "%luh%02lum", whole / 3600, whole % 3600 / 60);
        else if (seconds >= 99.5)
                snprintf(buffer, size, "%lum%02lus", whole / 60, whole % 60);
        else if (seconds >= 0.9995)
                snprintf(buffer, size, seconds >= 9.995 ? "%.1f s" : "%.2f s", seconds);
        else if (seconds >= 0.0009995)
                snprintf(buffer, size, seconds >= 0.009995 ? "%.0f ms" : "%.1f ms", seconds * 1e3);
        else
                snprintf(buffer, size, "%.0f us", seconds > 0 ? seconds * 1e6 : 0);
        return buffer;
}

const char *text_count(uint64_t count, char *buffer, size_t size)
{
        char digits[24];
        size_t used = 0;

        int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
        for (int i = 0; i < length && used + 2 < size; i++) {
                if (i > 0 && (length - i) % 3 == 0)
                        buffer[used++] = ',';
                buffer[used++] = digits[i];
        }
        buffer[used] = 0;
        return buffer;
}
