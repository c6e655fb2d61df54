/*
 * SNTP. The request carries a random number instead of the time: it tells its answer from a forged one, and gives away
 * nothing.
 */
#include "net/sntp.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <plait/fd.h>
#include <plait/socket.h>
#include <plait/time.h>

#include "net/ping.h"

#define SECONDS_1900_TO_1970 2208988800LL
#define ERA_SECONDS (1LL << 32)

enum { MODE_CLIENT = 3, MODE_SERVER = 4, VERSION = 4, STRATUM_MAX = 15, RESEND_MS = 400 };
enum { ORIGINATE = 24, RECEIVE = 32, TRANSMIT = 40 };

static uint64_t get64(const uint8_t *at)
{
        uint64_t value = 0;

        for (int i = 0; i < 8; i++)
                value = value << 8 | at[i];
        return value;
}

/* The seconds start again in 2036: a time that seems to be before 1970 is of the next era. */
static int64_t to_ns(uint64_t stamp)
{
        int64_t seconds = (int64_t)(stamp >> 32);
        int64_t fraction = (int64_t)((stamp & 0xffffffff) * 1000000000 >> 32);

        if (seconds < SECONDS_1900_TO_1970)
                seconds += ERA_SECONDS;
        return (seconds - SECONDS_1900_TO_1970) * 1000000000 + fraction;
}

int net_sntp_parse(const uint8_t *data, size_t bytes, uint64_t cookie, int64_t sent_ns, int64_t received_ns,
                   int64_t *ret_ahead_ns)
{
        if (bytes < NET_SNTP_BYTES || (data[0] & 7) != MODE_SERVER || get64(data + ORIGINATE) != cookie)
                return -EBADMSG;
        if (data[0] >> 6 == 3 || data[1] == 0 || data[1] > STRATUM_MAX || get64(data + TRANSMIT) == 0)
                return -EBADMSG; /* it does not know the time itself */

        int64_t server_received_ns = to_ns(get64(data + RECEIVE));
        int64_t server_sent_ns = to_ns(get64(data + TRANSMIT));

        /* Each half of a sum: the sum of two such times does not fit. */
        *ret_ahead_ns = (sent_ns - server_received_ns) / 2 + (received_ns - server_sent_ns) / 2;
        return 0;
}

static int ask_once(int fd, uint64_t cookie, int64_t deadline_ns, int64_t *ret_ahead_ns)
{
        uint8_t packet[NET_SNTP_BYTES] = {VERSION << 3 | MODE_CLIENT};

        for (int i = 0; i < 8; i++)
                packet[TRANSMIT + i] = (uint8_t)(cookie >> (56 - 8 * i));

        int64_t sent_ns = net_ping_realtime_ns();
        ssize_t n = plait_send(fd, packet, sizeof packet, 0, deadline_ns);

        while (n >= 0) {
                uint8_t answer[512];

                n = plait_recv(fd, answer, sizeof answer, 0, deadline_ns);
                if (n >= 0 &&
                    net_sntp_parse(answer, (size_t)n, cookie, sent_ns, net_ping_realtime_ns(), ret_ahead_ns) == 0)
                        return 0;
        }
        return (int)n;
}

int net_sntp_ask(const struct net_ip *server, uint16_t port, int64_t deadline_ns, int64_t *ret_ahead_ns)
{
        struct plait_address to = net_ip_address(server, port);
        uint64_t cookie = 0;
        int fd = plait_socket(server->family, SOCK_DGRAM, 0);

        if (fd < 0)
                return fd;

        int r = plait_connect(fd, &to.as.any, to.length, deadline_ns);

        for (bool last = false; r == 0 && !last;) {
                int64_t until_ns = plait_in_ms(RESEND_MS);

                last = until_ns >= deadline_ns;
                if (getrandom(&cookie, sizeof cookie, GRND_NONBLOCK) != sizeof cookie)
                        cookie = (uint64_t)net_ping_realtime_ns() * 6364136223846793005U;
                r = ask_once(fd, cookie, last ? deadline_ns : until_ns, ret_ahead_ns);
                if (r == 0)
                        break;
                if (r == -ETIMEDOUT && !last && plait_now_ns() >= until_ns)
                        r = 0; /* once more */
        }
        plait_close(fd);
        return r;
}
