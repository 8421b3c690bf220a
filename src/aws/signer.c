#include "config.h"

#include "aws/signer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/encoding.h"

#define KEYS_MAX       6u  /* S3, DynamoDB and STS, and room for a second region or day */
#define SCOPE_NAME_MAX 64u /* bytes of a region or a service */
#define SCRATCH_MAX    (64u << 10)
#define EXPIRES_MAX    604800

struct kept_key {
    char day[8];
    char region[SCOPE_NAME_MAX];
    char service[SCOPE_NAME_MAX];
    char secret[CS_SIGV4_SECRET_MAX]; /* a rotated one must not meet the old one's key */
    size_t region_len, service_len, secret_len;
    struct cs_hmac_key key;
};

struct cs_signer {
    struct kept_key keys[KEYS_MAX];
    size_t next_key;
    struct cs_buf canonical;
    struct cs_buf to_sign;
    struct cs_buf authorization;
    struct cs_buf scratch;     /* of presigning */
    struct cs_buf shared;      /* parameters of presigned URLs; see share() */
    struct cs_buf shared_from; /* what they were made of */
    int64_t date_s;            /* the second that `date` tells */
    char date[CS_SIGV4_DATE_LEN + 1];
    char signature[CS_SIGV4_HEX_LEN + 1];
};

struct cs_signer *cs_signer_new(void)
{
    struct cs_signer *signer = calloc(1, sizeof(*signer));

    if (signer == NULL)
        return NULL;
    cs_buf_init(&signer->canonical, SCRATCH_MAX);
    cs_buf_init(&signer->to_sign, SCRATCH_MAX);
    cs_buf_init(&signer->authorization, SCRATCH_MAX);
    cs_buf_init(&signer->scratch, SCRATCH_MAX);
    cs_buf_init(&signer->shared, SCRATCH_MAX);
    cs_buf_init(&signer->shared_from, SCRATCH_MAX);
    return signer;
}

void cs_signer_free(struct cs_signer *signer)
{
    if (signer == NULL)
        return;
    cs_buf_wipe(&signer->canonical); /* it has held session tokens */
    cs_buf_wipe(&signer->to_sign);
    cs_buf_wipe(&signer->authorization);
    cs_buf_wipe(&signer->scratch);
    cs_buf_wipe(&signer->shared);
    cs_buf_wipe(&signer->shared_from);
    cs_wipe(signer, sizeof(*signer));
    free(signer);
}

/* ---- keys ---- */

static bool holds(const char *bytes, size_t len, struct cs_view text)
{
    return cs_view_eq(cs_view_of(bytes, len), text);
}

static bool is_for(const struct kept_key *kept, const struct cs_signer_params *params,
                   struct cs_view day)
{
    return holds(kept->day, sizeof(kept->day), day) &&
           holds(kept->region, kept->region_len, params->region) &&
           holds(kept->service, kept->service_len, params->service) &&
           cs_view_eq_secret(cs_view_of(kept->secret, kept->secret_len), params->secret);
}

static void keep_text(char *to, size_t *len_out, struct cs_view text)
{
    memcpy(to, text.ptr, text.len);
    *len_out = text.len;
}

static enum cs_code derive(struct cs_hmac_key *out, const struct cs_signer_params *params,
                           struct cs_view day, struct cs_err *err)
{
    const struct cs_sigv4_scope scope = {day, params->region, params->service};
    uint8_t key[CS_SIGV4_KEY_LEN];
    enum cs_code rc = cs_sigv4_signing_key(key, params->secret, &scope, err);

    if (rc == CS_OK)
        rc = cs_hmac_key_init(out, cs_view_of(key, sizeof(key)), err);
    cs_wipe(key, sizeof(key));
    return rc;
}

