/*
 * The demonstration's site, by libmicrohttpd. One thread serves all connections; a request's connection is suspended
 * at once, and resumed by a second thread when its time has come. All wait equally long, so they wait in a queue.
 */
#include "demo/site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

#include <plait/time.h>

#include "command.h"
#include "demo/page.h"

#define CONNECTIONS_MAX 4096

/* A request that waits for its time. Its address is what libmicrohttpd remembers with the connection. */
struct request {
        struct request *next;
        struct MHD_Connection *connection;
        int64_t due_ns;
        bool waited;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the queue */
static pthread_cond_t some = PTHREAD_COND_INITIALIZER;
static struct request *first;
static struct request **end = &first;
static bool over;

static void sleep_until(int64_t when_ns)
{
        struct timespec when = {.tv_sec = when_ns / 1000000000, .tv_nsec = when_ns % 1000000000};

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR) {}
}

static void *resume_when_due(void *arg)
{
        (void)arg;
        pthread_mutex_lock(&lock);
        for (;;) {
                while (!first && !over)
                        pthread_cond_wait(&some, &lock);
                struct request *request = first;
                if (!request)
                        break;
                first = request->next;
                if (!first)
                        end = &first;
                pthread_mutex_unlock(&lock);
                sleep_until(request->due_ns);
                request->waited = true;
                MHD_resume_connection(request->connection);
                pthread_mutex_lock(&lock);
        }
        pthread_mutex_unlock(&lock);
        return NULL;
}

static void wait_for_turn(struct MHD_Connection *connection, struct request *request)
{
        request->connection = connection;
        request->due_ns = plait_in_ms(LATENCY_MS);
        MHD_suspend_connection(connection);
        pthread_mutex_lock(&lock);
        *end = request;
        end = &request->next;
        pthread_cond_signal(&some);
        pthread_mutex_unlock(&lock);
}

static enum MHD_Result answer(struct MHD_Connection *connection, const char *url)
{
        char text[PAGE_BYTES];
        char *rest = NULL;
        unsigned long number = *url == '/' ? strtoul(url + 1, &rest, 10) : PAGES;
        unsigned status = rest && rest > url + 1 && !*rest && number < PAGES ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND;

        if (status == MHD_HTTP_OK)
                page_write((unsigned)number, text);
        struct MHD_Response *response = MHD_create_response_from_buffer(status == MHD_HTTP_OK ? PAGE_BYTES : 0, text,
                                                                        MHD_RESPMEM_MUST_COPY);
        if (!response)
                return MHD_NO;
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
        enum MHD_Result result = MHD_queue_response(connection, status, response);
        MHD_destroy_response(response);
        return result;
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *body, size_t *body_bytes, void **state)
{
        struct request *request = *state;

        (void)arg;
        (void)method;
        (void)version;
        (void)body;
        (void)body_bytes;
        if (!request) { /* the headers are there */
                request = calloc(1, sizeof *request);
                *state = request;
                return request ? MHD_YES : MHD_NO;
        }
        if (!request->waited) {
                wait_for_turn(connection, request);
                return MHD_YES;
        }
        return answer(connection, url);
}

static void completed(void *arg, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
        (void)arg;
        (void)connection;
        (void)code;
        free(*state);
        *state = NULL;
}

static struct MHD_Daemon *start(void)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

        return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, NULL,
                                MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
                                MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_LISTEN_BACKLOG_SIZE,
                                (unsigned)CONNECTIONS_MAX, MHD_OPTION_END);
}

int site_serve(void)
{
        pthread_t thread;
        char unused[64];

        if (pthread_create(&thread, NULL, resume_when_due, NULL) != 0)
                return EXIT_FAILED;
        struct MHD_Daemon *daemon = start();
        if (!daemon) {
                fputs("plait demo: the site could not be started\n", stderr);
                return EXIT_FAILED;
        }
        printf("%u\n", (unsigned)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
        fflush(stdout);
        while (read(STDIN_FILENO, unused, sizeof unused) > 0) {}
        pthread_mutex_lock(&lock);
        over = true;
        pthread_cond_signal(&some);
        pthread_mutex_unlock(&lock);
        pthread_join(thread, NULL);
        MHD_stop_daemon(daemon);
        return EXIT_OK;
}
