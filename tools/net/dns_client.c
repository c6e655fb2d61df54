/*
 * One name server, asked over one connected socket.
 */
#include "net/dns_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <plait/fd.h>
#include <plait/scope.h>
#include <plait/socket.h>
#include <plait/time.h>

#include "net/icmp.h"
#include "net/run.h"

#define DNS_PORT 53
#define AGAIN_MS 400 /* a question is repeated after that, and then after twice as long */
#define OTHER_MS 300 /* when one answer is there, the other is waited for so long */

struct exchange {
        const struct net_ip *server;
        const char *name;
        const uint16_t *types;
        size_t count;
        bool recurse;
        int fd;
        uint16_t ids[NET_DNS_QUESTIONS];
        int64_t begin_ns;
        bool malformed;
        struct net_dns_reply *reply;
};

static size_t write_question(const struct exchange *exchange, size_t i, uint8_t *to, size_t room)
{
        return net_dns_question(exchange->name, exchange->types[i], exchange->ids[i], exchange->recurse, to, room);
}

static int send_questions(struct exchange *exchange, int64_t deadline_ns)
{
        uint8_t question[512];

        for (size_t i = 0; i < exchange->count; i++) {
                if (exchange->reply->answered[i])
                        continue;
                size_t length = write_question(exchange, i, question, sizeof question);
                if (length == 0)
                        return -EINVAL;
                ssize_t n = plait_send(exchange->fd, question, length, 0, deadline_ns);
                if (n < 0)
                        return (int)n;
        }
        return 0;
}

/* Asks question *i* again over TCP: its answer was cut. */
static int ask_by_tcp(struct exchange *exchange, size_t i, int64_t deadline_ns)
{
        struct plait_address to = net_ip_address(exchange->server, DNS_PORT);
        uint8_t *buffer = malloc(UINT16_MAX + 2);
        struct net_dns dns;
        int fd = buffer ? plait_socket(exchange->server->family, SOCK_STREAM, 0) : -ENOMEM;

        if (fd < 0) {
                free(buffer);
                return fd;
        }
        size_t length = write_question(exchange, i, buffer + 2, 512);
        buffer[0] = (uint8_t)(length >> 8);
        buffer[1] = (uint8_t)length;
        ssize_t n = plait_connect(fd, &to.as.any, to.length, deadline_ns);
        if (n == 0)
                n = plait_write_full(fd, buffer, length + 2, deadline_ns);
        if (n > 0)
                n = plait_read_full(fd, buffer, 2, deadline_ns);
        if (n == 2) {
                length = (size_t)buffer[0] << 8 | buffer[1];
                n = plait_read_full(fd, buffer, length, deadline_ns);
        }
        plait_close(fd);
        if (n > 0 && (size_t)n == length && net_dns_parse(buffer, length, &dns) == 0 && dns.reply &&
            dns.id == exchange->ids[i])
                exchange->reply->answers[i] = dns;
        free(buffer);
        exchange->reply->by_tcp = true;
        return n < 0 ? (int)n : 0;
}

/* Takes a datagram that came from the server. */
static int take(struct exchange *exchange, const uint8_t *bytes, size_t length, int64_t deadline_ns)
{
        struct net_dns dns;

        if (net_dns_parse(bytes, length, &dns) < 0 || !dns.reply) {
                exchange->malformed = true;
                return 0;
        }
        for (size_t i = 0; i < exchange->count; i++) {
                if (exchange->reply->answered[i] || dns.id != exchange->ids[i])
                        continue;
                if (exchange->reply->ms < 0)
                        exchange->reply->ms = net_ms_since(exchange->begin_ns);
                exchange->reply->answers[i] = dns;
                exchange->reply->answered[i] = true;
                /* What was cut is kept when TCP does not work. */
                return dns.truncated && ask_by_tcp(exchange, i, deadline_ns) == -ECANCELED ? -ECANCELED : 0;
        }
        return 0;
}

static size_t answered(const struct exchange *exchange)
{
        size_t count = 0;

        for (size_t i = 0; i < exchange->count; i++)
                count += exchange->reply->answered[i];
        return count;
}

/*
 * Receives until all is answered, an ICMP error comes, or the deadline. Nothing at all until *again_ns*: -ETIMEDOUT.
 * The other answer has its time however late the first one comes: one of two taken for all would hide an address
 * family.
 */
static int hear(struct exchange *exchange, int64_t again_ns, int64_t deadline_ns)
{
        uint8_t buffer[NET_DNS_MAX];
        int64_t until_ns = again_ns < deadline_ns ? again_ns : deadline_ns;
        bool other = false;

        while (answered(exchange) < exchange->count) {
                ssize_t n = plait_recv(exchange->fd, buffer, sizeof buffer, 0, until_ns);
                if (n < 0)
                        return (int)n;
                int r = take(exchange, buffer, (size_t)n, deadline_ns);
                if (r < 0)
                        return r;
                if (!other && answered(exchange) > 0) {
                        int64_t limit_ns = plait_in_ms(OTHER_MS);

                        until_ns = limit_ns < deadline_ns ? limit_ns : deadline_ns;
                        other = true;
                }
        }
        return 0;
}