enum cs_code cs_signer_key(struct cs_signer *signer,
                           const struct cs_signer_params *params, struct cs_view day,
                           const struct cs_hmac_key **key_out, struct cs_err *err)
{
    struct kept_key *kept = &signer->keys[signer->next_key];
    enum cs_code rc;

    *key_out = NULL;
    for (size_t i = 0; i < KEYS_MAX; i++) {
        if (is_for(&signer->keys[i], params, day)) {
            *key_out = &signer->keys[i].key;
            return CS_OK;
        }
    }
    cs_wipe(kept, sizeof(*kept));
    if (params->region.len > SCOPE_NAME_MAX || params->service.len > SCOPE_NAME_MAX)
        return cs_err_set(err, CS_ETOOBIG, "a region or service of more than %u bytes",
                          SCOPE_NAME_MAX);
    if ((rc = derive(&kept->key, params, day, err)) != CS_OK)
        return rc;
    memcpy(kept->day, day.ptr, sizeof(kept->day));
    keep_text(kept->region, &kept->region_len, params->region);
    keep_text(kept->service, &kept->service_len, params->service);
    keep_text(kept->secret, &kept->secret_len, params->secret);
    signer->next_key = (signer->next_key + 1) % KEYS_MAX;
    *key_out = &kept->key;
    return CS_OK;
}

/* ---- both forms ---- */

static void set_date(struct cs_signer *signer, int64_t time_us)
{
    if (signer->date[0] != '\0' && time_us / CS_SECOND_US == signer->date_s)
        return;
    cs_sigv4_date(signer->date, time_us);
    signer->date_s = time_us / CS_SECOND_US;
}

static struct cs_view date_of(const struct cs_signer *signer)
{
    return cs_view_of(signer->date, CS_SIGV4_DATE_LEN);
}

static struct cs_sigv4_scope scope_of(const struct cs_signer *signer,
                                      const struct cs_signer_params *params)
{
    return (struct cs_sigv4_scope){cs_view_of(signer->date, 8), params->region,
                                   params->service};
}

/* From the request to the signature; *names_out is the list of signed headers. */
static enum cs_code run_stages(struct cs_signer *signer,
                               const struct cs_signer_params *params,
                               const struct cs_sigv4_request *request,
                               struct cs_view *names_out, struct cs_err *err)
{
    const struct cs_sigv4_scope scope = scope_of(signer, params);
    const struct cs_hmac_key *key;
    enum cs_code rc;

    cs_buf_reset(&signer->canonical);
    cs_buf_reset(&signer->to_sign);
    if ((rc = cs_sigv4_canonical_request(&signer->canonical, request, names_out, err)) !=
            CS_OK ||
        (rc = cs_sigv4_string_to_sign(&signer->to_sign, date_of(signer), &scope,
                                      cs_buf_view(&signer->canonical), err)) != CS_OK ||
        (rc = cs_signer_key(signer, params, scope.day, &key, err)) != CS_OK)
        return rc;
    return cs_sigv4_signature(signer->signature, key, cs_buf_view(&signer->to_sign), err);
}

/* ---- header form ---- */

static void add_header(struct cs_signer_headers *out, struct cs_view name,
                       struct cs_view value)
{
    out->items[out->count++] = (struct cs_net_header){name, value};
}

static void write_authorization(struct cs_signer *signer,
                                const struct cs_signer_params *params,
                                struct cs_view names)
{
    const struct cs_sigv4_scope scope = scope_of(signer, params);
    struct cs_buf *out = &signer->authorization;

    cs_buf_reset(out);
    cs_buf_add(out, CS_LIT("AWS4-HMAC-SHA256 Credential="));
    cs_buf_add(out, params->access_key_id);
    cs_buf_add_byte(out, '/');
    cs_sigv4_scope_text(out, &scope);
    cs_buf_add(out, CS_LIT(", SignedHeaders="));
    cs_buf_add(out, names);
    cs_buf_add(out, CS_LIT(", Signature="));
    cs_buf_add(out, cs_signer_last_signature(signer));
}

enum cs_code cs_signer_sign(struct cs_signer *signer,
                            const struct cs_signer_params *params,
                            const struct cs_sigv4_request *request,
                            struct cs_signer_headers *out, struct cs_err *err)
{
    struct cs_net_header all[CS_SIGV4_HEADERS_MAX];
    struct cs_sigv4_request complete = *request;
    struct cs_view names;
    enum cs_code rc;

