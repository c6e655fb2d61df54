/*
 * Lines and words.
 */
#include "net/line.h"

#include <string.h>

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' || c == 0;
}

bool net_line_next(struct net_text *text, struct net_line *ret)
{
        if (text->left == 0)
                return false;
        const char *end = memchr(text->at, '\n', text->left);
        size_t length = end ? (size_t)(end - text->at) : text->left;
        *ret = (struct net_line){text->at, length};
        length += end ? 1 : 0;
        text->at += length;
        text->left -= length;
        return true;
}

static void copy(const char *from, size_t length, char *to, size_t size)
{
        length = length < size - 1 ? length : size - 1;
        memcpy(to, from, length);
        to[length] = 0;
}

bool net_line_word(struct net_line *line, char *word, size_t size)
{
        size_t length = 0;

        while (line->left > 0 && is_blank(*line->at)) {
                line->at++;
                line->left--;
        }
        while (length < line->left && !is_blank(line->at[length]))
                length++;
        if (length == 0)
                return false;
        copy(line->at, length, word, size);
        line->at += length;
        line->left -= length;
        return true;
}

static struct net_line trim(struct net_line line)
{
        while (line.left > 0 && is_blank(*line.at)) {
                line.at++;
                line.left--;
        }
        while (line.left > 0 && is_blank(line.at[line.left - 1]))
                line.left--;
        return line;
}

bool net_line_pair(struct net_line line, char *key, size_t key_size, char *value, size_t value_size)
{
        const char *sign = line.left > 0 ? memchr(line.at, '=', line.left) : NULL;

        if (!sign)
                return false;
        struct net_line left = trim((struct net_line){line.at, (size_t)(sign - line.at)});
        struct net_line right = trim((struct net_line){sign + 1, (size_t)(line.at + line.left - sign - 1)});
        if (right.left >= 2 && *right.at == '"' && right.at[right.left - 1] == '"')
                right = (struct net_line){right.at + 1, right.left - 2};
        copy(left.at, left.left, key, key_size);
        copy(right.at, right.left, value, value_size);
        return left.left > 0;
}
