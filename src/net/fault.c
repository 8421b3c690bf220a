#include "config.h"

#include "net/fault.h"

enum cs_net_fault cs_net_fault_of(CURLcode result)
{
    static const struct {
        CURLcode result;
        enum cs_net_fault fault;
    } faults[] = {
        {CURLE_OK, CS_NET_OK},
        {CURLE_COULDNT_RESOLVE_HOST, CS_NET_RESOLVE},
        {CURLE_COULDNT_RESOLVE_PROXY, CS_NET_RESOLVE},
        {CURLE_COULDNT_CONNECT, CS_NET_CONNECT},
        {CURLE_OPERATION_TIMEDOUT, CS_NET_CONNECT}, /* the one timer of curl's in use */
        {CURLE_SSL_CONNECT_ERROR, CS_NET_TLS},
        {CURLE_PEER_FAILED_VERIFICATION, CS_NET_TLS},
        {CURLE_SSL_CACERT_BADFILE, CS_NET_TLS},
        {CURLE_SSL_CERTPROBLEM, CS_NET_TLS},
        {CURLE_SSL_CIPHER, CS_NET_TLS},
        {CURLE_OUT_OF_MEMORY, CS_NET_LOCAL},
        {CURLE_URL_MALFORMAT, CS_NET_LOCAL},
        {CURLE_UNSUPPORTED_PROTOCOL, CS_NET_LOCAL},
    };

    for (size_t i = 0; i < CS_COUNT(faults); i++)
        if (faults[i].result == result)
            return faults[i].fault;
    return CS_NET_LOST;
}

/* "host:port" of a URL, for sentences. */
static struct cs_view authority(const char *url)
{
    struct cs_view rest = cs_view_cstr(url);
    size_t at = cs_view_find(rest, CS_LIT("://"));
    size_t end = 0;

    if (at != SIZE_MAX)
        rest = cs_view_from(rest, at + 3);
    while (end < rest.len && strchr("/?#", rest.ptr[end]) == NULL)
        end++;
    return cs_view_sub(rest, 0, end);
}

enum cs_code cs_net_fault_report(const struct cs_net_outcome *outcome, struct cs_err *err)
{
    static const struct {
        enum cs_code code;
        const char *reason;
        const char *what;
    } words[] = {
        [CS_NET_RESOLVE] = {CS_EUPSTREAM, "resolve_failed", "its name has no address"},
        [CS_NET_CONNECT] = {CS_EUPSTREAM, "connect_failed", "no connection"},
        [CS_NET_TLS] = {CS_EUPSTREAM, "tls_failed", "no TLS session"},
        [CS_NET_LOST] = {CS_EUPSTREAM, "connection_lost",
                         "the connection broke before the answer was whole"},
        [CS_NET_IDLE] = {CS_ETIMEOUT, "idle_timeout",
                         "it sent and took nothing any more"},
        [CS_NET_DEADLINE] = {CS_ETIMEOUT, "deadline",
                             "no whole answer in the time allowed"},
        [CS_NET_LOCAL] = {CS_EINTERNAL, "local", "the exchange was ended on this side"},
    };
    struct cs_view host =
        outcome->url != NULL ? authority(outcome->url) : CS_LIT("the server");
    enum cs_code code = words[outcome->fault].code;

    if (outcome->fault == CS_NET_LOCAL)
        code = outcome->local;
    else if (outcome->fault == CS_NET_CONNECT && outcome->slow)
        code = CS_ETIMEOUT;
    return cs_err_field(err, code, "", words[outcome->fault].reason, "%.*s: %s%s%s",
                        CS_FMT(host), words[outcome->fault].what,
                        outcome->detail[0] != '\0' ? ": " : "", outcome->detail);
}
