#include "config.h"

#include "net/handle.h"

static bool set_text(CURL *easy, CURLoption option, const char *text)
{
    return curl_easy_setopt(easy, option, text) == CURLE_OK;
}

/* An empty proxy and an empty list of exceptions are settings too: they keep curl
 * from asking the environment. */
static bool set_lasting(CURL *easy, const struct cs_net_options *options, CURLSH *share)
{
    static const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_NOPROGRESS, 1},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_NETRC, CURL_NETRC_IGNORED},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
        {CURLOPT_TCP_KEEPALIVE, 1},
        {CURLOPT_TCP_NODELAY, 1},
        /* The thread that looks for a name can't be ended. Who gives up would wait for
         * it, far past the deadline; so it is left to end, and clean up, by itself. */
        {CURLOPT_QUICK_EXIT, 1},
    };

    for (size_t i = 0; i < CS_COUNT(numbers); i++)
        if (curl_easy_setopt(easy, numbers[i].option, numbers[i].value) != CURLE_OK)
            return false;
    if (options->ca_bundle != NULL && !set_text(easy, CURLOPT_CAINFO, options->ca_bundle))
        return false;
    return set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
           set_text(easy, CURLOPT_PROXY, options->proxy != NULL ? options->proxy : "") &&
           set_text(easy, CURLOPT_USERAGENT, options->user_agent) &&
           curl_easy_setopt(easy, CURLOPT_SHARE, share) == CURLE_OK;
}

CURL *cs_net_handle_new(const struct cs_net_options *options, CURLSH *share)
{
    CURL *easy = curl_easy_init();

    if (easy == NULL || set_lasting(easy, options, share))
        return easy;
    curl_easy_cleanup(easy);
    return NULL;
}

int64_t cs_net_handle_number(CURL *easy, CURLINFO info)
{
    curl_off_t value = 0;

    return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? (int64_t)value : 0;
}

long cs_net_handle_count(CURL *easy, CURLINFO info)
{
    long value = 0;

    return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : 0;
}

int64_t cs_net_handle_connect_us(CURL *easy)
{
    int64_t with_tls_us = cs_net_handle_number(easy, CURLINFO_APPCONNECT_TIME_T);

    return with_tls_us != 0 ? with_tls_us
                            : cs_net_handle_number(easy, CURLINFO_CONNECT_TIME_T);
}
