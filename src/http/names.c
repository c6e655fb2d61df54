/*
 * Names of hosts; see names.h.
 *
 * *lock* guards the table and what is in it. A name that is being resolved has its *resolving* locked, by a task that
 * holds a reference, as do those who wait for it.
 */
#include "http/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/driver.h"
#include "http/exchange.h"
#include "plait/mutex.h"
#include "plait/name.h"
#include "plait/time.h"
#include "plat/lock.h"
#include "sched/wait.h"

#define S_NS INT64_C(1000000000)

/* libcurl forgets what it was told after a minute. */
#define FOUND_NS (50 * S_NS)
#define NOT_FOUND_NS (2 * S_NS)

enum { BUCKETS = 1024, TEXT_BYTES = 512 };

struct name {
        struct name *same_bucket;
        struct plait_mutex resolving;
        unsigned references;
        uint32_t hash;
        uint16_t port;
        int result; /* of the last look-up */
        int64_t expires_ns;
        uint64_t told;              /* drivers that have been told, a bit each */
        char addresses[TEXT_BYTES]; /* with commas */
        char host[];
};

struct pl_http_names {
        struct pl_lock lock;
        struct name *bucket[BUCKETS];
};

int pl_http_names_new(struct pl_http_names **ret)
{
        *ret = calloc(1, sizeof **ret);
        return *ret ? 0 : -ENOMEM;
}

void pl_http_names_free(struct pl_http_names *names)
{
        for (size_t i = 0; names && i < BUCKETS; i++)
                while (names->bucket[i]) {
                        struct name *name = names->bucket[i];

                        names->bucket[i] = name->same_bucket;
                        free(name);
                }
        free(names);
}

/* Those in one bucket that nobody uses and that are out of date. */
static void sweep(struct name **place, int64_t now)
{
        while (*place) {
                struct name *name = *place;

                if (!name->references && name->expires_ns <= now) {
                        *place = name->same_bucket;
                        free(name);
                } else {
                        place = &name->same_bucket;
                }
        }
}

static struct name *find(struct pl_http_names *names, const struct pl_http_origin *origin, int64_t now)
{
        struct name **bucket = &names->bucket[origin->hash % BUCKETS];
        struct name *name = *bucket;

        while (name && (name->port != origin->port || strcmp(name->host, origin->host) != 0))
                name = name->same_bucket;
        if (!name) {
                size_t bytes = strlen(origin->host) + 1;

                sweep(bucket, now);
                name = calloc(1, sizeof *name + bytes);
                if (!name)
                        return NULL;
                memcpy(name->host, origin->host, bytes);
                name->hash = origin->hash;
                name->port = origin->port;
                name->same_bucket = *bucket;
                *bucket = name;
        }
        return name;
}

/* "1.2.3.4,[::1]" */
static void write_addresses(char *text, const struct plait_addresses *found)
{
        size_t at = 0;

        for (size_t i = 0; i < found->count; i++) {
                char one[PLAIT_ADDRESS_TEXT];
                size_t bytes = strlen(plait_address_text(&found->at[i], one, sizeof one));

                while (bytes && one[bytes - 1] != ':') /* without the port */
                        bytes--;
                if (bytes < 2 || at + bytes >= TEXT_BYTES || memchr(one, '%', bytes))
                        continue;
                memcpy(text + at, one, bytes - 1);
                text[at + bytes - 1] = ',';
                at += bytes;
        }
        text[at ? at - 1 : 0] = '\0';
}

/* Look *name* up; the caller has its *resolving*. */
static int look_up(struct pl_http_names *names, struct name *name, int64_t deadline_ns)
{
        struct plait_addresses *found = NULL;
        char service[8];
        char text[TEXT_BYTES] = "";
        int r;

        snprintf(service, sizeof service, "%u", name->port);
        r = plait_resolve(name->host, service, deadline_ns, &found);
        if (r == -ECANCELED || r == -ETIMEDOUT)
                return r; /* says nothing about the name */
        if (r >= 0)
                write_addresses(text, found);
        plait_addresses_free(found);
        pl_lock_acquire(&names->lock);
        name->result = r;
        name->expires_ns = plait_now_ns() + (r >= 0 ? FOUND_NS : NOT_FOUND_NS);
        name->told = 0;
        memcpy(name->addresses, text, sizeof text);
        pl_lock_release(&names->lock);
        return r;
}

