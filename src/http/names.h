/*
 * Names of hosts for libcurl, which would start a helper thread for each look-up: they are resolved by plait_resolve(),
 * once for all who ask at the same time, kept for a while, and told to each driver's multi handle once in that time.
 */
#ifndef PL_HTTP_NAMES_H
#define PL_HTTP_NAMES_H

#include "base/attributes.h"
#include "http/libcurl.h"

struct pl_http_ask;
struct pl_http_driver;
struct pl_http_names; /* the implementation's own: what is known in a run */
struct plait_response;

PL_WARN_UNUSED int pl_http_names_new(struct pl_http_names **ret);
void pl_http_names_free(struct pl_http_names *names);

/*
 * What the transfer of *ask* has to tell *driver* first, as CURLOPT_RESOLVE: *ret* is the caller's, NULL if the driver
 * knows. 0, or -errno, which is in *response* with its reason. May suspend.
 */
PL_WARN_UNUSED int pl_http_names_for(struct curl_slist **ret, struct pl_http_driver *driver,
                                     const struct pl_http_ask *ask, struct plait_response *response);

#endif
