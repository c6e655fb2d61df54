/*
 * The measuring parts of `plait net`: what they make of foreign bytes, and what they find on the loopback interface.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/errqueue.h>

#include <plait/plait.h>

#include "harness/task.h"
#include "harness/test.h"
#include "net/echo.h"
#include "net/exchange.h"
#include "net/http1.h"
#include "net/icmp.h"
#include "net/ladder.h"
#include "net/path.h"
#include "net/series.h"
#include "net/sntp.h"
#include "net/stream.h"
#include "net/tcp.h"

static struct net_ip ip_of(const char *text)
{
        struct net_ip ip = {0};

        CHECK(net_ip_parse(text, &ip));
        return ip;
}

/* ICMP. */

TEST(icmp_checksum_is_that_of_rfc_1071)
{
        static const uint8_t even[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
        static const uint8_t odd[] = {0x01, 0x02, 0x03};

        CHECK_INT(net_icmp_checksum(even, sizeof even), ==, (uint16_t)~0xddf2);
        CHECK_INT(net_icmp_checksum(odd, sizeof odd), ==, (uint16_t) ~(0x0102 + 0x0300));
}

TEST(icmp_echo_that_was_written_is_understood)
{
        uint8_t buf[64];
        struct net_icmp_echo echo;

        for (int is_v6 = 0; is_v6 < 2; is_v6++) {
                size_t bytes = net_icmp_echo_write(buf, is_v6, 0xbeef, 77, 16);

                CHECK_UINT(bytes, ==, 24);
                CHECK_INT(net_icmp_echo_parse(buf, bytes, is_v6, &echo), ==, 0);
                CHECK(!echo.is_reply);
                CHECK_INT(echo.id, ==, 0xbeef);
                CHECK_INT(echo.seq, ==, 77);
                CHECK_UINT(echo.payload_bytes, ==, 16);
                CHECK_INT(net_icmp_echo_parse(buf, bytes, !is_v6, &echo), ==, -EBADMSG);
                for (size_t cut = 0; cut < NET_ICMP_HEADER; cut++)
                        CHECK_INT(net_icmp_echo_parse(buf, cut, is_v6, &echo), ==, -EBADMSG);
        }
        CHECK_INT(net_icmp_checksum(buf, net_icmp_echo_write(buf, false, 1, 2, 9)), ==, 0);
}

TEST(icmp_ipv4_header_is_skipped_only_when_it_is_whole)
{
        uint8_t packet[64] = {0x46};

        CHECK_INT(net_icmp_skip_ipv4(packet, 64), ==, 24);
        CHECK_INT(net_icmp_skip_ipv4(packet, 23), ==, -EBADMSG);
        packet[0] = 0x44;
        CHECK_INT(net_icmp_skip_ipv4(packet, 64), ==, -EBADMSG);
        packet[0] = 0x65;
        CHECK_INT(net_icmp_skip_ipv4(packet, 64), ==, -EBADMSG);
}

static struct net_icmp_error icmp(bool is_v6, uint8_t type, uint8_t code, const char *offender)
{
        struct net_icmp_error error = {.is_v6 = is_v6, .type = type, .code = code};

        error.offender = ip_of(offender);
        return error;
}

TEST(icmp_errors_mean_the_same_in_both_families)
{
        struct net_icmp_error port4 = icmp(false, 3, 3, "192.0.2.1");
        struct net_icmp_error port6 = icmp(true, 1, 4, "2001:db8::1");
        struct net_icmp_error admin4 = icmp(false, 3, 13, "192.0.2.1");
        struct net_icmp_error admin6 = icmp(true, 1, 1, "2001:db8::1");
        struct net_icmp_error big4 = icmp(false, 3, 4, "192.0.2.1");
        struct net_icmp_error big6 = icmp(true, 2, 0, "2001:db8::1");
        struct net_icmp_error ttl4 = icmp(false, 11, 0, "192.0.2.1");
        struct net_icmp_error ttl6 = icmp(true, 3, 0, "2001:db8::1");

        CHECK_INT(net_icmp_error_meaning(&port4), ==, NET_ICMP_PORT_UNREACHABLE);
        CHECK_INT(net_icmp_error_meaning(&port6), ==, NET_ICMP_PORT_UNREACHABLE);
        CHECK_INT(net_icmp_error_meaning(&admin4), ==, NET_ICMP_PROHIBITED);
        CHECK_INT(net_icmp_error_meaning(&admin6), ==, NET_ICMP_PROHIBITED);
        CHECK_INT(net_icmp_error_meaning(&big4), ==, NET_ICMP_TOO_BIG);
        CHECK_INT(net_icmp_error_meaning(&big6), ==, NET_ICMP_TOO_BIG);
        CHECK_INT(net_icmp_error_meaning(&ttl4), ==, NET_ICMP_TTL_EXCEEDED);
        CHECK_INT(net_icmp_error_meaning(&ttl6), ==, NET_ICMP_TTL_EXCEEDED);
}

/* An error report as the kernel makes them; *bytes* of its part are said to be there. */
static int parse_report(size_t bytes, struct net_icmp_error *ret)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in))];
        } control = {0};
        struct {
                struct sock_extended_err report;
                struct sockaddr_in offender;
        } data = {.report = {.ee_errno = EMSGSIZE,
                             .ee_origin = SO_EE_ORIGIN_ICMP,
                             .ee_type = 3,
                             .ee_code = 4,
                             .ee_info = 1400},
                  .offender = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)}};
        struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(33434)};
        struct msghdr message = {.msg_name = &name,
                                 .msg_namelen = sizeof name,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};

        control.align.cmsg_level = SOL_IP;
        control.align.cmsg_type = IP_RECVERR;
        control.align.cmsg_len = CMSG_LEN(bytes);
        memcpy(CMSG_DATA(&control.align), &data, bytes);
        return net_icmp_error_parse(&message, ret);
}

