/**
 * @file plait/name.h
 * Addresses, and the names that stand for them.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 * #include <stdio.h>
 * #include <string.h>
 *
 * static int app(void *arg)
 * {
 *         struct plait_addresses *found;
 *         char text[PLAIT_ADDRESS_TEXT];
 *
 *         (void)arg;
 *         int r = plait_resolve("127.0.0.1", "80", plait_in_s(5), &found);
 *         if (r < 0)
 *                 return r;
 *         for (size_t i = 0; i < found->count; i++)
 *                 printf("%s\n", plait_address_text(&found->at[i], text, sizeof text));
 *         assert(found->count == 1 && strcmp(text, "127.0.0.1:80") == 0);
 *         plait_addresses_free(found);
 *         return 0;
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL);
 * }
 * @endcode
 */
#ifndef PLAIT_NAME_H
#define PLAIT_NAME_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** An address of any family. */
struct plait_address {
        socklen_t length; /**< bytes of *as* that count; 0: none */
        union {
                struct sockaddr any;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
                struct sockaddr_un un;
                struct sockaddr_storage storage;
        } as; /**< the address, by as.any.sa_family */
};

/** What a name stands for, in the order in which the addresses are to be tried. */
struct plait_addresses {
        size_t count;              /**< 1 or more */
        struct plait_address at[]; /**< each with the port */
};

/** Bytes that hold the text of any address. */
#define PLAIT_ADDRESS_TEXT 128

/**
 * Find the addresses of a host, as the system's resolver does (files, DNS, whatever it is set up for).
 * @param host         a name, or an address as text, which takes no look-up
 * @param service      a port number, or a name such as "http"
 * @param deadline_ns  see plait/time.h
 * @param ret          the addresses, for TCP or UDP alike; to be freed with plait_addresses_free()
 * @return 0, or
 *   - -ENOENT     the name does not exist, or has no address
 *   - -EAGAIN     the name servers did not answer, or no thread can be had to ask them: try again later
 *   - -EIO        the name servers answered that they cannot answer
 *   - -EINVAL     *host* or *service* is NULL, empty or malformed, or there is no such service
 *   - -ETIMEDOUT, -ECANCELED  it is given up; a look-up that has begun goes on unheard in its thread
 *   - -ENOMEM     no memory
 *
 * Look-ups are made by up to 16 threads; further ones wait for one of them.
 *
 * Threads: any. Suspends: may. Cancellation: ends the wait. Since: 0.1.
 */
PLAIT_API int plait_resolve(const char *host, const char *service, int64_t deadline_ns, struct plait_addresses **ret);

/**
 * Free what plait_resolve() found.
 * @param addresses  NULL does nothing
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_addresses_free(struct plait_addresses *addresses);

/**
 * An address as text: "127.0.0.1:80", "[::1]:80", "unix:/run/x", "unix:@abstract", "unix:" for one without a name.
 * @param address  of a family above; another gives "unknown address family N"
 * @param buf      room for the text
 * @param bytes    1 or more; PLAIT_ADDRESS_TEXT is always enough
 * @return *buf*, with a text that is cut where it does not fit
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API const char *plait_address_text(const struct plait_address *address, char *buf, size_t bytes);

PLAIT_END_DECLS

#endif
