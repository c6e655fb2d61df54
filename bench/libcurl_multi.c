/*
 * What `fetch` is measured against: the same work by one thread and a bare loop over libcurl's multi interface, an easy
 * handle per connection.
 * usage: libcurl_multi PORT N CONNS
 */
#include <curl/curl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static unsigned long port;
static unsigned long n;
static unsigned long next;
static uint64_t bytes;

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t take(char *data, size_t size, size_t count, void *arg)
{
        (void)data, (void)arg;
        bytes += size * count;
        return size * count;
}

static void start_next(CURLM *multi, CURL *easy)
{
        char url[64];

        if (next == n)
                return;
        snprintf(url, sizeof url, "http://127.0.0.1:%lu/%lu", port, next++);
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_multi_add_handle(multi, easy);
}

/* How many transfers have ended; their handles go on with the next. -1: one has failed. */
static long reap(CURLM *multi)
{
        CURLMsg *message;
        long done = 0;
        int left;

        while ((message = curl_multi_info_read(multi, &left))) {
                CURL *easy = message->easy_handle;

                if (message->data.result != CURLE_OK) {
                        fprintf(stderr, "libcurl_multi: %s\n", curl_easy_strerror(message->data.result));
                        return -1;
                }
                curl_multi_remove_handle(multi, easy);
                start_next(multi, easy);
                done++;
        }
        return done;
}

int main(int argc, char **argv)
{
        unsigned long conns;
        unsigned long done = 0;
        double start;
        CURLM *multi;

        if (argc != 4) {
                fprintf(stderr, "usage: libcurl_multi PORT N CONNS\n");
                return 2;
        }
        port = strtoul(argv[1], NULL, 10);
        n = strtoul(argv[2], NULL, 10);
        conns = strtoul(argv[3], NULL, 10);
        curl_global_init(CURL_GLOBAL_DEFAULT);
        multi = curl_multi_init();
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)conns);
        start = now();
        for (unsigned long i = 0; i < conns; i++) {
                CURL *easy = curl_easy_init();

                curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
                start_next(multi, easy);
        }
        while (done < n) {
                int running;
                long some;

                curl_multi_perform(multi, &running);
                some = reap(multi);
                if (some < 0)
                        return 1;
                done += (unsigned long)some;
                if (done < n)
                        curl_multi_poll(multi, NULL, 0, 1000, NULL);
        }
        printf("{\"ops\": %lu, \"seconds\": %.9f, \"check\": %" PRIu64 "}\n", n, now() - start, bytes);
        return 0; /* the handles go with the process */
}
