/*
 * URLs, seen by libcurl's own parser: what is accepted here is what will be asked for.
 */
#include "fetch/url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

static const char *explain(CURLUcode code, const char *url)
{
        for (const char *p = url; *p; p++)
                if (isspace((unsigned char)*p) || iscntrl((unsigned char)*p))
                        return "it has a blank or a control character in it: write %20 for a blank";
        switch ((int)code) {
        case CURLUE_BAD_SCHEME:
        case CURLUE_UNSUPPORTED_SCHEME: return "only http:// and https:// URLs can be fetched";
        case CURLUE_BAD_PORT_NUMBER: return "the port is no number from 0 to 65535";
        case CURLUE_BAD_HOSTNAME:
        case CURLUE_BAD_IPV6:
        case CURLUE_NO_HOST: return "it has no valid host name";
        case CURLUE_BAD_LOGIN:
        case CURLUE_USER_NOT_ALLOWED: return "its user name or password is malformed";
        case CURLUE_OUT_OF_MEMORY: return "there is no memory to look at it";
        default: break;
        }
        return "it is malformed";
}

static const char *take_host(CURLU *parsed, char host[URL_HOST_SIZE])
{
        char *name = NULL;
        char *port = NULL;
        const char *problem = NULL;

        if (curl_url_get(parsed, CURLUPART_HOST, &name, 0) ||
            curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT))
                problem = "it has no valid host name";
        else if (snprintf(host, URL_HOST_SIZE, "%s:%s", name, port) >= URL_HOST_SIZE)
                problem = "its host name is too long";
        for (char *p = host; !problem && *p; p++)
                *p = (char)tolower((unsigned char)*p);
        curl_free(name);
        curl_free(port);
        return problem;
}

const char *url_check(const char *url, char host[URL_HOST_SIZE])
{
        if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
                return strstr(url, "://") ? "only http:// and https:// URLs can be fetched"
                                          : "it does not begin with http:// or https://";
        if (strlen(url) > URL_BYTES_MAX)
                return "it is longer than 8000 bytes";

        if (strncmp(strstr(url, "://"), ":///", 4) == 0)
                return "it has no valid host name"; /* libcurl would take the path's first part for one */

        CURLU *parsed = curl_url();
        if (!parsed)
                return "there is no memory to look at it";
        CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, 0);
        const char *problem = code ? explain(code, url) : take_host(parsed, host);
        curl_url_cleanup(parsed);
        return problem;
}
