/*
 * How answers are delayed while the line is busy: uploads to the target and downloads from it at the same time, and a
 * series of small packets beside them.
 */
#ifndef NET_LOAD_H
#define NET_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "net/series.h"

struct net_load_opts {
        uint16_t port;
        bool tls, http; /* without http, bytes are sent as long as they are taken */
        const char *host, *path, *authority;
};

struct net_load {
        struct net_series_stats idle, loaded;
        bool was_loaded;
        uint64_t bytes; /* sent and received */
        double seconds;
};

/* Some four seconds. 0; as net_series_run(); -ENODATA when nothing answers. */
int net_load_measure(const struct net_ip *target, const struct net_load_opts *opts, struct net_load *ret);

#endif