    out->count = 0;
    if (request->header_count > CS_SIGV4_HEADERS_MAX - CS_SIGNER_ADDED_MAX)
        return cs_err_set(err, CS_ETOOBIG, "too many headers to sign");
    set_date(signer, params->time_us);
    add_header(out, CS_LIT("X-Amz-Date"), date_of(signer));
    if (params->content_sha256)
        add_header(out, CS_LIT("x-amz-content-sha256"), request->payload);
    if (params->token.len > 0 && !params->token_not_signed)
        add_header(out, CS_LIT("X-Amz-Security-Token"), params->token);
    for (size_t i = 0; i < request->header_count; i++)
        all[i] = request->headers[i];
    for (size_t i = 0; i < out->count; i++)
        all[request->header_count + i] = out->items[i];
    complete.headers = all;
    complete.header_count = request->header_count + out->count;
    if ((rc = run_stages(signer, params, &complete, &names, err)) != CS_OK)
        return rc;
    if (params->token.len > 0 && params->token_not_signed)
        add_header(out, CS_LIT("X-Amz-Security-Token"), params->token);
    write_authorization(signer, params, names);
    if ((rc = cs_buf_check(&signer->authorization, err)) != CS_OK)
        return rc;
    add_header(out, CS_LIT("Authorization"), cs_buf_view(&signer->authorization));
    return CS_OK;
}

/* ---- query form ---- */

static void add_param(struct cs_buf *out, struct cs_view name, struct cs_view value)
{
    if (out->len > 0)
        cs_buf_add_byte(out, '&');
    cs_buf_add(out, name);
    cs_buf_add_byte(out, '=');
    cs_percent_encode(out, value, false);
}

static enum cs_code write_shared(struct cs_signer *signer,
                                 const struct cs_signer_params *params,
                                 const struct cs_sigv4_request *request,
                                 int64_t expires_s, struct cs_err *err)
{
    const struct cs_sigv4_scope scope = scope_of(signer, params);
    struct cs_buf *out = &signer->shared;
    struct cs_buf *scratch = &signer->scratch;
    enum cs_code rc;

    cs_buf_reset(out);
    cs_buf_reset(scratch);
    cs_buf_add(scratch, params->access_key_id);
    cs_buf_add_byte(scratch, '/');
    cs_sigv4_scope_text(scratch, &scope);
    if ((rc = cs_buf_check(scratch, err)) != CS_OK)
        return rc;
    add_param(out, CS_LIT("X-Amz-Algorithm"), CS_LIT("AWS4-HMAC-SHA256"));
    add_param(out, CS_LIT("X-Amz-Credential"), cs_buf_view(scratch));
    add_param(out, CS_LIT("X-Amz-Date"), date_of(signer));
    cs_buf_add(out, CS_LIT("&X-Amz-Expires="));
    cs_buf_add_i64(out, expires_s);
    if (params->token.len > 0 && !params->token_not_signed)
        add_param(out, CS_LIT("X-Amz-Security-Token"), params->token);
    cs_buf_reset(scratch);
    if ((rc = cs_sigv4_signed_headers(scratch, request, err)) != CS_OK)
        return rc;
    add_param(out, CS_LIT("X-Amz-SignedHeaders"), cs_buf_view(scratch));
    return cs_buf_check(out, err);
}

static void add_line(struct cs_buf *out, struct cs_view text)
{
    cs_buf_add(out, text);
    cs_buf_add_byte(out, '\n');
}

/* Leaves in signer->shared the parameters that say nothing of the object, in their
 * canonical form. They are most of a query, and the same for all URLs that are made
 * within a second, so they are written only where something that they are made of has
 * changed. */
static enum cs_code share(struct cs_signer *signer, const struct cs_signer_params *params,
                          const struct cs_sigv4_request *request, int64_t expires_s,
                          struct cs_err *err)
{
    struct cs_buf *kept = &signer->shared_from;
    struct cs_buf *from = &signer->scratch;
    enum cs_code rc;

