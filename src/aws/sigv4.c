#include "config.h"

#include "aws/sigv4.h"

#include "base/clock.h"
#include "base/encoding.h"

/* Hops may change, add or drop these, so a signature over them would break. */
static const struct cs_view unsigned_headers[] = {
    CS_LIT_INIT("authorization"),
    CS_LIT_INIT("connection"),
    CS_LIT_INIT("expect"),
    CS_LIT_INIT("keep-alive"),
    CS_LIT_INIT("transfer-encoding"),
    CS_LIT_INIT("upgrade"),
    CS_LIT_INIT("user-agent"),
    CS_LIT_INIT("x-amzn-trace-id"),
    CS_LIT_INIT("proxy-authorization"),
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_space(char c)
{
    /* the first comparison settles it for most */
    return (unsigned char)c <= ' ' && (c == ' ' || c == '\t' || c == '\r' || c == '\n');
}

/* ---- path ---- */

/* RFC 3986 section 5.2.4, with repeated slashes made one. The result is never
 * longer than the path. Appends whole segments, each led by its slash. */
static void add_normal_path(struct cs_buf *out, struct cs_view path)
{
    size_t start = out->len;
    bool folder = path.len == 0;
    struct cs_view rest = path;
    struct cs_view segment;

    while (cs_view_split(&rest, '/', &segment)) {
        folder = segment.len == 0 || cs_view_eq(segment, CS_LIT(".")) ||
                 cs_view_eq(segment, CS_LIT(".."));
        if (cs_view_eq(segment, CS_LIT(".."))) {
            while (out->len > start && out->ptr[out->len - 1] != '/')
                cs_buf_truncate(out, out->len - 1);
            if (out->len > start)
                cs_buf_truncate(out, out->len - 1);
        } else if (!folder) {
            cs_buf_add_byte(out, '/');
            cs_percent_encode(out, segment, false);
        }
    }
    if (folder || out->len == start)
        cs_buf_add_byte(out, '/');
}

static void add_path(struct cs_buf *out, struct cs_view path, enum cs_sigv4_path rule)
{
    if (path.len == 0)
        cs_buf_add_byte(out, '/');
    else if (rule == CS_SIGV4_PATH_S3 || cs_view_eq(path, CS_LIT("/")))
        cs_buf_add(out, path);
    else if (rule == CS_SIGV4_PATH_ENCODE)
        cs_percent_encode(out, path, true);
    else
        add_normal_path(out, path);
}

/* ---- query ---- */

struct param {
    struct cs_view name;
    struct cs_view value;
};

/* The byte that stands at *at, escaped or not; moves *at behind it. */
static unsigned char next_byte(struct cs_view text, size_t *at)
{
    unsigned char byte = (unsigned char)text.ptr[*at];

    if (byte == '%' && cs_hex_decode(&byte, 1, cs_view_sub(text, *at + 1, 2)))
        *at += 3;
    else
        *at += 1;
    return byte;
}

/* Order of the encoded texts, whatever of them is encoded already. The order of
 * bytes and that of their escapes differ ('%' sorts first), so it is the escapes
 * that are compared. */
static int compare_encoded(struct cs_view a, struct cs_view b)
{
    size_t i = 0;
    size_t k = 0;

    while (i < a.len && k < b.len) {
        unsigned char x, y;
        int left, right;

        if (a.ptr[i] == b.ptr[k] && a.ptr[i] != '%') {
            i++;
            k++;
            continue;
        }
        x = next_byte(a, &i);
        y = next_byte(b, &k);
        left = cs_is_unreserved((char)x) ? x : '%';
        right = cs_is_unreserved((char)y) ? y : '%';

        if (left != right)
            return left - right;
        if (x != y)
            return x - y;
    }
    return (i < a.len) - (k < b.len);
}

static int compare_params(const struct param *a, const struct param *b)
{
    int order = compare_encoded(a->name, b->name);

    return order != 0 ? order : compare_encoded(a->value, b->value);
}

static bool is_upper_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* How many bytes from `from` on are encoded as they have to be. */
static size_t encoded_run(struct cs_view text, size_t from)
{
    size_t at = from;

    for (;;) {
        while (at < text.len && cs_is_unreserved(text.ptr[at]))
            at++;
        if (text.len - at < 3 || text.ptr[at] != '%' || !is_upper_hex(text.ptr[at + 1]) ||
            !is_upper_hex(text.ptr[at + 2]))
            return at - from;
        if (cs_is_unreserved((char)(cs_hex_value(text.ptr[at + 1]) << 4 |
                                    cs_hex_value(text.ptr[at + 2]))))
            return at - from;
        at += 3;
    }
}

static void add_encoded(struct cs_buf *out, struct cs_view text)
{
    for (size_t i = 0; i < text.len;) {
        size_t run = encoded_run(text, i);
        char byte;

        cs_buf_add(out, cs_view_sub(text, i, run));
        i += run;
        if (i == text.len)
            return;
        byte = (char)next_byte(text, &i);
        cs_percent_encode(out, cs_view_of(&byte, 1), false);
    }
}

enum cs_code cs_sigv4_canonical_query(struct cs_buf *out, struct cs_view query,
                                      struct cs_err *err)
{
    struct param params[CS_SIGV4_PARAMS_MAX];
    struct cs_view rest = query;
    struct cs_view piece;
    size_t count = 0;

    while (query.len > 0 && cs_view_split(&rest, '&', &piece)) {
        size_t equals = cs_view_find_byte(piece, '=');
        struct param param = {cs_view_sub(piece, 0, equals), cs_view_of("", 0)};
        size_t at = count;

        if (piece.len == 0)
            continue;
        if (count == CS_SIGV4_PARAMS_MAX)
            return cs_err_set(err, CS_ETOOBIG, "more than %u query parameters to sign",
                              CS_SIGV4_PARAMS_MAX);
        if (equals != SIZE_MAX)
            param.value = cs_view_from(piece, equals + 1);
        for (; at > 0 && compare_params(&params[at - 1], &param) > 0; at--)
            params[at] = params[at - 1];
        params[at] = param;
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            cs_buf_add_byte(out, '&');
        add_encoded(out, params[i].name);
        cs_buf_add_byte(out, '=');
        add_encoded(out, params[i].value);
    }
    return cs_buf_check(out, err);
}

/* ---- headers ---- */

struct sorted {
    const struct cs_net_header *items[CS_SIGV4_HEADERS_MAX];
    size_t count;
};

static int compare_names(struct cs_view a, struct cs_view b)
{
    size_t common = a.len < b.len ? a.len : b.len;

    for (size_t i = 0; i < common; i++) {
        int order = (unsigned char)lower(a.ptr[i]) - (unsigned char)lower(b.ptr[i]);

        if (order != 0)
            return order;
    }
    return (a.len > common) - (b.len > common);
}

static bool is_signed(struct cs_view name)
{
    for (size_t i = 0; i < CS_COUNT(unsigned_headers); i++)
        if (name.len == unsigned_headers[i].len &&
            cs_view_eq_nocase(name, unsigned_headers[i]))
            return false;
    return true;
}

/* By name; those of one name keep their order. */
static enum cs_code sort_headers(struct sorted *sorted,
                                 const struct cs_sigv4_request *request,
                                 struct cs_err *err)
{
    bool host = false;

    sorted->count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct cs_net_header *header = &request->headers[i];
        size_t at = sorted->count;

        if (!is_signed(header->name))
            continue;
        if (sorted->count == CS_SIGV4_HEADERS_MAX)
            return cs_err_set(err, CS_ETOOBIG, "more than %u headers to sign",
                              CS_SIGV4_HEADERS_MAX);
        host = host || cs_view_eq_nocase(header->name, CS_LIT("host"));
        for (; at > 0 && compare_names(sorted->items[at - 1]->name, header->name) > 0;
             at--)
            sorted->items[at] = sorted->items[at - 1];
        sorted->items[at] = header;
        sorted->count++;
    }
    return host ? CS_OK
                : cs_err_set(err, CS_EINVAL, "a request to sign without a Host header");
}

