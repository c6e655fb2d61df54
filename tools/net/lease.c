/*
 * DHCP leases, as the clients write them down.
 */
#include "net/lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/dhcp.h"
#include "net/line.h"

/* The first address of a list such as "10.0.0.1 10.0.0.2" or "10.0.0.1,10.0.0.2"; none if it is none. */
static struct net_ip first_ip(const char *text)
{
        char word[NET_IP_TEXT];
        struct net_ip ip = {.family = 0};
        size_t length = strcspn(text, " ,;");

        if (length < sizeof word) {
                memcpy(word, text, length);
                word[length] = 0;
                net_ip_parse(word, &ip);
        }
        return ip;
}

bool net_lease_networkd(const char *text, size_t length, int64_t modified, struct net_lease *ret)
{
        struct net_lease lease = {.client = "networkd"};
        struct net_line line;
        char key[64];
        char value[512];

        for (struct net_text rest = {text, length}; net_line_next(&rest, &line);) {
                if (!net_line_pair(line, key, sizeof key, value, sizeof value))
                        continue;
                if (strcmp(key, "ADDRESS") == 0)
                        lease.address = first_ip(value);
                else if (strcmp(key, "SERVER_ADDRESS") == 0)
                        lease.server = first_ip(value);
                else if (strcmp(key, "ROUTER") == 0)
                        lease.router = first_ip(value);
                else if (strcmp(key, "DNS") == 0)
                        lease.dns = first_ip(value);
                else if (strcmp(key, "NTP") == 0)
                        lease.ntp = first_ip(value);
                else if (strcmp(key, "LIFETIME") == 0 && strtoll(value, NULL, 10) > 0)
                        lease.expires = modified + (strtoll(value, NULL, 10) & UINT32_MAX);
                else if (strcmp(key, "CAPTIVE_PORTAL") == 0)
                        snprintf(lease.portal, sizeof lease.portal, "%.255s", value);
        }
        if (lease.address.family == 0)
                return false;
        *ret = lease;
        return true;
}

/* "expire 4 2026/11/26 10:11:12;" (UTC), "expire epoch 1795687872;" or "expire never;". */
static int64_t dhclient_time(struct net_line line)
{
        struct tm tm = {.tm_isdst = 0};
        char word[64];
        char rest[64];

        if (!net_line_word(&line, word, sizeof word) || !net_line_word(&line, rest, sizeof rest))
                return 0;
        if (strcmp(word, "epoch") == 0) {
                long long seconds = strtoll(rest, NULL, 10);
                return seconds > 0 ? seconds : 0;
        }
        if (!net_line_word(&line, word, sizeof word))
                return 0;
        char text[132];
        snprintf(text, sizeof text, "%s %s", rest, word);
        if (!strptime(text, "%Y/%m/%d %H:%M:%S", &tm))
                return 0;
        return timegm(&tm);
}

/* The name in quotes. */
static void take_quoted(const char *word, char *to, size_t size)
{
        size_t length = *word == '"' ? strcspn(word + 1, "\"") : 0;

        if (length > 0 && length < size)
                snprintf(to, size, "%.*s", (int)length, word + 1);
}

static void take_dhclient_option(struct net_line *line, struct net_lease *lease)
{
        char name[64];
        char value[256];

        if (!net_line_word(line, name, sizeof name) || !net_line_word(line, value, sizeof value))
                return;
        if (strcmp(name, "dhcp-server-identifier") == 0)
                lease->server = first_ip(value);
        else if (strcmp(name, "routers") == 0)
                lease->router = first_ip(value);
        else if (strcmp(name, "domain-name-servers") == 0)
                lease->dns = first_ip(value);
        else if (strcmp(name, "ntp-servers") == 0)
                lease->ntp = first_ip(value);
        else if (strstr(name, "captive-portal"))
                take_quoted(value, lease->portal, sizeof lease->portal);
}

static void take_dhclient_line(struct net_line *line, struct net_lease *lease)
{
        char word[256];

        if (!net_line_word(line, word, sizeof word))
                return;
        if (strcmp(word, "option") == 0)
                take_dhclient_option(line, lease);
        else if (strcmp(word, "expire") == 0)
                lease->expires = dhclient_time(*line);
        else if (strcmp(word, "interface") == 0 && net_line_word(line, word, sizeof word))
                take_quoted(word, lease->interface, sizeof lease->interface);
        else if (strcmp(word, "fixed-address") == 0 && net_line_word(line, word, sizeof word))
                lease->address = first_ip(word);
}

bool net_lease_dhclient(const char *text, size_t length, struct net_lease *ret)
{
        static const struct net_lease empty = {.client = "dhclient"};
        struct net_lease lease = empty;
        struct net_line line;
        bool inside = false;
        bool found = false;

        for (struct net_text rest = {text, length}; net_line_next(&rest, &line);) {
                struct net_line words = line;
                char word[64];
                if (!net_line_word(&words, word, sizeof word))
                        continue;
                if (strcmp(word, "lease") == 0 || strncmp(word, "lease{", 6) == 0) {
                        inside = true;
                        lease = empty;
                } else if (*word == '}') {
                        if (inside && lease.address.family != 0) {
                                *ret = lease; /* the last one counts */
                                found = true;
                        }
                        inside = false;
                } else if (inside) {
                        take_dhclient_line(&line, &lease);
                }
        }
        return found;
}

bool net_lease_message(const uint8_t *bytes, size_t length, int64_t modified, struct net_lease *ret)
{
        struct net_dhcp dhcp;

        if (!net_dhcp_parse(bytes, length, &dhcp) || !dhcp.reply || net_ip_is_any(&dhcp.address))
                return false;
        *ret = (struct net_lease){.client = "dhcpcd",
                                  .address = dhcp.address,
                                  .server = dhcp.server,
                                  .router = dhcp.router,
                                  .dns = dhcp.dns,
                                  .ntp = dhcp.ntp};
        if (dhcp.lease_s != 0 && dhcp.lease_s != UINT32_MAX)
                ret->expires = modified + dhcp.lease_s;
        snprintf(ret->portal, sizeof ret->portal, "%s", dhcp.portal);
        return true;
}
