/*
 * Captive portals, by their answers.
 */
#include "net/portal.h"

#include <string.h>
#include <strings.h>

enum { AUTHENTICATION_REQUIRED = 511 };

bool net_portal_same_site(const char *one, const char *other)
{
        struct net_http_url a;
        struct net_http_url b;

        return net_http_split_url(one, &a) && net_http_split_url(other, &b) && strcasecmp(a.host, b.host) == 0;
}

/* Whether the place that a redirect leads to is told where one wanted to go. */
static bool carries(const char *location, const char *url)
{
        struct net_http_url parts;
        const char *query = strchr(location, '?');

        return query && net_http_split_url(url, &parts) && strstr(query, parts.host) != NULL;
}

enum net_portal_sign net_portal_judge(const char *url, const struct net_ip *ip, const struct net_ip *gateway,
                                      int status, const char *location)
{
        struct net_http_url parts;
        struct net_ip portal;

        if (status == AUTHENTICATION_REQUIRED)
                return NET_PORTAL_STATUS;
        if (!location[0] || net_portal_same_site(url, location) || !net_http_split_url(location, &parts))
                return NET_PORTAL_NONE;

        bool is_address = net_ip_parse(parts.host, &portal);

        /* The target itself is not meant: a router's pages may redirect as they like. */
        if (is_address && net_ip_equal(&portal, gateway) && !net_ip_equal(ip, gateway))
                return NET_PORTAL_REDIRECT;
        if (is_address && (net_ip_is_private(&portal) || net_ip_is_link_local(&portal)))
                return net_ip_is_private(ip) || net_ip_is_loopback(ip) ? NET_PORTAL_LIKELY : NET_PORTAL_REDIRECT;
        return carries(location, url) ? NET_PORTAL_LIKELY : NET_PORTAL_NONE;
}
