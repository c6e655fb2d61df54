/* Loading libcurl. */
#define PL_HTTP_LIBCURL_TABLE /* here the names are the functions' own */
#include "http/libcurl.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "plat/panic.h"

/* The library's interface since 2006. What it is linked to, OpenSSL, is found through it. */
#define LIBRARY "libcurl.so.4"

struct pl_http_libcurl pl_http_libcurl;

static const struct {
        const char *name;
        size_t offset;
} functions[] = {
#define FUNCTION(name) {#name, offsetof(struct pl_http_libcurl, name)},
        PL_HTTP_LIBCURL_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

static _Atomic bool loaded;

static int load(void)
{
        void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL); /* never closed: it has thread-local data */

        for (size_t i = 0; library && i < sizeof functions / sizeof *functions; i++) {
                void *address = dlsym(library, functions[i].name);

                if (!address)
                        library = NULL;
                memcpy((char *)&pl_http_libcurl + functions[i].offset, &address, sizeof address);
        }
        if (!library) {
                pl_warn("HTTP needs " LIBRARY " with OpenSSL (Debian's libcurl4), which cannot be loaded: %s",
                        dlerror());
                return -ELIBACC;
        }
        return pl_http_libcurl.curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -ENOMEM;
}

int pl_http_libcurl_load(void)
{
        static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        int saved = errno;
        int r = 0;

        if (atomic_load_explicit(&loaded, memory_order_acquire))
                return 0;
        pthread_mutex_lock(&mutex);
        if (!loaded)
                r = load();
        if (r == 0)
                atomic_store_explicit(&loaded, true, memory_order_release);
        pthread_mutex_unlock(&mutex);
        errno = saved;
        return r;
}
