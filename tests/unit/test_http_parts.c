/* The parts of src/http that need no network: heads of answers, origins of URLs, decoders fed byte by byte. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "harness/test.h"
#include "http/decode.h"
#include "http/head.h"
#include "http/libcurl.h"
#include "http/origin.h"

static int feed(struct pl_http_head *head, const char *line)
{
        return pl_http_head_line(head, line, strlen(line));
}

TEST(a_head_is_read_line_by_line)
{
        struct pl_http_head head = {0};

        CHECK_INT(feed(&head, "HTTP/1.1 103 Early\r\n"), ==, 0);
        CHECK_INT(feed(&head, "X-Early: 1\r\n"), ==, 0);
        CHECK_INT(feed(&head, "\r\n"), ==, 0);
        CHECK_INT(feed(&head, "HTTP/2 200 \r\n"), ==, 0);
        CHECK(!head.ended);
        CHECK_INT(feed(&head, "content-length:  12 \r\n"), ==, 0);
        CHECK_INT(feed(&head, "Content-Encoding: GZIP\r\n"), ==, 0);
        CHECK_INT(feed(&head, "Empty:\n"), ==, 0);
        CHECK_INT(feed(&head, "\n"), ==, 0);
        CHECK(head.ended && head.has_length && !head.chunked && !head.bad_length);
        CHECK_INT(head.version, ==, 20);
        CHECK_UINT(head.length, ==, 12);
        CHECK_INT(head.coding, ==, PL_HTTP_GZIP);
        CHECK_STR(pl_http_head_find(&head, "EMPTY", 0), "");
        CHECK_STR(pl_http_head_find(&head, "x-early", 0), NULL);
        CHECK_INT(feed(&head, "HTTP/1.1: a trailer, not a status line\r\n"), ==, 0);
        CHECK_INT(head.status, ==, 200);
        pl_http_head_done(&head);
}

TEST(bad_heads_are_noticed)
{
        static const char *const lengths[] = {"", "-1", "1x", "99999999999999999999", "0x10"};
        struct pl_http_head head = {0};

        CHECK_INT(feed(&head, "Server: x\r\n"), ==, -EPROTO);
        CHECK_INT(feed(&head, "HTTP/1.1 20\r\n"), ==, -EPROTO);
        CHECK_INT(feed(&head, "HTTP/\r\n"), ==, -EPROTO);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
                char line[64];

                pl_http_head_reset(&head);
                snprintf(line, sizeof line, "Content-Length: %s\r\n", lengths[i]);
                CHECK_INT(feed(&head, "HTTP/1.1 200 OK\r\n"), ==, 0);
                CHECK_INT(feed(&head, line), ==, 0);
                CHECK(head.bad_length);
        }
        pl_http_head_done(&head);
}

TEST(urls_lead_to_origins)
{
        static const struct {
                const char *url;
                const char *host;
                unsigned port;
                bool tls;
                bool literal;
        } good[] = {
                {"http://host", "host", 80, false, false},
                {"https://host/path", "host", 443, true, false},
                {"HTTP://HOST:8080?q", "host", 8080, false, false},
                {"http://user:secret@host:81/", "host", 81, false, false},
                {"http://127.0.0.1:9#f", "127.0.0.1", 9, false, true},
                {"http://2130706433/", "127.0.0.1", 80, false, true},
                {"https://[::1]:444/", "[::1]", 444, true, true},
        };
        struct pl_http_origin origin;
        const char *why = NULL;

        CHECK_OK(pl_http_libcurl_load());
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
                CHECK_INT(pl_http_origin_parse(&origin, good[i].url, &why), ==, 0);
                CHECK_STR(origin.host, good[i].host);
                CHECK_UINT(origin.port, ==, good[i].port);
                CHECK_INT(origin.tls, ==, good[i].tls);
                CHECK_INT(origin.literal, ==, good[i].literal);
        }
        CHECK_INT(pl_http_origin_parse(&origin, "http://host:0x50/", &why), ==, -EINVAL);
        CHECK(why);
}

static int gather(void *arg, const void *data, size_t bytes)
{
        size_t *total = arg;

        for (size_t i = 0; i < bytes; i++)
                CHECK_INT(((const char *)data)[i], ==, 'a' + (char)((*total + i) % 26));
        *total += bytes;
        return 0;
}

TEST(a_decoder_knows_each_place_that_is_not_the_end)
{
        unsigned char text[3000];
        unsigned char packed[4000];
        z_stream z = {0};
        size_t n;

        for (size_t i = 0; i < sizeof text; i++)
                text[i] = (unsigned char)('a' + i % 26);
        CHECK_INT(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), ==, Z_OK);
        z.next_in = text;
        z.avail_in = sizeof text;
        z.next_out = packed;
        z.avail_out = sizeof packed;
        CHECK_INT(deflate(&z, Z_FINISH), ==, Z_STREAM_END);
        n = z.total_out;
        deflateEnd(&z);
        for (size_t cut = 0; cut <= n; cut++) {
                struct pl_http_decoder *decoder;
                size_t total = 0;

                CHECK_INT(pl_http_decoder_new(&decoder, PL_HTTP_GZIP), ==, 0);
                for (size_t i = 0; i < cut; i++)
                        CHECK_INT(pl_http_decoder_feed(decoder, packed + i, 1, gather, &total), ==, 0);
                CHECK_INT(pl_http_decoder_ended(decoder), ==, cut == 0 || cut == n);
                CHECK(cut < n || total == sizeof text);
                pl_http_decoder_free(decoder);
        }
}
