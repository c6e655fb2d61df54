/*
 * Tables on a terminal.
 */
#include "term/table.h"

#include <stdarg.h>

#include "term/text.h"

size_t table_row(struct table *table)
{
        if (table->rows < TABLE_ROWS)
                table->rows++;
        return table->rows - 1;
}

void table_cell(struct table *table, size_t column, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 does not see va_start() here
        vsnprintf(table->cells[table->rows - 1][column], TABLE_CELL, format, args);
        va_end(args);
}

static void print_cell(const char *cell, size_t width, bool right, bool last, FILE *to)
{
        int pad = (int)(width - text_columns(cell));

        if (right)
                fprintf(to, "%*s%s", pad, "", cell);
        else
                fprintf(to, "%s%*s", cell, last ? 0 : pad, "");
        fputs(last ? "\n" : "  ", to);
}

void table_print(const struct table *table, FILE *to, bool color)
{
        size_t widths[TABLE_COLUMNS] = {0};

        for (size_t row = 0; row < table->rows; row++)
                for (size_t column = 0; column < table->columns; column++) {
                        size_t width = text_columns(table->cells[row][column]);
                        if (width > widths[column])
                                widths[column] = width;
                }
        for (size_t row = 0; row < table->rows; row++) {
                fputs(color && row == 0 ? "\033[1m" : "", to);
                for (size_t column = 0; column < table->columns; column++)
                        print_cell(table->cells[row][column], widths[column], table->right[column],
                                   column + 1 == table->columns, to);
                fputs(color && row == 0 ? "\033[0m" : "", to);
        }
}
