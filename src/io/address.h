/* The text form of addresses, taken apart. */
#ifndef PL_IO_ADDRESS_H
#define PL_IO_ADDRESS_H

#include <stdbool.h>

#include "base/attributes.h"
#include "plait/name.h"

enum pl_io_transport { PL_IO_TCP, PL_IO_UDP, PL_IO_UNIX };

struct pl_io_address {
        enum pl_io_transport transport;
        char host[256]; /* without brackets; "" or "*": everywhere */
        char service[64];
        struct plait_address unix_address;
};

/* 0 or -EINVAL. */
PL_WARN_UNUSED int pl_io_address_parse(const char *text, struct pl_io_address *ret);

/* An address given as a number: 0; -ENOENT: it is a name, or the service is. */
PL_WARN_UNUSED int pl_io_address_literal(const char *host, const char *service, struct plait_address *ret);

#endif
