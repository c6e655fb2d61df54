/**
 * @file plait/curl.h
 * libcurl for tasks: existing code becomes concurrent by one changed call. Not part of plait/plait.h, as it needs
 * libcurl's own header.
 *
 * @code{.c}
 * #include <plait/curl.h>
 * #include <plait/plait.h>
 * #include <stdio.h>
 *
 * static int fetch(void *url)
 * {
 *         CURL *easy = curl_easy_init();
 *
 *         if (!easy)
 *                 return -ENOMEM;
 *         curl_easy_setopt(easy, CURLOPT_URL, url);
 *         printf("%s: %s\n", (char *)url, curl_easy_strerror(plait_http_perform(easy)));
 *         curl_easy_cleanup(easy);
 *         return 0;
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *
 *         (void)arg;
 *         plait_scope_go(&scope, fetch, "http://127.0.0.1:1/");
 *         plait_scope_go(&scope, fetch, "file:///etc/hostname");
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         return plait_run(app, NULL, NULL) ? 1 : 0;
 * }
 * @endcode
 */
#ifndef PLAIT_CURL_H
#define PLAIT_CURL_H

#include <curl/curl.h>

#include <plait/base.h>

PLAIT_BEGIN_DECLS

/**
 * Do for a task what curl_easy_perform() does for a thread: run the transfer set up in *easy* and return when it has
 * ended. Other tasks run meanwhile, and connections are shared with the transfers of other tasks.
 *
 * The handle's callbacks run in a service task of the library, one at a time with those of other transfers: they must
 * neither suspend nor block. This sets the handle's CURLOPT_NOSIGNAL and CURLOPT_PIPEWAIT.
 *
 * It gives libcurl's own verdict, and libcurl takes some truncated answers for whole ones; plait/http.h does not.
 *
 * @param easy  in no multi handle, and used by nobody else until this returns
 * @return what curl_easy_perform() would return, or
 *   - CURLE_ABORTED_BY_CALLBACK  the task's scope was cancelled
 *   - CURLE_OPERATION_TIMEDOUT   also when the deadline of a scope came
 *   - CURLE_FAILED_INIT          also when libcurl.so.4, with OpenSSL, cannot be loaded
 *   - CURLE_OUT_OF_MEMORY        also when the service task could not be started
 *   - CURLE_BAD_FUNCTION_ARGUMENT  *easy* is NULL or in use
 *
 * Threads: any; in a thread that runs no task it is curl_easy_perform(). Suspends: may. Cancellation: ends the transfer
 * and closes its connection. Since: 0.1.
 */
PLAIT_API CURLcode plait_http_perform(CURL *easy);

PLAIT_END_DECLS

#endif
