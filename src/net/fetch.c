#include "config.h"

#include <curl/curl.h>

#include "net/client.h"

static bool is_loopback(const char *host)
{
    struct cs_view view = cs_view_cstr(host);

    if (cs_view_eq(view, CS_LIT("localhost")) || cs_view_eq(view, CS_LIT("[::1]")))
        return true;
    /* curl has brought every way to write an IPv4 address into four numbers. */
    if (!cs_view_starts(view, CS_LIT("127.")))
        return false;
    for (size_t i = 0; i < view.len; i++)
        if (view.ptr[i] != '.' && (view.ptr[i] < '0' || view.ptr[i] > '9'))
            return false;
    return true;
}

bool cs_net_url_is_safe(const char *url)
{
    CURLU *parts = curl_url();
    char *scheme = NULL;
    char *host = NULL;
    bool may = false;

    if (parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        may = strcmp(scheme, "https") == 0 ||
              (strcmp(scheme, "http") == 0 && is_loopback(host));
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return may;
}

enum cs_code cs_net_fetch(void *payload, const char *url, struct cs_buf *out,
                          struct cs_deadline deadline, struct cs_err *err)
{
    const struct cs_net_request request = {.url = url, .deadline = deadline};
    struct cs_net_response response;
    enum cs_code rc;

    cs_net_response_init(&response, CS_NET_FETCH_MAX);
    if (!cs_net_url_is_safe(url)) {
        rc = cs_err_set(err, CS_EINVAL, "%s is not an https address", url);
        goto out;
    }
    if ((rc = cs_net_perform(payload, &request, &response, err)) != CS_OK)
        goto out;
    if (response.status != 200) {
        if (err != NULL)
            err->upstream_status = response.status;
        rc = cs_err_set(err, CS_EUPSTREAM, "%s answered with status %d", url,
                        response.status);
        goto out;
    }
    cs_buf_add(out, cs_buf_view(&response.body));
    rc = cs_buf_check(out, err);
out:
    cs_net_response_clear(&response);
    return rc;
}