TEST(icmp_report_of_the_kernel_is_understood_as_far_as_it_is_whole)
{
        struct net_icmp_error error;
        struct net_ip offender = ip_of("192.0.2.1");

        CHECK_INT(parse_report(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in), &error), ==, 0);
        CHECK_UINT(error.mtu, ==, 1400);
        CHECK_INT(error.port, ==, 33434);
        CHECK(net_ip_equal(&error.offender, &offender));
        CHECK_INT(parse_report(sizeof(struct sock_extended_err) + 4, &error), ==, 0);
        CHECK_INT(error.offender.family, ==, 0);
        CHECK_INT(parse_report(sizeof(struct sock_extended_err) - 1, &error), ==, -EBADMSG);
}

/* TCP: who turned it down. */

TEST(tcp_refusal_is_the_hosts_only_when_nobody_else_says_it)
{
        struct net_ip target = ip_of("192.0.2.9");
        struct net_icmp_error router = icmp(false, 3, 3, "192.0.2.1");
        struct net_icmp_error host = icmp(false, 3, 3, "192.0.2.9");
        struct net_icmp_error admin = icmp(false, 3, 13, "192.0.2.1");
        struct net_icmp_error gone = icmp(false, 3, 1, "192.0.2.1");

        CHECK_INT(net_tcp_symptom(0, NULL, &target, false), ==, NET_NO_SYMPTOM);
        CHECK_INT(net_tcp_symptom(ECONNREFUSED, NULL, &target, false), ==, NET_REFUSED);
        CHECK_INT(net_tcp_symptom(ECONNREFUSED, &host, &target, false), ==, NET_REFUSED);
        CHECK_INT(net_tcp_symptom(ECONNREFUSED, &router, &target, false), ==, NET_REJECTED);
        CHECK_INT(net_tcp_symptom(ECONNREFUSED, &router, &target, true), ==, NET_LOCAL_REJECT);
        CHECK_INT(net_tcp_symptom(EHOSTUNREACH, &admin, &target, false), ==, NET_ADMIN_PROHIBITED);
        CHECK_INT(net_tcp_symptom(EHOSTUNREACH, &gone, &target, false), ==, NET_UNREACHABLE);
        CHECK_INT(net_tcp_symptom(EHOSTUNREACH, &gone, &target, true), ==, NET_SELF_UNREACHABLE);
        CHECK_INT(net_tcp_symptom(ENETUNREACH, NULL, &target, false), ==, NET_NO_ROUTE);
        CHECK_INT(net_tcp_symptom(EPERM, NULL, &target, false), ==, NET_LOCAL_REJECT);
        CHECK_INT(net_tcp_symptom(ETIMEDOUT, NULL, &target, false), ==, NET_SILENT);
}

