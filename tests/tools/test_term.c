/*
 * What the command prints with: widths, numbers, JSON, tables, the progress line.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/test.h"
#include "term/json.h"
#include "term/progress.h"
#include "term/table.h"
#include "term/text.h"

TEST(text_columns_counts_what_a_terminal_shows)
{
        CHECK_UINT(text_columns("abc"), ==, 3);
        CHECK_UINT(text_columns("na\xC3\xAFve"), ==, 5);
        CHECK_UINT(text_columns("e\xCC\x81"), ==, 1);                /* e and a combining acute */
        CHECK_UINT(text_columns("\xE6\xBC\xA2\xE5\xAD\x97"), ==, 4); /* two ideographs */
        CHECK_UINT(text_columns("\xF0\x9F\x98\x80"), ==, 2);         /* an emoji */
        CHECK_UINT(text_columns("\xFF\xC3"), ==, 2);                 /* no UTF-8 */
}

TEST(text_safe_disarms_controls_and_cuts)
{
        char buffer[64];

        CHECK_STR(text_safe("a\033[31mb", 40, buffer, sizeof buffer), "a\\x1B[31mb");
        CHECK_STR(text_safe("a\xFFz", 40, buffer, sizeof buffer), "a\\xFFz");
        CHECK_STR(text_safe("abcdefghij", 10, buffer, sizeof buffer), "abcdefghij");
        CHECK_STR(text_safe("abcdefghijk", 10, buffer, sizeof buffer), "abcdefg...");
        CHECK_STR(text_safe("abcdefghijk", 100, buffer, 9), "abcde...");
}

TEST(text_numbers_read_well)
{
        char b[32];

        CHECK_STR(text_bytes(0, b, sizeof b), "0 B");
        CHECK_STR(text_bytes(999, b, sizeof b), "999 B");
        CHECK_STR(text_bytes(1000, b, sizeof b), "1.0 kB");
        CHECK_STR(text_bytes(123456789, b, sizeof b), "123 MB");
        CHECK_STR(text_seconds(0.00012, b, sizeof b), "120 us");
        CHECK_STR(text_seconds(0.0351, b, sizeof b), "35 ms");
        CHECK_STR(text_seconds(8.051, b, sizeof b), "8.05 s");
        CHECK_STR(text_seconds(185, b, sizeof b), "3m05s");
        CHECK_STR(text_seconds(3725, b, sizeof b), "1h02m");
        CHECK_STR(text_count(0, b, sizeof b), "0");
        CHECK_STR(text_count(999, b, sizeof b), "999");
        CHECK_STR(text_count(1234567, b, sizeof b), "1,234,567");
}

static void check_json(struct json *json, const char *right)
{
        json_newline(json);
        CHECK(!json->failed);
        CHECK_UINT(json->bytes, ==, strlen(right));
        CHECK(memcmp(json->text, right, json->bytes) == 0);
        json_done(json);
}

TEST(json_is_valid_whatever_the_strings_hold)
{
        struct json json = {0};

        json_open(&json, NULL, '{');
        json_string(&json, "a\"", "\\ \" \n \x01 \x7F \xC3\xA9 \xFF \xED\xA0\x80 \xC0\xAF");
        json_string(&json, "n", NULL);
        json_integer(&json, "i", UINT64_MAX);
        json_number(&json, "x", 0.25);
        json_number(&json, "nan", (double)NAN);
        json_open(&json, "l", '[');
        json_integer(&json, NULL, 1);
        json_integer(&json, NULL, 2);
        json_close(&json, ']');
        json_close(&json, '}');
        check_json(&json, "{\"a\\\"\": \"\\\\ \\\" \\u000a \\u0001 \\u007f \xC3\xA9 \xEF\xBF\xBD "
                          "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD\", \"n\": null, "
                          "\"i\": 18446744073709551615, \"x\": 0.250000, \"nan\": null, \"l\": [1, 2]}\n");
}

TEST(table_aligns_columns_of_any_script)
{
        static struct table table;
        char *text = NULL;
        size_t bytes = 0;
        FILE *to = open_memstream(&text, &bytes);

        table.columns = 2;
        table.right[1] = true;
        table_row(&table);
        table_cell(&table, 0, "name");
        table_cell(&table, 1, "n");
        table_row(&table);
        table_cell(&table, 0, "\xE6\xBC\xA2\xE5\xAD\x97x");
        table_cell(&table, 1, "%d", 100);
        table_print(&table, to, false);
        fclose(to);
        CHECK_STR(text, "name     n\n\xE6\xBC\xA2\xE5\xAD\x97x  100\n");
        free(text);
}

TEST(progress_line_fits_the_terminal)
{
        struct progress progress = {.items_per_s = 1234, .bytes_per_s = 5e6};
        struct progress_state state = {.done = 5000, .failed = 3, .total = 20000, .bytes = 123456789};
        char line[512];

        for (size_t columns = 20; columns < 200; columns++) {
                progress_line(&progress, &state, 10, columns, line, sizeof line);
                CHECK_UINT(text_columns(line), <, columns);
        }
        progress_line(&progress, &state, 10, 150, line, sizeof line);
        CHECK(strstr(line, "[##########") == line);
        CHECK(strstr(line, "5,000/20,000  25%") != NULL);
        CHECK(strstr(line, "1234/s  123 MB  5.0 MB/s  3 failed  ETA 30.0 s") != NULL);
}

TEST(progress_line_without_a_total_promises_nothing)
{
        struct progress progress = {.items_per_s = 1234};
        struct progress_state state = {.done = 5000, .bytes = 5};
        char line[512];

        progress_line(&progress, &state, 10, 100, line, sizeof line);
        CHECK(strchr(line, '[') == NULL && strchr(line, '%') == NULL && strstr(line, "ETA") == NULL);
}