    cs_buf_reset(from);
    add_line(from, date_of(signer));
    add_line(from, params->access_key_id);
    add_line(from, params->region);
    add_line(from, params->service);
    add_line(from, params->token_not_signed ? CS_LIT("") : params->token);
    cs_buf_add_i64(from, expires_s);
    for (size_t i = 0; i < request->header_count; i++) {
        cs_buf_add_byte(from, '\n');
        cs_buf_add(from, request->headers[i].name);
    }
    if ((rc = cs_buf_check(from, err)) != CS_OK)
        return rc;
    if (cs_view_eq(cs_buf_view(from), cs_buf_view(kept)))
        return CS_OK;
    cs_buf_reset(kept);
    cs_buf_add(kept, cs_buf_view(from));
    if ((rc = cs_buf_check(kept, err)) == CS_OK)
        rc = write_shared(signer, params, request, expires_s, err);
    if (rc != CS_OK)
        cs_buf_reset(kept); /* for what is there is not whole */
    return rc;
}

/* Appends what is shared and the request's own parameters, in canonical form. */
static enum cs_code add_query(struct cs_signer *signer,
                              const struct cs_sigv4_request *request, struct cs_buf *out,
                              struct cs_err *err)
{
    struct cs_view own = request->query;
    struct cs_buf *both = &signer->scratch;
    enum cs_code rc;

    /* those that S3 knows start with a small letter, behind the shared ones' X */
    if (own.len == 0 || (request->query_is_canonical && own.ptr[0] > 'X')) {
        cs_buf_add(out, cs_buf_view(&signer->shared));
        if (own.len > 0)
            cs_buf_add_byte(out, '&');
        cs_buf_add(out, own);
        return cs_buf_check(out, err);
    }
    cs_buf_reset(both);
    cs_buf_add(both, own);
    cs_buf_add_byte(both, '&');
    cs_buf_add(both, cs_buf_view(&signer->shared));
    if ((rc = cs_buf_check(both, err)) != CS_OK)
        return rc;
    return cs_sigv4_canonical_query(out, cs_buf_view(both), err);
}

enum cs_code cs_signer_presign(struct cs_signer *signer,
                               const struct cs_signer_params *params,
                               const struct cs_sigv4_request *request, int64_t expires_s,
                               struct cs_buf *query_out, struct cs_err *err)
{
    struct cs_sigv4_request complete = *request;
    struct cs_view names;
    size_t start; /* of the query in query_out */
    enum cs_code rc;

    if (expires_s < 1 || expires_s > EXPIRES_MAX)
        return cs_err_set(err, CS_EINVAL, "a presigned URL lives 1 to %d seconds",
                          EXPIRES_MAX);
    start = query_out->len;
    set_date(signer, params->time_us);
    if ((rc = share(signer, params, request, expires_s, err)) != CS_OK ||
        (rc = add_query(signer, request, query_out, err)) != CS_OK)
        return rc;
    complete.query = cs_view_from(cs_buf_view(query_out), start);
    complete.query_is_canonical = true;
    if ((rc = run_stages(signer, params, &complete, &names, err)) != CS_OK)
        return rc;
    if (params->token.len > 0 && params->token_not_signed)
        add_param(query_out, CS_LIT("X-Amz-Security-Token"), params->token);
    cs_buf_add(query_out, CS_LIT("&X-Amz-Signature="));
    cs_buf_add(query_out, cs_signer_last_signature(signer));
    return cs_buf_check(query_out, err);
}

struct cs_view cs_signer_last_signature(const struct cs_signer *signer)
{
    return cs_view_cstr(signer->signature);
}

struct cs_view cs_signer_canonical_request(const struct cs_signer *signer)
{
    return cs_buf_view(&signer->canonical);
}

struct cs_view cs_signer_string_to_sign(const struct cs_signer *signer)
{
    return cs_buf_view(&signer->to_sign);
}
