/* A worker process, from the inside. */
#ifndef PL_POOL_WORKER_H
#define PL_POOL_WORKER_H

#include <stdint.h>

#include "base/attributes.h"
#include "pool/server.h"
#include "pool/share.h"

/* What the process is. Descriptors as in enum pl_server_fd; they are closed. */
PL_NORETURN void pl_worker_main(const int fds[PL_SERVER_FDS], uint32_t index);

/* Have crashes written to *crash*: what was done with such signals before is done afterwards. 0 or -errno. */
PL_WARN_UNUSED int pl_crash_catch(struct pl_crash *crash);

#endif
