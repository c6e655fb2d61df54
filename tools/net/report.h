/*
 * How a diagnosis is shown: to people, and as JSON.
 */
#ifndef NET_REPORT_H
#define NET_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "net/conductor.h"

struct net_style {
        bool color, plain, verbose;
        size_t columns; /* 0: lines of any length */
};

/* How standard output is to be written to. */
struct net_style net_style_of(const struct net_options *options);

/* The verdict in a sentence, what proves it, all layers, and what to do. */
void net_report_print(const struct net_result *result, const struct net_style *style, FILE *to);

/* One line: the verdict and the sentence. */
void net_report_line(const struct net_result *result, const struct net_style *style, FILE *to);

/* The facts of one layer, one a line. */
void net_report_view(const struct net_result *result, enum net_view view, const struct net_style *style, FILE *to);

/* The document of --json, and a newline. Returns 0, -ENOMEM, or -EIO when it cannot be written. */
int net_report_json(const struct net_result *result, FILE *to);

#endif
