/*
 * ICMP: echo messages, raw IPv4 packets around them, and error reports in a message's control data. The first byte says
 * which: 0 IPv4, 1 IPv6, 2 control data.
 */
#include <stdlib.h>
#include <string.h>

#include "net/icmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition)
{
        if (!condition)
                abort();
}

static void parse_echo(const uint8_t *data, size_t size, bool is_v6)
{
        struct net_icmp_echo echo;

        if (net_icmp_echo_parse(data, size, is_v6, &echo) == 0)
                expect(echo.payload >= data && echo.payload + echo.payload_bytes == data + size);
        (void)net_icmp_checksum(data, size);
}

static void parse_control(const uint8_t *data, size_t size)
{
        struct net_icmp_error error;
        char text[NET_IP_TEXT];
        int64_t realtime_ns;
        int ttl;
        void *control = malloc(size ? size : 1); /* aligned as the kernel's is */

        expect(control != NULL);
        memcpy(control, data, size);

        struct msghdr message = {.msg_control = control, .msg_controllen = size};

        net_icmp_parse_extras(&message, &realtime_ns, &ttl);
        if (net_icmp_error_parse(&message, &error) == 0) {
                expect(net_icmp_error_text(&error) != NULL);
                expect(net_ip_text(&error.offender, text) == text);
        }
        free(control);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size == 0)
                return 0;
        if (data[0] == 2) {
                parse_control(data + 1, size - 1);
                return 0;
        }
        parse_echo(data + 1, size - 1, data[0] & 1);

        int skip = net_icmp_skip_ipv4(data + 1, size - 1);

        if (skip >= 0)
                parse_echo(data + 1 + skip, size - 1 - (size_t)skip, false);
        return 0;
}