static bool is_fresh(struct pl_http_names *names, const struct name *name)
{
        bool fresh;

        pl_lock_acquire(&names->lock);
        fresh = name->expires_ns > plait_now_ns();
        pl_lock_release(&names->lock);
        return fresh;
}

static int look_up_once(struct pl_http_names *names, struct name *name, int64_t deadline_ns)
{
        int r = plait_mutex_lock(&name->resolving, deadline_ns);

        if (r < 0)
                return r;
        r = is_fresh(names, name) ? 0 : look_up(names, name, deadline_ns);
        plait_mutex_unlock(&name->resolving);
        return r == -ECANCELED || r == -ETIMEDOUT ? r : 0;
}

static int explain(const struct pl_http_ask *ask, struct plait_response *response, int r, int64_t deadline_ns)
{
        const char *host = ask->origin->host;

        switch (r) {
        case -ECANCELED: return pl_http_fail(response, PLAIT_HTTP_CANCELED, r, "the request to %s was cancelled", host);
        case -ETIMEDOUT:
                if (plait_now_ns() < deadline_ns)
                        return pl_http_fail(response, PLAIT_HTTP_DEADLINE, r,
                                            "the request to %s was not done when its task's deadline came", host);
                return pl_http_fail(
                        response, PLAIT_HTTP_CONNECT_TIMEOUT, r,
                        "cannot connect to %s: its name was not resolved in time. Does the name server answer?", host);
        case -ENOENT:
        case -EINVAL:
                return pl_http_fail(response, PLAIT_HTTP_NAME_NOT_FOUND, -ENOENT,
                                    "there is no host %s: its name was not found. Is it spelt right?", host);
        case -ENOMEM: return pl_http_fail(response, PLAIT_HTTP_NO_MEMORY, r, "out of memory");
        default:
                return pl_http_fail(response, PLAIT_HTTP_NAME_FAILED, -EAGAIN,
                                    "the name %s could not be resolved: the name servers gave no answer. Try again.",
                                    host);
        }
}

/* "+": to be forgotten in time, as if libcurl had looked it up itself. */
static int make_list(struct curl_slist **ret, const struct name *name)
{
        char text[TEXT_BYTES + 300];

        snprintf(text, sizeof text, "+%s:%u:%s", name->host, name->port, name->addresses);
        *ret = curl_slist_append(NULL, text);
        return *ret ? 0 : -ENOMEM;
}

/* Names that mean more to libcurl than to the resolver, or are no look-up at all. */
static bool for_libcurl(const struct pl_http_origin *origin)
{
        size_t bytes = strlen(origin->host);

        if (origin->literal || !bytes || origin->host[bytes - 1] == '.' || strcmp(origin->host, "localhost") == 0)
                return true;
        if (bytes > 10 && strcmp(origin->host + bytes - 10, ".localhost") == 0)
                return true;
        for (const char *c = origin->host; *c; c++)
                if ((unsigned char)*c >= 0x80 || *c == '%')
                        return true;
        return false;
}

int pl_http_names_for(struct curl_slist **ret, struct pl_http_driver *driver, const struct pl_http_ask *ask,
                      struct plait_response *response)
{
        struct pl_http_names *names = driver->names;
        uint64_t me = driver->index < 64 ? UINT64_C(1) << driver->index : 0;
        int64_t deadline_ns = plait_in_ns(ask->connect_ns);
        struct name *name;
        int r = 0;

        *ret = NULL;
        if (for_libcurl(ask->origin))
                return 0;
        if (deadline_ns > ask->deadline_ns)
                deadline_ns = ask->deadline_ns;
        pl_lock_acquire(&names->lock);
        name = find(names, ask->origin, plait_now_ns());
        if (name)
                name->references++;
        pl_lock_release(&names->lock);
        if (!name)
                return explain(ask, response, -ENOMEM, deadline_ns);
        if (!is_fresh(names, name))
                r = look_up_once(names, name, deadline_ns);
        pl_lock_acquire(&names->lock);
        if (r >= 0)
                r = name->result;
        if (r >= 0 && *name->addresses && !(name->told & me)) {
                r = make_list(ret, name);
                name->told |= me;
        }
        name->references--;
        pl_lock_release(&names->lock);
        return r < 0 ? explain(ask, response, r, deadline_ns) : 0;
}