/* What an ICMP error, or one of this machine's own, says of the server. */
static void explain(struct exchange *exchange, int r)
{
        struct net_dns_reply *reply = exchange->reply;
        struct net_icmp_error error;
        uint8_t payload[64];
        char server[NET_IP_TEXT];
        char from[NET_IP_TEXT];
        bool told = net_icmp_error_take(exchange->fd, &error, payload, sizeof payload) == 0 && !error.is_local &&
                    error.offender.family != 0;

        net_ip_text(exchange->server, server);
        if (told) {
                enum net_icmp_meaning meaning = net_icmp_error_meaning(&error);
                reply->offender = error.offender;
                net_ip_text(&error.offender, from);
                if (meaning == NET_ICMP_PORT_UNREACHABLE && net_ip_equal(&error.offender, exchange->server))
                        reply->symptom = NET_DNS_NOT_LISTENING;
                else if (net_ip_is_own(&error.offender))
                        reply->symptom = meaning == NET_ICMP_HOST_UNREACHABLE ? NET_SELF_UNREACHABLE : NET_LOCAL_REJECT;
                else
                        reply->symptom = NET_DNS_UNREACHABLE;
                snprintf(reply->why, sizeof reply->why, "asked for a name, %s got from %s: %s", server, from,
                         net_icmp_error_text(&error));
                return;
        }
        switch (r) {
        case -ECONNREFUSED: reply->symptom = NET_DNS_NOT_LISTENING; break;
        case -EPERM:
        case -EACCES: reply->symptom = NET_LOCAL_REJECT; break;
        case -ENETUNREACH: reply->symptom = NET_NO_ROUTE; break;
        case -EHOSTUNREACH: reply->symptom = NET_SELF_UNREACHABLE; break;
        case -EBADMSG: reply->symptom = NET_DNS_MALFORMED; break;
        case -ETIMEDOUT: reply->symptom = NET_DNS_SILENT; break;
        default: reply->symptom = NET_NO_SYMPTOM; break;
        }
        if (r == -ETIMEDOUT)
                snprintf(reply->why, sizeof reply->why, "%s did not answer within %.0f ms", server,
                         net_ms_since(exchange->begin_ns));
        else
                snprintf(reply->why, sizeof reply->why, "asking %s failed: %s", server, strerrordesc_np(-r));
}

static int converse(struct exchange *exchange, int64_t deadline_ns)
{
        struct plait_address to = net_ip_address(exchange->server, DNS_PORT);
        int64_t patience_ms = AGAIN_MS;
        int r = plait_connect(exchange->fd, &to.as.any, to.length, deadline_ns);

        if (r < 0)
                return r;
        do {
                int64_t again = plait_in_ms(patience_ms);
                r = send_questions(exchange, deadline_ns);
                if (r == 0)
                        r = hear(exchange, again, deadline_ns);
                patience_ms *= 2;
        } while (r == -ETIMEDOUT && answered(exchange) == 0 && plait_now_ns() < deadline_ns && plait_cancelled() == 0);
        if (r == -ETIMEDOUT && exchange->malformed)
                r = -EBADMSG;
        return r != -ECANCELED && answered(exchange) > 0 ? 0 : r;
}

int net_dns_ask(const struct net_ip *server, const char *name, const uint16_t *types, size_t count, bool recurse,
                int64_t deadline_ns, struct net_dns_reply *ret)
{
        struct exchange exchange = {.server = server,
                                    .name = name,
                                    .types = types,
                                    .count = count < NET_DNS_QUESTIONS ? count : NET_DNS_QUESTIONS,
                                    .recurse = recurse,
                                    .begin_ns = plait_now_ns(),
                                    .reply = ret};

        *ret = (struct net_dns_reply){.ms = -1};
        if (getrandom(exchange.ids, sizeof exchange.ids, 0) < 0)
                exchange.ids[0] = (uint16_t)exchange.begin_ns;
        if (exchange.ids[1] == exchange.ids[0])
                exchange.ids[1]++;
        exchange.fd = plait_socket(server->family, SOCK_DGRAM, 0);
        if (exchange.fd < 0)
                return exchange.fd;
        net_icmp_ask_for_errors(exchange.fd, server->family);
        int r = converse(&exchange, deadline_ns);
        if (r < 0 && r != -ECANCELED)
                explain(&exchange, r);
        plait_close(exchange.fd);
        return r;
}
