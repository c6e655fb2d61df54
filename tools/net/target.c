/*
 * What is to be reached, read from the command line.
 */
#include "net/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Ports where the server expects TLS from the first byte. */
static bool is_tls_port(uint16_t port)
{
        static const uint16_t ports[] = {443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 5061, 8443};

        for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
                if (ports[i] == port)
                        return true;
        return false;
}

static bool parse_port(const char *text, size_t length, uint16_t *ret)
{
        unsigned long port = 0;

        if (length == 0 || length > 5)
                return false;
        for (size_t i = 0; i < length; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return false;
                port = port * 10 + (unsigned)(text[i] - '0');
        }
        *ret = (uint16_t)port;
        return port >= 1 && port <= 65535;
}

/* A name may have what names of hosts have; everything else is a slip of the hand. */
static bool is_name(const char *host)
{
        size_t label = 0;

        for (const char *p = host; *p; p++) {
                bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                              *p == '-' || *p == '_' || (unsigned char)*p >= 0x80;
                if (*p == '.' ? label == 0 : !letter || label == 63)
                        return false;
                label = *p == '.' ? 0 : label + 1;
        }
        return *host != 0 && *host != '-';
}

/* Splits "HOST", "HOST:PORT", "[ADDRESS]", "[ADDRESS]:PORT", "2001:db8::1". */
static const char *parse_authority(const char *text, size_t length, struct net_target *ret)
{
        const char *end = text + length;
        const char *host = text;
        const char *host_end = memchr(text, ':', length);
        const char *port = NULL;

        if (length > 0 && *text == '[') {
                host = text + 1;
                host_end = memchr(text, ']', length);
                if (!host_end)
                        return "the bracket is not closed";
                if (host_end + 1 < end && host_end[1] != ':')
                        return "after the bracket only :PORT can follow";
                port = host_end + 1 < end ? host_end + 2 : NULL;
        } else if (host_end && !memchr(host_end + 1, ':', (size_t)(end - host_end - 1))) {
                port = host_end + 1;
        } else {
                host_end = end;
        }
        if (port && !parse_port(port, (size_t)(end - port), &ret->port))
                return "a port is a number from 1 to 65535";
        if (port)
                ret->has_port = true;
        if ((size_t)(host_end - host) >= sizeof ret->host)
                return "the name is too long";
        snprintf(ret->host, sizeof ret->host, "%.*s", (int)(host_end - host), host);
        ret->literal = net_ip_parse(ret->host, &ret->ip);
        if (!ret->literal && (*text == '[' || strchr(ret->host, ':')))
                return "this is no IPv6 address";
        if (!ret->literal && !is_name(ret->host))
                return "this is no name of a host";
        return NULL;
}

static void write_authority(struct net_target *target, uint16_t usual_port)
{
        const char *open = target->literal && target->ip.family == AF_INET6 ? "[" : "";
        const char *close = *open ? "]" : "";

        if (target->has_port && target->port != usual_port)
                snprintf(target->authority, sizeof target->authority, "%s%s%s:%u", open, target->host, close,
                         target->port);
        else
                snprintf(target->authority, sizeof target->authority, "%s%s%s", open, target->host, close);
}

static const char *parse_url(const char *text, size_t scheme_length, struct net_target *ret)
{
        const char *authority = text + scheme_length + 3;
        size_t length = strcspn(authority, "/?#");
        const char *path = authority + length;
        const char *at = memrchr(authority, '@', length);

        if (scheme_length == 5 && strncasecmp(text, "https", 5) == 0)
                ret->tls = true;
        else if (scheme_length != 4 || strncasecmp(text, "http", 4) != 0)
                return "only http: and https: are known";
        if (at) {
                length -= (size_t)(at + 1 - authority);
                authority = at + 1;
        }
        ret->http = true;
        const char *why = parse_authority(authority, length, ret);
        if (why)
                return why;
        uint16_t usual = ret->tls ? 443 : 80;
        if (!ret->has_port)
                ret->port = usual;
        ret->has_port = true;
        write_authority(ret, usual);
        size_t path_length = strcspn(path, "#");
        if (path_length + 2 > sizeof ret->path)
                return "the path is too long";
        snprintf(ret->path, sizeof ret->path, "%s%.*s", *path == '/' ? "" : "/", (int)path_length, path);
        return NULL;
}

static const char *parse(const char *text, struct net_target *ret)
{
        const char *scheme_end = strstr(text, "://");

        if (strlen(text) >= sizeof ret->text)
                return "it is too long";
        for (const char *p = text; *p; p++)
                if ((unsigned char)*p <= 0x20 || *p == 0x7F)
                        return "it has a blank or a control character in it";
        snprintf(ret->text, sizeof ret->text, "%s", text);
        ret->given = true;
        if (scheme_end)
                return parse_url(text, (size_t)(scheme_end - text), ret);
        const char *why = parse_authority(text, strlen(text), ret);
        if (why)
                return strchr(text, '/') ? "a URL begins with http:// or https://" : why;
        ret->tls = ret->has_port && is_tls_port(ret->port);
        write_authority(ret, 0);
        return NULL;
}

int net_target_parse(const char *text, struct net_target *ret, const char **ret_why)
{
        struct net_target target = {.given = false};

        if (text) {
                const char *why = parse(text, &target);
                if (why) {
                        *ret_why = why;
                        return -EINVAL;
                }
        }
        *ret = target;
        return 0;
}
