/* Where a URL leads; see origin.h. */
#include "http/origin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/libcurl.h"

bool pl_http_origin_same(const struct pl_http_origin *a, const struct pl_http_origin *b)
{
        return a->hash == b->hash && a->tls == b->tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static void finish(struct pl_http_origin *origin)
{
        struct in_addr address;
        uint32_t hash = 2166136261U; /* FNV-1a */

        for (const char *c = origin->host; *c; c++)
                hash = (hash ^ (unsigned char)*c) * 16777619U;
        hash = (hash ^ origin->port) * 16777619U;
        hash = (hash ^ origin->tls) * 16777619U;
        origin->hash = hash ^ hash >> 15;
        origin->literal = origin->host[0] == '[' || inet_pton(AF_INET, origin->host, &address) == 1;
}

/* The plain kind of URL, without libcurl's parser: a lower-case name, perhaps a port, then a path or nothing. */
static bool parse_plain(struct pl_http_origin *origin, const char *url)
{
        size_t n = 0;
        uint32_t port;

        if (strncmp(url, "http://", 7) == 0)
                origin->tls = false, url += 7, port = 80;
        else if (strncmp(url, "https://", 8) == 0)
                origin->tls = true, url += 8, port = 443;
        else
                return false;
        while ((url[n] >= 'a' && url[n] <= 'z') || (url[n] >= '0' && url[n] <= '9') || url[n] == '-' || url[n] == '.')
                n++;
        if (!n || n >= sizeof origin->host)
                return false;
        memcpy(origin->host, url, n);
        origin->host[n] = '\0';
        url += n;
        if (*url == ':') {
                for (port = 0, url++; *url >= '0' && *url <= '9' && port <= UINT16_MAX; url++)
                        port = port * 10 + (uint32_t)(*url - '0');
                if (!port || port > UINT16_MAX)
                        return false;
        }
        origin->port = (uint16_t)port;
        /* 0x7f.1, 127.1 and 2130706433 are addresses, too, and have to be brought into the usual form */
        if (origin->host[0] >= '0' && origin->host[0] <= '9') {
                struct in_addr address;

                if (inet_pton(AF_INET, origin->host, &address) != 1)
                        return false;
        }
        return *url == '/' || *url == '?' || *url == '#' || *url == '\0';
}

static const char *why_not(CURLUcode code)
{
        switch ((int)code) {
        case CURLUE_BAD_SCHEME:
        case CURLUE_NO_SCHEME: return "it has no scheme: write http://HOST/... or https://HOST/...";
        case CURLUE_NO_HOST:
        case CURLUE_BAD_HOSTNAME: return "its host name is missing or has characters that no host name has";
        case CURLUE_BAD_PORT_NUMBER: return "its port is not a number from 0 to 65535";
        case CURLUE_BAD_IPV6: return "its IPv6 address is not one";
        case CURLUE_BAD_SLASHES: return "it wants two slashes after the scheme";
        case CURLUE_OUT_OF_MEMORY: return "out of memory";
        default: return "it is malformed: are there spaces or control characters in it?";
        }
}

static int parse_parts(struct pl_http_origin *origin, CURLU *handle, const char *url, const char **ret_why)
{
        char *scheme = NULL;
        char *host = NULL;
        char *port = NULL;
        int r = 0;
        CURLUcode code = curl_url_set(handle, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);

        if (code == CURLUE_OK)
                code = curl_url_get(handle, CURLUPART_SCHEME, &scheme, 0);
        if (code == CURLUE_OK && strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0) {
                *ret_why = "only http and https are spoken here";
                r = -EPROTONOSUPPORT;
        } else if (code == CURLUE_OK) {
                origin->tls = strcasecmp(scheme, "https") == 0;
                code = curl_url_get(handle, CURLUPART_HOST, &host, 0);
        }
        if (r == 0 && code == CURLUE_OK)
                code = curl_url_get(handle, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
        if (r == 0 && code == CURLUE_OK && strlen(host) >= sizeof origin->host)
                code = CURLUE_BAD_HOSTNAME;
        if (r == 0 && code != CURLUE_OK) {
                *ret_why = why_not(code);
                r = code == CURLUE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
        }
        if (r == 0) {
                size_t i = 0;

                for (; host[i]; i++)
                        origin->host[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] | 0x20) : host[i];
                origin->host[i] = '\0';
                origin->port = (uint16_t)strtoul(port, NULL, 10);
        }
        curl_free(scheme);
        curl_free(host);
        curl_free(port);
        return r;
}

int pl_http_origin_parse(struct pl_http_origin *ret, const char *url, const char **ret_why)
{
        struct pl_http_origin origin;
        CURLU *handle;
        int r;

        if (!parse_plain(&origin, url)) {
                handle = curl_url();
                if (!handle) {
                        *ret_why = why_not(CURLUE_OUT_OF_MEMORY);
                        return -ENOMEM;
                }
                r = parse_parts(&origin, handle, url, ret_why);
                curl_url_cleanup(handle);
                if (r < 0)
                        return r;
        }
        finish(&origin);
        *ret = origin;
        return 0;
}
