/*
 * Which proxy a target is reached through.
 */
#include "net/proxy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *first_set(const char *one, const char *other)
{
        const char *value = getenv(one);

        if (value && *value)
                return value;
        value = other ? getenv(other) : NULL;
        return value && *value ? value : NULL;
}

struct net_proxy_settings net_proxy_environment(const char *option)
{
        return (struct net_proxy_settings){
                .http = first_set("http_proxy", NULL), /* HTTP_PROXY can come from a request's header in CGI */
                .https = first_set("https_proxy", "HTTPS_PROXY"),
                .all = first_set("all_proxy", "ALL_PROXY"),
                .none = first_set("no_proxy", "NO_PROXY"),
                .option = option,
        };
}

/* "10.0.0.0/8" or "10.0.0.1". */
static bool is_network_of(const char *word, const struct net_ip *ip)
{
        char text[NET_IP_TEXT];
        struct net_ip network;
        size_t length = strcspn(word, "/");
        char *end = NULL;

        if (length >= sizeof text)
                return false;
        memcpy(text, word, length);
        text[length] = 0;
        if (!net_ip_parse(text, &network))
                return false;
        unsigned long bits = word[length] ? strtoul(word + length + 1, &end, 10) : net_ip_bytes(network.family) * 8;
        return (!end || *end == 0) && bits <= 128 && net_ip_in(ip, &network, (unsigned)bits);
}

static bool is_domain_of(const char *word, const char *host)
{
        const char *domain = *word == '*' ? word + 1 : word;

        domain += *domain == '.' ? 1 : 0;
        size_t host_length = strlen(host);
        size_t length = strlen(domain);
        if (length == 0 || length > host_length || strcasecmp(host + host_length - length, domain) != 0)
                return false;
        return host_length == length || host[host_length - length - 1] == '.';
}

bool net_proxy_is_exempt(const char *list, const struct net_target *target)
{
        char word[300];

        while (list && *list) {
                size_t length = strcspn(list, ", ");
                if (length > 0 && length < sizeof word) {
                        memcpy(word, list, length);
                        word[length] = 0;
                        char *colon = target->literal ? NULL : strrchr(word, ':');
                        bool port_fits = !colon || strtoul(colon + 1, NULL, 10) == target->port;
                        if (colon)
                                *colon = 0;
                        if (strcmp(word, "*") == 0 ||
                            (port_fits &&
                             (target->literal ? is_network_of(word, &target->ip) : is_domain_of(word, target->host))))
                                return true;
                }
                list += length + (list[length] ? 1 : 0);
        }
        return false;
}

static int hex(char c)
{
        return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10 : -1;
}

static void decode(const char *text, size_t length, char *to, size_t size)
{
        size_t used = 0;

        for (size_t i = 0; i < length && used + 1 < size; i++) {
                char c = text[i];
                int high = c == '%' && i + 2 < length ? hex(text[i + 1]) : -1;
                int low = high >= 0 ? hex(text[i + 2]) : -1;
                if (low >= 0) {
                        c = (char)(high * 16 + low);
                        i += 2;
                }
                to[used++] = c;
        }
        to[used] = 0;
}

/* "http://user:password@host:3128/", or without the scheme. */
static void take_url(const char *url, struct net_proxy *ret)
{
        const char *scheme_end = strstr(url, "://");
        const char *authority = scheme_end ? scheme_end + 3 : url;
        size_t length = strcspn(authority, "/?#");
        const char *at = memrchr(authority, '@', length);
        char plain[300];
        const char *why = NULL;

        ret->set = true;
        if (at) {
                decode(authority, (size_t)(at - authority), ret->user, sizeof ret->user);
                length -= (size_t)(at + 1 - authority);
                authority = at + 1;
        }
        bool is_http = !scheme_end || (scheme_end - url == 4 && strncasecmp(url, "http", 4) == 0);
        snprintf(plain, sizeof plain, "%.*s", (int)(length < 280 ? length : 280), authority);
        snprintf(ret->text, sizeof ret->text, "%s", plain);
        if (!is_http || net_target_parse(plain, &ret->at, &why) < 0) {
                ret->malformed = true;
                return;
        }
        if (!ret->at.has_port)
                ret->at.port = 1080; /* as curl */
        ret->at.has_port = true;
}

void net_proxy_choose(const struct net_proxy_settings *settings, const struct net_target *target, struct net_proxy *ret)
{
        struct net_proxy proxy = {.set = false};
        const char *url = target->tls ? settings->https : settings->http;
        const char *source = target->tls ? "https_proxy" : "http_proxy";

        if (!url) {
                url = settings->all;
                source = "all_proxy";
        }
        if (settings->option) {
                url = *settings->option ? settings->option : NULL;
                source = "--proxy";
        } else if (net_proxy_is_exempt(settings->none, target)) {
                url = NULL;
        }
        if (url && target->http) {
                take_url(url, &proxy);
                snprintf(proxy.source, sizeof proxy.source, "%s", source);
        }
        *ret = proxy;
}
