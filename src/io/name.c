/*
 * Names to addresses, by the system's resolver in a thread of its own kind. A look-up cannot be stopped, so its storage
 * is its own: whoever gives up leaves it to the thread.
 */
#include "plait/name.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "io/address.h"
#include "io/offload.h"
#include "sched/runtime.h"

struct lookup {
        struct pl_io_job job;
        struct plait_addresses *found;
        int result;
        char *service; /* after the host's NUL */
        char host[];
};

static int error_of(int r)
{
        switch (r) {
        case EAI_NONAME:
        case EAI_NODATA:
        case EAI_ADDRFAMILY: return -ENOENT;
        case EAI_AGAIN: return -EAGAIN;
        case EAI_MEMORY: return -ENOMEM;
        case EAI_SERVICE: return -EINVAL;
        case EAI_SYSTEM: return errno ? -errno : -EIO;
        default: return -EIO;
        }
}

static int copy(const struct addrinfo *list, struct plait_addresses **ret)
{
        struct plait_addresses *found;
        size_t count = 0;

        for (const struct addrinfo *each = list; each; each = each->ai_next)
                count++;
        if (count == 0)
                return -ENOENT;
        found = calloc(1, sizeof *found + count * sizeof found->at[0]);
        if (!found)
                return -ENOMEM;
        for (const struct addrinfo *each = list; each; each = each->ai_next) {
                struct plait_address *address = &found->at[found->count];

                if (each->ai_addrlen > sizeof address->as)
                        continue;
                memcpy(&address->as, each->ai_addr, each->ai_addrlen);
                address->length = each->ai_addrlen;
                found->count++;
        }
        *ret = found;
        return 0;
}

/* Blocks. */
static void look_up(struct pl_io_job *job)
{
        struct lookup *self = PL_CONTAINER_OF(job, struct lookup, job);
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
        struct addrinfo *list = NULL;
        int saved = errno;

        errno = 0;

        int r = getaddrinfo(self->host, self->service, &hints, &list);

        self->result = r ? error_of(r) : copy(list, &self->found);
        if (list)
                freeaddrinfo(list);
        errno = saved;
}

static void release(struct pl_io_job *job)
{
        struct lookup *self = PL_CONTAINER_OF(job, struct lookup, job);

        free(self->found);
        free(self);
}

static struct lookup *lookup_new(const char *host, const char *service)
{
        size_t host_bytes = strlen(host) + 1, service_bytes = strlen(service) + 1;
        struct lookup *self = calloc(1, sizeof *self + host_bytes + service_bytes);

        if (!self)
                return NULL;
        self->job.run = look_up;
        self->job.release = release;
        self->service = self->host + host_bytes;
        memcpy(self->host, host, host_bytes);
        memcpy(self->service, service, service_bytes);
        return self;
}

static int resolve_literal(const struct plait_address *address, struct plait_addresses **ret)
{
        struct plait_addresses *found = malloc(sizeof *found + sizeof found->at[0]);

        if (!found)
                return -ENOMEM;
        found->count = 1;
        found->at[0] = *address;
        *ret = found;
        return 0;
}

/* The C library takes any number for a port, and cuts it. */
static bool is_no_port(const char *service)
{
        return service[strspn(service, "0123456789")] == '\0' && strtoul(service, NULL, 10) > 65535;
}

int plait_resolve(const char *host, const char *service, int64_t deadline_ns, struct plait_addresses **ret)
{
        struct plait_address literal;
        int r = 0;

        if (!host || !service || !*host || !*service || is_no_port(service))
                return -EINVAL;
        if (pl_io_address_literal(host, service, &literal) == 0)
                return resolve_literal(&literal, ret);

        struct lookup *self = lookup_new(host, service);

        if (!self)
                return -ENOMEM;
        if (pl_sched_in_task())
                r = pl_io_offload(PL_IO_POOL_NAMES, &self->job, deadline_ns);
        else
                look_up(&self->job);
        if (r < 0)
                return r;
        r = self->result;
        if (r == 0) {
                *ret = self->found;
                self->found = NULL;
        }
        release(&self->job);
        return r;
}

void plait_addresses_free(struct plait_addresses *addresses)
{
        free(addresses);
}