static bool repeats(const struct sorted *sorted, size_t i)
{
    return i > 0 && cs_view_eq_nocase(sorted->items[i]->name, sorted->items[i - 1]->name);
}

static void add_lower(struct cs_buf *out, struct cs_view name)
{
    char *to = cs_buf_room(out, name.len);

    if (to == NULL)
        return;
    for (size_t i = 0; i < name.len; i++)
        to[i] = lower(name.ptr[i]);
    cs_buf_grew(out, name.len);
}

/* Trimmed, and each run of white space made one space. */
static void add_value(struct cs_buf *out, struct cs_view value)
{
    char *to;
    size_t len = 0;

    value = cs_view_trim(value);
    to = cs_buf_room(out, value.len);
    if (to == NULL)
        return;
    for (size_t i = 0; i < value.len; i++) {
        if (!is_space(value.ptr[i]))
            to[len++] = value.ptr[i];
        else if (!is_space(value.ptr[i - 1])) /* i > 0: the value is trimmed */
            to[len++] = ' ';
    }
    cs_buf_grew(out, len);
}

static void add_headers(struct cs_buf *out, const struct sorted *sorted)
{
    for (size_t i = 0; i < sorted->count; i++) {
        if (repeats(sorted, i)) {
            cs_buf_add_byte(out, ',');
        } else {
            if (i > 0)
                cs_buf_add_byte(out, '\n');
            add_lower(out, sorted->items[i]->name);
            cs_buf_add_byte(out, ':');
        }
        add_value(out, sorted->items[i]->value);
    }
    cs_buf_add_byte(out, '\n');
}

