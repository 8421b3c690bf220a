#include "config.h"

#include "api/exchange.h"

#include "base/encoding.h"
#include "json/scan.h"

#define IDEMPOTENCY_KEY_MAX 255u

/* application/json, or a type that ends in +json; parameters do not matter. */
static bool is_json_type(struct cs_view type)
{
    type = cs_view_trim(cs_view_sub(type, 0, cs_view_find_byte(type, ';')));
    if (cs_view_eq_nocase(type, CS_LIT("application/json")))
        return true;
    return type.len > 5 &&
           cs_view_eq_nocase(cs_view_from(type, type.len - 5), CS_LIT("+json"));
}

enum cs_code cs_exchange_json(struct cs_exchange *x, struct cs_buf *out, size_t max,
                              bool optional, struct cs_err *err)
{
    struct cs_view type = cs_request_header(x->request, "Content-Type");
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code rc;

    if (type.len > 0 && !is_json_type(type))
        return cs_err_field(err, CS_EUNSUPPORTED, "Content-Type",
                            "media_type_not_supported",
                            "the body must be JSON: send Content-Type: application/json");
    if ((rc = cs_request_read_all(x->request, max, out, err)) != CS_OK)
        return rc;
    if (out->len == 0 && optional) {
        cs_buf_add(out, CS_LIT("{}"));
        return cs_buf_check(out, err);
    }
    if (out->len == 0)
        return cs_err_field(err, CS_EINVAL, "", "body_missing",
                            "a JSON body is expected and none was sent");
    rc = cs_json_validate(cs_buf_view(out), NULL, &cause);
    if (rc != CS_OK)
        return cs_err_field(err, rc, "", "json_invalid", "%s", cause.text);
    return CS_OK;
}

/* *given tells an empty value from an absent one. */
static enum cs_code read_query(struct cs_exchange *x, const char *name,
                               struct cs_buf *out, bool *given, struct cs_err *err)
{
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code rc = cs_request_query_value(x->request, name, out, &cause);

    *given = rc == CS_OK;
    if (rc == CS_OK || rc == CS_ENOTFOUND)
        return CS_OK;
    if (rc == CS_ETOOBIG)
        return cs_err_field(err, CS_EINVAL, name, "query_invalid",
                            "the query parameter %s is longer than %zu bytes", name,
                            out->max);
    return cs_err_field(err, rc, name, "query_invalid", "%s", cause.text);
}

enum cs_code cs_exchange_query_text(struct cs_exchange *x, const char *name,
                                    struct cs_buf *out, struct cs_err *err)
{
    bool given;

    return read_query(x, name, out, &given, err);
}

enum cs_code cs_exchange_query_choice(struct cs_exchange *x, const char *name,
                                      const char *choices, struct cs_buf *out,
                                      struct cs_err *err)
{
    struct cs_view rest = cs_view_cstr(choices);
    struct cs_view choice;
    bool given;
    enum cs_code rc = read_query(x, name, out, &given, err);

    if (rc != CS_OK || !given)
        return rc;
    while (cs_view_split(&rest, '|', &choice))
        if (cs_view_eq(cs_buf_view(out), choice))
            return CS_OK;
    return cs_err_field(err, CS_EINVAL, name, "query_invalid",
                        "the query parameter %s must be one of %s", name, choices);
}

enum cs_code cs_exchange_query_number(struct cs_exchange *x, const char *name,
                                      uint64_t min, uint64_t max, uint64_t fallback,
                                      uint64_t *out, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_INIT(64);
    bool given;
    enum cs_code rc = read_query(x, name, &text, &given, err);

    *out = fallback;
    if (rc == CS_OK && given &&
        (!cs_view_to_u64(cs_buf_view(&text), out) || *out < min || *out > max))
        rc = cs_err_field(
            err, CS_EINVAL, name, "query_invalid",
            "the query parameter %s must be a whole number from %llu to %llu", name,
            (unsigned long long)min, (unsigned long long)max);
    cs_buf_clear(&text);
    return rc;
}

enum cs_code cs_exchange_query_refused(enum cs_code rc, const struct cs_err *cause,
                                       struct cs_err *err)
{
    if (rc == CS_EINVAL)
        return cs_err_field(err, rc, cause->field, "query_invalid",
                            "the query parameter %s: %s", cause->field, cause->text);
    cs_err_hand_on(err, cause);
    return rc;
}

enum cs_code cs_exchange_idempotency_key(struct cs_exchange *x, struct cs_view *out,
                                         struct cs_err *err)
{
    bool good;

    *out = cs_request_header(x->request, "Idempotency-Key");
    good = out->len <= IDEMPOTENCY_KEY_MAX;
    for (size_t i = 0; i < out->len && good; i++)
        good = out->ptr[i] >= 0x20 && out->ptr[i] < 0x7f;
    if (!good)
        return cs_err_field(err, CS_EINVAL, "Idempotency-Key", "header_invalid",
                            "an Idempotency-Key has at most %u characters, of printable "
                            "ASCII alone",
                            IDEMPOTENCY_KEY_MAX);
    return CS_OK;
}

enum cs_code cs_exchange_answer(struct cs_exchange *x, int status, struct cs_err *err)
{
    cs_response_status(x->response, status);
    cs_response_header(x->response, "Content-Type", CS_LIT("application/json"));
    cs_response_header(x->response, "Cache-Control", CS_LIT("no-store"));
    return cs_buf_check(cs_response_body(x->response), err);
}

bool cs_exchange_not_modified(struct cs_exchange *x, const char *etag)
{
    struct cs_view rest = cs_request_header(x->request, "If-None-Match");
    struct cs_view tag;

    while (cs_view_split(&rest, ',', &tag)) {
        tag = cs_view_trim(tag);
        if (cs_view_starts(
                tag, CS_LIT("W/"))) /* the comparison is weak here (RFC 9110 13.1.2) */
            tag = cs_view_from(tag, 2);
        if (cs_view_eq(tag, CS_LIT("*")) || cs_view_eq_cstr(tag, etag)) {
            cs_response_status(x->response, 304);
            return true;
        }
    }
    return false;
}

enum cs_code cs_exchange_digest(struct cs_exchange *x, struct cs_buf *hex_out,
                                struct cs_err *err)
{
    const struct cs_view ours = CS_LIT("sha-256=:");
    struct cs_view rest = cs_request_header(x->request, "Content-Digest");
    bool any = rest.len > 0;
    struct cs_view part;

    while (cs_view_split(&rest, ',', &part)) {
        struct cs_buf digest = CS_BUF_INIT(CS_SHA256_LEN);
        char hex[2 * CS_SHA256_LEN + 1];
        size_t end;
        bool good;

        part = cs_view_trim(part);
        if (!cs_view_starts(part, ours))
            continue;
        part = cs_view_from(part, ours.len);
        end = cs_view_find_byte(part, ':');
        good = end != SIZE_MAX &&
               cs_base64_decode(&digest, cs_view_sub(part, 0, end), NULL) == CS_OK &&
               digest.len == CS_SHA256_LEN;
        if (good)
            cs_hex_encode(hex, digest.ptr, digest.len);
        cs_buf_clear(&digest);
        if (good) {
            cs_buf_add_cstr(hex_out, hex);
            return cs_buf_check(hex_out, err);
        }
        any = true;
    }
    if (any)
        return cs_err_field(err, CS_EINVAL, "Content-Digest", "digest_invalid",
                            "write it as Content-Digest: sha-256=:BASE64: (RFC 9530)");
    return CS_OK;
}
