/* net/handle.h: curl's easy handles as all of this room want them; private to it. */
#ifndef CS_NET_HANDLE_H
#define CS_NET_HANDLE_H

#include <curl/curl.h>

#include "net/client.h"

/* An easy handle with what never changes: TLS checks, protocols, no proxy but ours,
 * nothing from the environment. `share` keeps what several handles have in common.
 * NULL when out of memory; end it with curl_easy_cleanup(). */
CURL *cs_net_handle_new(const struct cs_net_options *options, CURLSH *share);

/* A number of those that curl counts as curl_off_t, or as long; 0 where it has none. */
int64_t cs_net_handle_number(CURL *easy, CURLINFO info);
long cs_net_handle_count(CURL *easy, CURLINFO info);

/* Microseconds until its connection stood, with TLS where it has TLS. */
int64_t cs_net_handle_connect_us(CURL *easy);

#endif