TEST(tcp_stall_needs_retransmission_and_an_earlier_answer)
{
        struct net_tcp_state state = {.retransmits = 1, .backoff = 1, .unacked = 2, .rtt_us = 300};

        CHECK(net_tcp_is_stalled(&state));
        state.unacked = 0;
        CHECK(!net_tcp_is_stalled(&state));
        state = (struct net_tcp_state){.unacked = 2, .rtt_us = 300};
        CHECK(!net_tcp_is_stalled(&state));
}

static void expect_connect(const char *host, uint16_t port, enum net_symptom symptom)
{
        struct net_ip ip = ip_of(host);
        struct net_tcp_try try;

        CHECK_INT(net_tcp_connect(&ip, port, plait_in_s(60), &try), ==, 0);
        CHECK_INT(try.symptom, ==, symptom);
}

/* A port of the loopback interface at which somebody listens. */
static uint16_t port_of(const char *address, int *ret_fd)
{
        struct plait_address bound;

        *ret_fd = CHECK_OK(plait_listen(address, NULL));
        CHECK_INT(plait_local_address(*ret_fd, &bound), ==, 0);
        return ntohs(bound.as.in.sin_port);
}

/* One at which nobody listens, nor will as long as *ret_fd* is open. */
static uint16_t silent_port(int *ret_fd)
{
        const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct plait_address bound;

        *ret_fd = CHECK_SYS(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        CHECK_SYS(bind(*ret_fd, (const struct sockaddr *)&any, sizeof any));
        CHECK_INT(plait_local_address(*ret_fd, &bound), ==, 0);
        return ntohs(bound.as.in.sin_port);
}

TEST(tcp_connection_is_established_or_refused, .run = in_task)
{
        int listener = -1;
        uint16_t port = port_of("127.0.0.1:0", &listener);

        expect_connect("127.0.0.1", port, NET_NO_SYMPTOM);
        plait_close(listener);
        expect_connect("127.0.0.1", silent_port(&listener), NET_REFUSED);
        close(listener);
}

TEST(tcp_connection_is_given_up_when_cancelled, .run = in_task)
{
        struct net_ip ip = ip_of("127.0.0.1");
        struct net_tcp_try try = {.attempts = 99};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int silent;

        CHECK_INT(plait_scope_open(&scope), ==, 0);
        plait_scope_cancel(&scope);
        int r = net_tcp_connect(&ip, silent_port(&silent), plait_in_s(60), &try);
        CHECK(r == -ECANCELED || (r == 0 && try.symptom == NET_REFUSED)); /* a refusal may be there at once */
        plait_scope_join(&scope);
        close(silent);
}

/* Echo, series, path and ladder, on this machine. */

TEST(echo_is_answered_by_this_machine, .run = in_task)
{
        struct net_ip ip = ip_of("127.0.0.1");
        struct net_echo echo;

        CHECK_INT(net_echo_try(&ip, plait_in_s(60), &echo), ==, 0);
        CHECK(echo.answered);
        CHECK_INT(echo.rtt_ns, >=, 0);
        CHECK_UINT(echo.sent, >=, 1);
}

TEST(series_loses_nothing_on_the_loopback, .run = in_task, .timeout_ms = 120000)
{
        static struct net_series series;
        struct net_series_opts opts = {.count = 20, .interval_ns = 1000000, .wait_ns = 5000000000};
        struct net_series_stats stats;
        struct net_ip ip = ip_of("127.0.0.1");

        CHECK_INT(net_series_run(&ip, &opts, &series), ==, 0);
        CHECK_UINT(series.sent, ==, 20);
        CHECK_UINT(series.lost, ==, 0);
        CHECK(net_series_sum_up(&series, &stats));
        CHECK_INT(stats.min_ns, <=, stats.median_ns);
        CHECK_INT(stats.median_ns, <=, stats.p99_ns);
}

TEST(series_is_summed_up)
{
        static struct net_series series = {.sent = 5, .answered = 4, .lost = 1, .rtt_ns = {40, 10, 30, 20}};
        struct net_series_stats stats;

        CHECK(net_series_sum_up(&series, &stats));
        CHECK_INT(stats.min_ns, ==, 10);
        CHECK_INT(stats.median_ns, ==, 25);
        CHECK_INT(stats.p99_ns, ==, 40);
        CHECK_INT(stats.jitter_ns, ==, 20);
        series.answered = 0;
        CHECK(!net_series_sum_up(&series, &stats));
}

TEST(path_to_this_machine_is_one_hop, .run = in_task)
{
        struct net_ip ip = ip_of("127.0.0.1");
        struct net_path path;
        char text[64];

        CHECK_INT(net_path_trace(&ip, 0, plait_in_s(60), &path), ==, 0);
        CHECK(path.reached);
        CHECK_UINT(path.hop_count, ==, 1);
        CHECK_STR(net_path_text(&path, text, sizeof text), "127.0.0.1");
}

TEST(path_that_goes_round_in_circles_is_a_loop_and_a_repeated_hop_is_not)
{
        static struct net_path path;
        struct net_ip loop;

        for (size_t i = 0; i < 6; i++)
                path.hops[i].from = ip_of(i % 2 ? "10.0.0.2" : "10.0.0.1");
        CHECK(net_path_loops(&path, &loop));
        path.hops[4].from = ip_of("10.0.0.9"); /* seen twice only: a router may answer with another address */
        path.hops[5].from = ip_of("10.0.0.8");
        CHECK(!net_path_loops(&path, &loop));
        for (size_t i = 0; i < 6; i++) /* the same one all the time: it does not pass on what it takes */
                path.hops[i].from = ip_of("10.0.0.1");
        CHECK(!net_path_loops(&path, &loop));
}

static struct net_ladder ladder_of(const char *marks)
{
        struct net_ladder ladder = {.rung_count = strlen(marks)};

        for (size_t i = 0; i < ladder.rung_count; i++)
                ladder.rungs[i] = (struct net_rung){.bytes = (uint16_t)(1000 + i * 100),
                                                    .sent = marks[i] == 't' ? 0 : 2,
                                                    .answered = marks[i] == 'a' ? 2 : 0,
                                                    .too_big = marks[i] == 't'};
        net_ladder_judge(&ladder);
        return ladder;
}

TEST(ladder_tells_a_limit_from_loss)
{
        CHECK_INT(ladder_of("aaaaaa").end, ==, NET_LADDER_CLEAN);
        CHECK_INT(ladder_of("aaaatt").end, ==, NET_LADDER_CLEAN);
        CHECK_UINT(ladder_of("aaaatt").largest, ==, 1300);
        CHECK_INT(ladder_of("aaa---").end, ==, NET_LADDER_SWALLOWED);
        CHECK_UINT(ladder_of("aaa---").largest, ==, 1200);
        CHECK_UINT(ladder_of("aaa---").smallest_lost, ==, 1300);
        CHECK_INT(ladder_of("aa-a--").end, ==, NET_LADDER_UNKNOWN);
        CHECK_INT(ladder_of("------").end, ==, NET_LADDER_UNKNOWN);
}

/* HTTP. */

static ssize_t parse(const char *text, struct net_http1_head *head)
{
        return net_http1_parse_head(text, strlen(text), head);
}

TEST(http_head_is_understood)
{
        struct net_http1_head head;
        const char *text = "HTTP/1.1 302 Found\r\nLocation:  /login \r\nContent-length: 12\r\nVia: 1.1 x\r\n"
                           "Connection: Close\r\n\r\nbody";

        CHECK_INT(parse(text, &head), ==, (long long)strlen(text) - 4);
        CHECK_INT(head.status, ==, 302);
        CHECK_STR(head.reason, "Found");
        CHECK_STR(head.location, "/login");
        CHECK_STR(head.via, "1.1 x");
        CHECK_UINT(head.length, ==, 12);
        CHECK(head.has_length && head.closes && !head.chunked);
}

TEST(http_head_is_waited_for_byte_by_byte)
{
        struct net_http1_head head;
        const char *text = "HTTP/1.0 200 OK\nServer: x\n\n";

        for (size_t i = 0; i < strlen(text); i++)
                CHECK_INT(net_http1_parse_head(text, i, &head), ==, 0);
        CHECK_INT(parse(text, &head), ==, (long long)strlen(text));
}

TEST(http_nonsense_is_refused)
{
        static const char *const texts[] = {"220 ready\r\n",
                                            "HTTP/2 200 OK\r\n\r\n",
                                            "HTTP/1.1 20 OK\r\n\r\n",
                                            "HTTP/1.1 999 OK\r\n\r\n",
                                            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                                            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                                            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                                            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"};
        struct net_http1_head head;

        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
                CHECK_INT(parse(texts[i], &head), ==, -EBADMSG);
}

static void collect(void *arg, const char *data, size_t bytes)
{
        char *text = arg;
        size_t used = strlen(text);

        memcpy(text + used, data, bytes);
        text[used + bytes] = 0;
}

TEST(http_chunks_are_put_together_however_they_are_cut)
{
        static const char wire[] = "5;x=y\r\nhello\r\n1\r\n \r\n05\r\nworld\r\n0\r\nTrailer: t\r\n\r\nrest";
        struct net_http1_head head = {.status = 200, .chunked = true};
        struct net_http1_body body;

        for (size_t cut = 1; cut < sizeof wire; cut++) {
                char text[64] = "";
                size_t used = 0;

                net_http1_begin_body(&body, &head, false);
                while (!body.done && used < sizeof wire - 1) {
                        size_t n = sizeof wire - 1 - used;
                        ssize_t r = net_http1_feed(&body, wire + used, n < cut ? n : cut, collect, text);

                        CHECK_INT(r, >, 0);
                        used += (size_t)r;
                }
                CHECK(body.done);
                CHECK_STR(text, "hello world");
                CHECK_STR(wire + used, "rest");
        }
        net_http1_begin_body(&body, &head, false);
        CHECK_INT(net_http1_feed(&body, "x\r\n", 3, NULL, NULL), ==, -EBADMSG);
}

TEST(http_dates_have_three_forms)
{
        CHECK_INT(net_http1_parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), ==, 784111777);
        CHECK_INT(net_http1_parse_date("Sunday, 06-Nov-94 08:49:37 GMT"), ==, 784111777);
        CHECK_INT(net_http1_parse_date("Sun Nov  6 08:49:37 1994"), ==, 784111777);
        CHECK_INT(net_http1_parse_date("Sun, 06 Nix 1994 08:49:37 GMT"), ==, -1);
        CHECK_INT(net_http1_parse_date("yesterday"), ==, -1);
        CHECK_INT(net_http1_parse_date(""), ==, -1);
}

TEST(http_redirects_are_relative_to_where_they_come_from)
{
        struct net_http_url parts;
        char *url = NULL;

        CHECK_INT(net_http_redirect("http://a.test:81/x/y?q", "z#f", &url), ==, 0);
        CHECK_STR(url, "http://a.test:81/x/z");
        CHECK(net_http_split_url(url, &parts));
        CHECK_STR(parts.authority, "a.test:81");
        CHECK_STR(parts.path, "/x/z");
        free(url);
        CHECK_INT(net_http_redirect("http://a.test/", "https://[::1]/?a=b", &url), ==, 0);
        CHECK(net_http_split_url(url, &parts));
        CHECK(parts.tls && parts.port == 443);
        CHECK_STR(parts.host, "::1");
        CHECK_STR(parts.path, "/?a=b");
        free(url);
        CHECK_INT(net_http_redirect("http://a.test/", "ftp://a.test/", &url), ==, -EINVAL);
        CHECK_INT(net_http_redirect("http://a.test/", "", &url), ==, -EINVAL);
}

/* A server that sends *answer* to one request, and then closes or (mute) waits for the client to do so. */
struct server {
        int listener;
        const char *answer;
        bool mute;
};

static int serve(void *arg)
{
        struct server *server = arg;
        char buf[4096];
        int fd = plait_accept(server->listener, NULL, PLAIT_NEVER);

        if (fd < 0)
                return fd;
        ssize_t n = plait_read(fd, buf, sizeof buf, PLAIT_NEVER);
        if (n > 0 && server->answer[0])
                n = plait_write_full(fd, server->answer, strlen(server->answer), PLAIT_NEVER);
        while (server->mute && n > 0)
                n = plait_read(fd, buf, sizeof buf, PLAIT_NEVER);
        plait_close(fd);
        return 0;
}

/* What an exchange with such a server comes to. */
static enum net_http_end exchange_with(const char *answer, bool mute, int ms, struct net_http_reply *reply)
{
        struct net_http_request request = {.method = "GET", .path = "/", .authority = "a.test"};
        struct server server = {.answer = answer, .mute = mute};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct net_stream stream;
        char address[64];
        uint16_t port = port_of("127.0.0.1:0", &server.listener);

        plait_scope_go(&scope, serve, &server);
        snprintf(address, sizeof address, "127.0.0.1:%u", port);
        int fd = CHECK_OK(plait_dial(address, plait_in_s(60)));
        net_stream_begin(&stream, fd);
        CHECK_INT(net_http_exchange(&stream, &request, plait_in_ms(ms), reply), ==, 0);
        net_stream_done(&stream);
        plait_close(fd);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        plait_close(server.listener);
        return reply->end;
}

TEST(http_exchange_tells_how_it_ended, .run = in_task, .timeout_ms = 120000)
{
        static struct net_http_reply reply;

        CHECK_INT(exchange_with("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 60000, &reply), ==,
                  NET_HTTP_END_OK);
        CHECK_INT(reply.head.status, ==, 200);
        CHECK_STR(reply.body_start, "ok");
        CHECK_INT(exchange_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\n\r\nbody", false, 60000, &reply), ==,
                  NET_HTTP_END_OK);
        CHECK_INT(reply.head.status, ==, 503);
        CHECK_UINT(reply.body_bytes, ==, 4);
        CHECK_INT(exchange_with("220 hello\r\n", false, 60000, &reply), ==, NET_HTTP_END_MALFORMED);
        CHECK_STR(reply.text_start, "220 hello..");
        CHECK_INT(exchange_with("", false, 60000, &reply), ==, NET_HTTP_END_CLOSED);
        CHECK_INT(exchange_with("", true, 100, &reply), ==, NET_HTTP_END_SILENT);
        CHECK_INT(exchange_with("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", false, 60000, &reply), ==,
                  NET_HTTP_END_CUT);
        CHECK_INT(exchange_with("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", true, 60000, &reply), ==,
                  NET_HTTP_END_STALLED);
}

TEST(tls_answered_in_plain_text_is_told_apart, .run = in_task)
{
        static struct net_tls_report report;
        struct net_tls_opts opts = {.host = "a.test"};
        struct server server = {.answer = "HTTP/1.1 400 Bad Request\r\n\r\n"};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct net_stream stream;
        char address[64];
        uint16_t port = port_of("127.0.0.1:0", &server.listener);

        plait_scope_go(&scope, serve, &server);
        snprintf(address, sizeof address, "127.0.0.1:%u", port);
        int fd = CHECK_OK(plait_dial(address, plait_in_s(60)));
        net_stream_begin(&stream, fd);
        CHECK_INT(net_stream_start_tls(&stream, &opts, plait_in_s(60), &report), ==, -EPROTO);
        CHECK_INT(report.end, ==, NET_TLS_END_PLAINTEXT);
        CHECK(strncmp(report.text_start, "HTTP/1.1 400", 12) == 0);
        net_stream_done(&stream);
        plait_close(fd);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        plait_close(server.listener);
}

/* SNTP. */

static void put64(uint8_t *at, uint64_t value)
{
        for (int i = 0; i < 8; i++)
                at[i] = (uint8_t)(value >> (56 - 8 * i));
}

TEST(sntp_answer_gives_the_difference)
{
        uint8_t packet[NET_SNTP_BYTES] = {0x24, 2};
        uint64_t server = (2208988800ULL + 1000) << 32; /* 1970 and 1000 seconds */
        int64_t ahead = 0;

        put64(packet + 24, 42);
        put64(packet + 32, server);
        put64(packet + 40, server);
        CHECK_INT(net_sntp_parse(packet, sizeof packet, 42, 1060000000000, 1062000000000, &ahead), ==, 0);
        CHECK_INT(ahead, ==, 61000000000);
        CHECK_INT(net_sntp_parse(packet, sizeof packet, 43, 0, 0, &ahead), ==, -EBADMSG);
        CHECK_INT(net_sntp_parse(packet, sizeof packet - 1, 42, 0, 0, &ahead), ==, -EBADMSG);
        packet[1] = 0; /* "kiss of death" */
        CHECK_INT(net_sntp_parse(packet, sizeof packet, 42, 0, 0, &ahead), ==, -EBADMSG);
        packet[1] = 2;
        packet[0] = 0xe4; /* not synchronised */
        CHECK_INT(net_sntp_parse(packet, sizeof packet, 42, 0, 0, &ahead), ==, -EBADMSG);
}
