/*
 * What was found of limits, for the summary.
 */
#ifndef FETCH_LIMITS_H
#define FETCH_LIMITS_H

#include <stdio.h>

#include <plait/tuner.h>

#include "fetch/url.h"
#include "term/json.h"

#define LIMITS_MOST 64 /* hosts that are told of, those that did most */

/* Of a host, or of all together. */
struct limit {
        char name[URL_HOST_SIZE];
        struct plait_tuner_view view;
        struct plait_advice advice;
        bool advised; /* there is advice */
};

struct limits {
        struct limit of[LIMITS_MOST];
        size_t count; /* the one that did most comes first */
        size_t hosts; /* how many there were */
};

/* Takes in what a tuner has found. */
void limits_add(struct limits *limits, const char *name, struct plait_tuner *tuner);

void limits_text(const struct limits *limits, FILE *to);
void limits_json(const struct limits *limits, struct json *out); /* "limits": [...], a member */

#endif
