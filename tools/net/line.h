/*
 * Text of unknown origin, taken apart into lines and words. Nothing needs to be terminated.
 */
#ifndef NET_LINE_H
#define NET_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct net_text {
        const char *at;
        size_t left;
};

struct net_line {
        const char *at;
        size_t left;
};

/* Takes the next line off, without its end. */
bool net_line_next(struct net_text *text, struct net_line *ret);

/* Takes the next word off the line; what does not fit *size* is cut. False when there is none. */
bool net_line_word(struct net_line *line, char *word, size_t size);

/* Splits "KEY=VALUE", blanks around both taken away and quotes around the value, too. */
bool net_line_pair(struct net_line line, char *key, size_t key_size, char *value, size_t value_size);

#endif
