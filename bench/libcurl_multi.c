/*
 * What `fetch` is measured against: the same work by one thread and a bare loop over libcurl's multi interface, an easy
 * handle per connection. With FOLDER each body becomes a file there, written in the simplest way, which is what
 * `plait fetch` is measured against.
 * usage: libcurl_multi PORT N CONNS [FOLDER]
 */
#include <curl/curl.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static unsigned long port;
static unsigned long n;
static unsigned long next;
static uint64_t bytes;
static int folder = -1;

/* A connection's handle, and the file that it fills. */
struct transfer {
        CURL *easy;
        int file;
};

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t take(char *data, size_t size, size_t count, void *arg)
{
        const struct transfer *transfer = arg;

        bytes += size * count;
        if (folder >= 0 && write(transfer->file, data, size * count) != (ssize_t)(size * count))
                return 0;
        return size * count;
}

static int open_file(void)
{
        char name[32];

        snprintf(name, sizeof name, "%lu", next);
        return openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

static int start_next(CURLM *multi, struct transfer *transfer)
{
        char url[64];

        if (next == n)
                return 0;
        if (folder >= 0 && (transfer->file = open_file()) < 0)
                return -1;
        snprintf(url, sizeof url, "http://127.0.0.1:%lu/%lu", port, next++);
        curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
        curl_multi_add_handle(multi, transfer->easy);
        return 0;
}

/* How many transfers have ended; their handles go on with the next. -1: one has failed. */
static long reap(CURLM *multi)
{
        CURLMsg *message;
        long done = 0;
        int left;

        while ((message = curl_multi_info_read(multi, &left))) {
                CURLcode result = message->data.result;
                CURL *easy = message->easy_handle;
                struct transfer *transfer;

                curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
                curl_multi_remove_handle(multi, easy);
                if (result == CURLE_OK && folder >= 0 && close(transfer->file) < 0)
                        result = CURLE_WRITE_ERROR;
                if (result != CURLE_OK || start_next(multi, transfer) < 0) {
                        fprintf(stderr, "libcurl_multi: %s\n",
                                result ? curl_easy_strerror(result) : "cannot make a file");
                        return -1;
                }
                done++;
        }
        return done;
}

int main(int argc, char **argv)
{
        unsigned long conns;
        unsigned long done = 0;
        double start;
        struct transfer *transfers;
        CURLM *multi;

        if (argc != 4 && argc != 5) {
                fprintf(stderr, "usage: libcurl_multi PORT N CONNS [FOLDER]\n");
                return 2;
        }
        port = strtoul(argv[1], NULL, 10);
        n = strtoul(argv[2], NULL, 10);
        conns = strtoul(argv[3], NULL, 10);
        if (argc == 5) {
                mkdir(argv[4], 0777);
                folder = open(argv[4], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (folder < 0) {
                        perror(argv[4]);
                        return 1;
                }
        }
        transfers = calloc(conns, sizeof *transfers);
        curl_global_init(CURL_GLOBAL_DEFAULT);
        multi = curl_multi_init();
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)conns);
        start = now();
        for (unsigned long i = 0; i < conns; i++) {
                struct transfer *transfer = &transfers[i];

                transfer->easy = curl_easy_init();
                curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, take);
                curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, transfer);
                curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
                if (start_next(multi, transfer) < 0) {
                        perror("libcurl_multi: cannot make a file");
                        return 1;
                }
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