static void add_names(struct cs_buf *out, const struct sorted *sorted)
{
    for (size_t i = 0; i < sorted->count; i++) {
        if (repeats(sorted, i))
            continue;
        if (i > 0)
            cs_buf_add_byte(out, ';');
        add_lower(out, sorted->items[i]->name);
    }
}

enum cs_code cs_sigv4_signed_headers(struct cs_buf *out,
                                     const struct cs_sigv4_request *request,
                                     struct cs_err *err)
{
    struct sorted sorted;
    enum cs_code rc;

    if ((rc = sort_headers(&sorted, request, err)) != CS_OK)
        return rc;
    add_names(out, &sorted);
    return cs_buf_check(out, err);
}

enum cs_code cs_sigv4_canonical_request(struct cs_buf *out,
                                        const struct cs_sigv4_request *request,
                                        struct cs_view *signed_headers_out,
                                        struct cs_err *err)
{
    struct sorted sorted;
    size_t names_at;
    size_t names_end;
    enum cs_code rc;

    *signed_headers_out = cs_view_of("", 0);
    if ((rc = sort_headers(&sorted, request, err)) != CS_OK)
        return rc;
    cs_buf_add(out, request->method);
    cs_buf_add_byte(out, '\n');
    add_path(out, request->path, request->path_rule);
    cs_buf_add_byte(out, '\n');
    if (request->query_is_canonical)
        cs_buf_add(out, request->query);
    else if ((rc = cs_sigv4_canonical_query(out, request->query, err)) != CS_OK)
        return rc;
    cs_buf_add_byte(out, '\n');
    add_headers(out, &sorted);
    cs_buf_add_byte(out, '\n');
    names_at = out->len;
    add_names(out, &sorted);
    names_end = out->len;
    cs_buf_add_byte(out, '\n');
    cs_buf_add(out, request->payload);
    if ((rc = cs_buf_check(out, err)) != CS_OK)
        return rc;
    *signed_headers_out = cs_view_of(out->ptr + names_at, names_end - names_at);
    return CS_OK;
}

/* ---- string to sign, key, signature ---- */

void cs_sigv4_scope_text(struct cs_buf *out, const struct cs_sigv4_scope *scope)
{
    cs_buf_add(out, scope->day);
    cs_buf_add_byte(out, '/');
    cs_buf_add(out, scope->region);
    cs_buf_add_byte(out, '/');
    cs_buf_add(out, scope->service);
    cs_buf_add(out, CS_LIT("/aws4_request"));
}

