/* The answer to a request: its storage, and what can be asked of it. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "http/record.h"

int pl_http_record_begin(struct plait_response *response)
{
        struct pl_http_record *record = response->pl_record;

        response->pl_record = NULL;
        free(response->body);
        *response = (struct plait_response)PLAIT_RESPONSE_INIT;
        if (!record)
                record = calloc(1, sizeof *record);
        if (!record) {
                response->problem = PLAIT_HTTP_NO_MEMORY;
                response->message = "out of memory";
                return -ENOMEM;
        }
        pl_http_head_reset(&record->head);
        free(record->message);
        record->message = NULL;
        response->pl_record = record;
        return 0;
}

int pl_http_record_url(struct plait_response *response, const char *url)
{
        struct pl_http_record *record = response->pl_record;
        size_t bytes = strlen(url) + 1;

        if (bytes > record->url_capacity) {
                char *copy = malloc(bytes);

                if (!copy)
                        return -ENOMEM;
                free(record->url);
                record->url = copy;
                record->url_capacity = bytes;
        }
        memcpy(record->url, url, bytes);
        response->url = record->url;
        return 0;
}

int pl_http_fail(struct plait_response *response, enum plait_http_problem problem, int code, const char *format, ...)
{
        struct pl_http_record *record = response->pl_record;
        char text[1024];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        for (char *c = text; *c; c++) /* what a server said may be in it */
                if ((unsigned char)*c < ' ' || *c == 0x7f)
                        *c = ' ';
        response->problem = problem;
        free(record->message);
        record->message = strdup(text);
        response->message = record->message ? record->message : "out of memory for the message";
        return code;
}

void pl_http_forgive(struct plait_response *response)
{
        response->problem = PLAIT_HTTP_OK;
        response->message = "";
}

const char *plait_response_header(const struct plait_response *response, const char *name, unsigned index)
{
        return response->pl_record ? pl_http_head_find(&response->pl_record->head, name, index) : NULL;
}

int plait_response_header_at(const struct plait_response *response, unsigned index, const char **ret_name,
                             const char **ret_value)
{
        if (!response->pl_record || !pl_http_head_at(&response->pl_record->head, index, ret_name, ret_value))
                return -ENOENT;
        return 0;
}

char *plait_response_take_body(struct plait_response *response)
{
        char *body = response->body;

        response->body = NULL;
        return body;
}

void plait_response_done(struct plait_response *response)
{
        struct pl_http_record *record = response->pl_record;

        if (record) {
                pl_http_head_done(&record->head);
                free(record->message);
                free(record->url);
                free(record);
        }
        free(response->body);
        *response = (struct plait_response)PLAIT_RESPONSE_INIT;
}

const char *plait_http_problem_name(enum plait_http_problem problem)
{
        static const char *const names[] = {
                [PLAIT_HTTP_OK] = "ok",
                [PLAIT_HTTP_MISUSE] = "misuse",
                [PLAIT_HTTP_BAD_URL] = "bad-url",
                [PLAIT_HTTP_NAME_NOT_FOUND] = "name-not-found",
                [PLAIT_HTTP_NAME_FAILED] = "name-failed",
                [PLAIT_HTTP_REFUSED] = "refused",
                [PLAIT_HTTP_UNREACHABLE] = "unreachable",
                [PLAIT_HTTP_RESET] = "reset",
                [PLAIT_HTTP_CONNECT_TIMEOUT] = "connect-timeout",
                [PLAIT_HTTP_FIRST_BYTE_TIMEOUT] = "first-byte-timeout",
                [PLAIT_HTTP_STALL_TIMEOUT] = "stall-timeout",
                [PLAIT_HTTP_TOTAL_TIMEOUT] = "total-timeout",
                [PLAIT_HTTP_DEADLINE] = "deadline",
                [PLAIT_HTTP_CANCELED] = "canceled",
                [PLAIT_HTTP_TLS] = "tls",
                [PLAIT_HTTP_CERTIFICATE] = "certificate",
                [PLAIT_HTTP_CERTIFICATE_NAME] = "certificate-name",
                [PLAIT_HTTP_CERTIFICATE_DATE] = "certificate-date",
                [PLAIT_HTTP_REDIRECTS] = "redirects",
                [PLAIT_HTTP_TRUNCATED] = "truncated",
                [PLAIT_HTTP_ENCODING] = "encoding",
                [PLAIT_HTTP_TOO_LARGE] = "too-large",
                [PLAIT_HTTP_PROTOCOL] = "protocol",
                [PLAIT_HTTP_PROXY] = "proxy",
                [PLAIT_HTTP_SINK] = "sink",
                [PLAIT_HTTP_NO_MEMORY] = "no-memory",
                [PLAIT_HTTP_OTHER] = "other",
        };

        if ((unsigned)problem >= PL_ARRAY_SIZE(names))
                return "unknown";
        return names[problem];
}
