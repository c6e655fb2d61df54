/*
 * What the command line of `plait fetch` says.
 */
#ifndef FETCH_OPTIONS_H
#define FETCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
        char **urls;        /* up to a NULL */
        const char *list;   /* -i; NULL: none */
        const char *output; /* -o; NULL: the current folder, without a journal; "-": standard output */
        unsigned parallel, per_host, retries, max_redirects;
        bool tunes, tunes_hosts; /* -j auto, --per-host auto: the former are the most */
        int64_t interval_ns;     /* --rate */
        int64_t timeout_ns, connect_timeout_ns, stall_timeout_ns; /* 0: none */
        const char **headers;                                     /* up to a NULL */
        unsigned header_count;
        const char *user_agent, *ca_file, *proxy;
        bool insecure, http1, http2, raw, accept_unmarked_end;
        bool resume, sync, json, quiet;
};

/* Fills in *options*, or ends the program with a message and exit code 2. */
void options_parse(struct options *options, int argc, char **argv);
void options_done(struct options *options);

#endif