enum cs_code cs_sigv4_string_to_sign(struct cs_buf *out, struct cs_view date,
                                     const struct cs_sigv4_scope *scope,
                                     struct cs_view canonical_request, struct cs_err *err)
{
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc;

    if ((rc = cs_sha256_hex_of(hex, canonical_request, err)) != CS_OK)
        return rc;
    cs_buf_add(out, CS_LIT("AWS4-HMAC-SHA256\n"));
    cs_buf_add(out, date);
    cs_buf_add_byte(out, '\n');
    cs_sigv4_scope_text(out, scope);
    cs_buf_add_byte(out, '\n');
    cs_buf_add(out, cs_view_of(hex, CS_SHA256_HEX_LEN));
    return cs_buf_check(out, err);
}

static enum cs_code check_scope(const struct cs_sigv4_scope *scope, struct cs_err *err)
{
    uint64_t day;

    if (scope->day.len != 8 || !cs_view_to_u64(scope->day, &day))
        return cs_err_set(err, CS_EINVAL,
                          "the day of a signature is not of the form YYYYMMDD");
    if (scope->region.len == 0 || scope->service.len == 0)
        return cs_err_set(err, CS_EINVAL, "a signature needs a region and a service");
    return CS_OK;
}

enum cs_code cs_sigv4_signing_key(uint8_t key_out[CS_SIGV4_KEY_LEN],
                                  struct cs_view secret,
                                  const struct cs_sigv4_scope *scope, struct cs_err *err)
{
    const struct cs_view step[] = {scope->day, scope->region, scope->service,
                                   CS_LIT("aws4_request")};
    char seed[4 + CS_SIGV4_SECRET_MAX];
    uint8_t next[CS_SIGV4_KEY_LEN];
    struct cs_view key;
    enum cs_code rc;

    memset(key_out, 0, CS_SIGV4_KEY_LEN);
    if ((rc = check_scope(scope, err)) != CS_OK)
        return rc;
    if (secret.len == 0)
        return cs_err_set(err, CS_EINVAL, "an empty secret access key");
    if (secret.len > CS_SIGV4_SECRET_MAX)
        return cs_err_set(err, CS_ETOOBIG, "a secret access key of more than %u bytes",
                          CS_SIGV4_SECRET_MAX);
    memcpy(seed, "AWS4", 4);
    memcpy(seed + 4, secret.ptr, secret.len);
    key = cs_view_of(seed, 4 + secret.len);
    for (size_t i = 0; i < CS_COUNT(step) && rc == CS_OK; i++) {
        /* through `next`, since HMAC may not write over the key it reads */
        rc = cs_hmac_sha256(next, key, step[i], err);
        memcpy(key_out, next, sizeof(next));
        key = cs_view_of(key_out, CS_SIGV4_KEY_LEN);
    }
    if (rc != CS_OK)
        cs_wipe(key_out, CS_SIGV4_KEY_LEN);
    cs_wipe(next, sizeof(next));
    cs_wipe(seed, sizeof(seed));
    return rc;
}

enum cs_code cs_sigv4_signature(char out[CS_SIGV4_HEX_LEN + 1],
                                const struct cs_hmac_key *key,
                                struct cs_view string_to_sign, struct cs_err *err)
{
    uint8_t digest[CS_SHA256_LEN];
    enum cs_code rc;

    out[0] = '\0';
    if ((rc = cs_hmac_key_sign(digest, key, string_to_sign, err)) != CS_OK)
        return rc;
    cs_sha256_hex(out, digest);
    return CS_OK;
}

void cs_sigv4_date(char out[CS_SIGV4_DATE_LEN + 1], int64_t time_us)
{
    char compact[16];

    cs_time_compact(compact, time_us);
    memcpy(out, compact, 8);
    out[8] = 'T';
    memcpy(out + 9, compact + 9, 6);
    out[15] = 'Z';
    out[16] = '\0';
}
