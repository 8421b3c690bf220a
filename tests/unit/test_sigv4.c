#include "config.h"

#include "unit.h"

#include <dirent.h>

#include "aws/signer.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "json/tree.h"

#define SUITE       "sigv4/aws-signing-test-suite-v4/"
#define HEADERS_MAX 32

/* ---- one case of the public suite ---- */

struct suite_case {
    char name[128];
    struct cs_json *context;
    struct cs_buf text; /* request.txt */
    struct cs_view method, path, query, body;
    struct cs_net_header headers[HEADERS_MAX];
    size_t header_count;
    char payload[CS_SHA256_HEX_LEN + 1];
};

static void read_part(struct cs_buf *out, const struct suite_case *c, const char *file)
{
    char path[256];

    assert_true(snprintf(path, sizeof(path), SUITE "%s/%s", c->name, file) > 0);
    unit_read_vector(out, path);
    if (out->len > 0 && out->ptr[out->len - 1] == '\n')
        cs_buf_truncate(out, out->len - 1);
}

/* Lines that start with white space continue the value before them: a view over
 * both, since they lie side by side. */
static void split_headers(struct suite_case *c, struct cs_view rest)
{
    struct cs_view line;

    while (cs_view_split(&rest, '\n', &line) && line.len > 0) {
        size_t colon = cs_view_find_byte(line, ':');

        if (line.ptr[0] == ' ' || line.ptr[0] == '\t') {
            struct cs_view *value = &c->headers[c->header_count - 1].value;

            value->len = (size_t)(line.ptr + line.len - value->ptr);
            continue;
        }
        assert_true(c->header_count < HEADERS_MAX && colon != SIZE_MAX);
        c->headers[c->header_count++] = (struct cs_net_header){
            cs_view_sub(line, 0, colon), cs_view_from(line, colon + 1)};
    }
    c->body = rest.ptr != NULL ? rest : cs_view_of("", 0);
}

static void split_request(struct suite_case *c)
{
    struct cs_view rest = cs_buf_view(&c->text);
    struct cs_view line;
    size_t first;
    size_t last;
    size_t mark;

    assert_true(cs_view_split(&rest, '\n', &line));
    first = cs_view_find_byte(line, ' ');
    last = line.len - strlen(" HTTP/1.1");
    c->method = cs_view_sub(line, 0, first);
    c->path = cs_view_sub(line, first + 1, last - first - 1);
    mark = cs_view_find_byte(c->path, '?');
    c->query = mark == SIZE_MAX ? cs_view_of("", 0) : cs_view_from(c->path, mark + 1);
    c->path = cs_view_sub(c->path, 0, mark);
    if (rest.ptr != NULL)
        split_headers(c, rest);
}

static void open_case(struct suite_case *c, const char *name)
{
    struct cs_buf text;
    uint8_t digest[CS_SHA256_LEN];

    memset(c, 0, sizeof(*c));
    assert_true(snprintf(c->name, sizeof(c->name), "%s", name) > 0);
    read_part(&text, c, "context.json");
    assert_ok(cs_json_parse(&c->context, cs_buf_view(&text), NULL, err));
    cs_buf_clear(&text);
    read_part(&c->text, c, "request.txt");
    split_request(c);
    assert_ok(cs_sha256_of(digest, c->body, err));
    cs_sha256_hex(c->payload, digest);
}

static void close_case(struct suite_case *c)
{
    cs_json_free(c->context);
    cs_buf_clear(&c->text);
}

static struct cs_signer_params case_params(const struct suite_case *c)
{
    const struct cs_json *credentials = cs_json_get(c->context, "credentials");
    struct cs_signer_params params = {
        .access_key_id = cs_json_get_string(credentials, "access_key_id"),
        .secret = cs_json_get_string(credentials, "secret_access_key"),
        .token = cs_json_get_string(credentials, "token"),
        .region = cs_json_get_string(c->context, "region"),
        .service = cs_json_get_string(c->context, "service"),
        .content_sha256 = cs_json_bool(cs_json_get(c->context, "sign_body"), false),
        .token_not_signed =
            cs_json_bool(cs_json_get(c->context, "omit_session_token"), false),
    };

    assert_ok(
        cs_time_parse(&params.time_us, cs_json_get_string(c->context, "timestamp"), err));
    return params;
}

static struct cs_sigv4_request case_request(const struct suite_case *c)
{
    bool normalize = cs_json_bool(cs_json_get(c->context, "normalize"), false);

    return (struct cs_sigv4_request){
        .method = c->method,
        .path = c->path,
        .query = c->query,
        .headers = c->headers,
        .header_count = c->header_count,
        .payload = cs_view_cstr(c->payload),
        .path_rule = normalize ? CS_SIGV4_PATH_NORMALIZE : CS_SIGV4_PATH_ENCODE,
    };
}

static void compare(const struct suite_case *c, const char *file, struct cs_view got)
{
    struct cs_buf expected;

    read_part(&expected, c, file);
    if (!cs_view_eq(cs_buf_view(&expected), got))
        fail_msg("%s/%s\nexpected:\n%s\ngot:\n%.*s", c->name, file,
                 cs_buf_cstr(&expected), CS_FMT(got));
    cs_buf_clear(&expected);
}

/* Lines before the body. */
static size_t head_lines(struct cs_view request)
{
    struct cs_view line;
    size_t count = 0;

    while (cs_view_split(&request, '\n', &line) && line.len > 0)
        count++;
    return count;
}

/* The signed request of the suite is the request with the headers that the signer adds,
 * each as it has it, and no other. */
static void check_added(const struct suite_case *c, const struct cs_signer_headers *added)
{
    struct cs_buf expected;

    read_part(&expected, c, "header-signed-request.txt");
    assert_int_equal(head_lines(cs_buf_view(&expected)),
                     head_lines(cs_buf_view(&c->text)) + added->count);
    assert_true(cs_view_ends(cs_buf_view(&expected), c->body));
    cs_buf_add_byte(&expected, '\n'); /* the last line may have none */
    for (size_t i = 0; i < added->count; i++) {
        struct cs_buf line = CS_BUF_INIT(65536);

        cs_buf_add(&line, added->items[i].name);
        cs_buf_add_byte(&line, ':');
        cs_buf_add(&line, added->items[i].value);
        cs_buf_add_byte(&line, '\n');
        if (cs_view_find(cs_buf_view(&expected), cs_buf_view(&line)) == SIZE_MAX)
            fail_msg("%s: not in the signed request: %s", c->name, cs_buf_cstr(&line));
        cs_buf_clear(&line);
    }
    cs_buf_clear(&expected);
}

static void check_header_form(struct cs_signer *signer, const struct suite_case *c)
{
    struct cs_signer_params params = case_params(c);
    struct cs_sigv4_request request = case_request(c);
    struct cs_signer_headers added;

    assert_ok(cs_signer_sign(signer, &params, &request, &added, err));
    compare(c, "header-canonical-request.txt", cs_signer_canonical_request(signer));
    compare(c, "header-string-to-sign.txt", cs_signer_string_to_sign(signer));
    compare(c, "header-signature.txt", cs_signer_last_signature(signer));
    check_added(c, &added);
}

/* A parameter of a query, decoded, for "name=value" and "name" alike. */
static bool has_parameter(struct cs_view query, struct cs_view wanted)
{
    struct cs_buf left = CS_BUF_INIT(4096);
    struct cs_buf right = CS_BUF_INIT(4096);
    struct cs_view pair;
    bool found = false;

    assert_ok(cs_percent_decode(&left, wanted, false, err));
    while (!found && cs_view_split(&query, '&', &pair)) {
        cs_buf_reset(&right);
        assert_ok(cs_percent_decode(&right, pair, false, err));
        found = cs_view_eq(cs_buf_view(&left), cs_buf_view(&right));
    }
    cs_buf_clear(&left);
    cs_buf_clear(&right);
    return found;
}

/* The signed URL of the suite has these parameters, in whatever order. */
static void check_parameters(const struct suite_case *c, struct cs_view query)
{
    struct cs_buf expected;
    struct cs_view rest;
    struct cs_view pair;
    size_t count = 0;

    read_part(&expected, c, "query-signed-request.txt");
    rest = cs_buf_view(&expected);
    rest = cs_view_sub(rest, 0, cs_view_find(rest, CS_LIT(" HTTP/1.1\n")));
    rest = cs_view_from(rest, cs_view_find_byte(rest, '?') + 1);
    while (cs_view_split(&rest, '&', &pair)) {
        count++;
        if (!has_parameter(query, pair))
            fail_msg("%s: no parameter \"%.*s\" in %.*s", c->name, CS_FMT(pair),
                     CS_FMT(query));
    }
    while (cs_view_split(&query, '&', &pair))
        count--;
    assert_int_equal(count, 0);
    cs_buf_clear(&expected);
}

static void check_query_form(struct cs_signer *signer, const struct suite_case *c)
{
    struct cs_signer_params params = case_params(c);
    struct cs_sigv4_request request = case_request(c);
    struct cs_buf query = CS_BUF_INIT(65536);
    int64_t expires_s = 0;

    assert_true(
        cs_json_integer(cs_json_get(c->context, "expiration_in_seconds"), &expires_s));
    assert_ok(cs_signer_presign(signer, &params, &request, expires_s, &query, err));
    compare(c, "query-canonical-request.txt", cs_signer_canonical_request(signer));
    compare(c, "query-string-to-sign.txt", cs_signer_string_to_sign(signer));
    compare(c, "query-signature.txt", cs_signer_last_signature(signer));
    assert_true(cs_view_ends(cs_buf_view(&query), cs_signer_last_signature(signer)));
    check_parameters(c, cs_buf_view(&query));
    cs_buf_clear(&query);
}

/* Folders of the suite, so that none is left out of its index. */
static size_t suite_folders(void)
{
    char *path = unit_data_path("CS_VECTORS", SUITE);
    DIR *folder = opendir(path);
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL)
        count += entry->d_type == DT_DIR && entry->d_name[0] != '.';
    (void)closedir(folder);
    free(path);
    return count;
}

static void test_public_suite(void **state)
{
    struct cs_signer *signer;
    struct cs_json *index;
    const struct cs_json *cases;
    struct cs_buf text;

    (void)state;
    unit_read_vector(&text, SUITE "index.json");
    signer = cs_signer_new();
    assert_ok(cs_json_parse(&index, cs_buf_view(&text), NULL, err));
    cases = cs_json_get(index, "cases");
    assert_int_equal(cs_json_length(cases), 25);
    assert_int_equal(suite_folders(), 25);
    for (size_t i = 0; i < cs_json_length(cases); i++) {
        struct cs_view name = cs_json_get_string(cs_json_at(cases, i), "case");
        char *name_text = cs_view_dup(name);
        struct suite_case c;

        assert_non_null(name_text);
        open_case(&c, name_text);
        check_header_form(signer, &c);
        check_query_form(signer, &c);
        close_case(&c);
        free(name_text);
    }
    cs_json_free(index);
    cs_buf_clear(&text);
    cs_signer_free(signer);
}

/* ---- S3 and DynamoDB ---- */

static size_t object_headers(struct cs_net_header *out, const struct cs_json *object)
{
    struct cs_json_iter iter = {0};
    size_t count = 0;

    while (cs_json_next(&iter, object)) {
        bool ours = cs_view_eq(iter.name, CS_LIT("x-amz-date")) ||
                    cs_view_eq(iter.name, CS_LIT("x-amz-content-sha256")) ||
                    cs_view_eq(iter.name, CS_LIT("x-amz-security-token"));

        assert_true(count < HEADERS_MAX);
        if (!ours)
            out[count++] = (struct cs_net_header){iter.name, cs_json_string(iter.value)};
    }
    return count;
}

static struct cs_signer_params json_params(const struct cs_json *c, const char *date)
{
    struct cs_view amz_date = cs_json_get_string(c, date);
    char iso[32];
    struct cs_signer_params params = {
        .access_key_id = cs_json_get_string(c, "access_key_id"),
        .secret = cs_json_get_string(c, "secret_access_key"),
        .token = cs_json_get_string(c, "session_token"),
        .region = cs_json_get_string(c, "region"),
        .service = cs_json_get_string(c, "service"),
        .content_sha256 =
            cs_json_has(cs_json_get(c, "headers_to_sign"), "x-amz-content-sha256"),
    };

    assert_int_equal(amz_date.len, CS_SIGV4_DATE_LEN);
    assert_true(snprintf(iso, sizeof(iso), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", amz_date.ptr,
                         amz_date.ptr + 4, amz_date.ptr + 6, amz_date.ptr + 9,
                         amz_date.ptr + 11, amz_date.ptr + 13) == 20);
    assert_ok(cs_time_parse(&params.time_us, cs_view_cstr(iso), err));
    return params;
}

static void assert_same(const struct cs_json *c, const char *member, struct cs_view got)
{
    struct cs_view expected = cs_json_get_string(c, member);

    if (!cs_view_eq(expected, got))
        fail_msg("%.*s, %s\nexpected:\n%.*s\ngot:\n%.*s",
                 CS_FMT(cs_json_get_string(c, "name")), member, CS_FMT(expected),
                 CS_FMT(got));
}

/* The query before the signer's own parameters. */
static struct cs_view own_query(const struct cs_json *c)
{
    return cs_json_has(c, "query_before_signing")
               ? cs_json_get_string(c, "query_before_signing")
               : cs_json_get_string(c, "query_on_the_wire");
}

/* The digest of the body that the case signs. */
static void check_payload(const struct cs_json *c)
{
    uint8_t digest[CS_SHA256_LEN];
    char hex[CS_SHA256_HEX_LEN + 1];

    if (!cs_json_has(c, "body_utf8"))
        return;
    assert_ok(cs_sha256_of(digest, cs_json_get_string(c, "body_utf8"), err));
    cs_sha256_hex(hex, digest);
    assert_same(c, "payload_sha256", cs_view_cstr(hex));
}

/* The case has no spaces behind the commas; S3 takes both. */
static void check_authorization(const struct cs_json *c,
                                const struct cs_signer_headers *added)
{
    struct cs_view rest = added->items[added->count - 1].value;
    struct cs_buf text = CS_BUF_INIT(4096);
    struct cs_view part;

    if (!cs_json_has(c, "authorization"))
        return;
    assert_view(added->items[added->count - 1].name, "Authorization");
    while (cs_view_split(&rest, ',', &part)) {
        if (text.len > 0)
            cs_buf_add_byte(&text, ',');
        cs_buf_add(&text, text.len > 0 ? cs_view_trim(part) : part);
    }
    assert_same(c, "authorization", cs_buf_view(&text));
    cs_buf_clear(&text);
}

/* The whole URL, its parameters in the order of the case. */
static void check_url(const struct cs_json *c, struct cs_view path, struct cs_view query)
{
    struct cs_view url = cs_json_get_string(c, "presigned_url");
    struct cs_view pair;
    struct cs_buf start = CS_BUF_INIT(4096);
    size_t count = 0;

    cs_buf_add_cstr(&start, "https://");
    cs_buf_add(&start, cs_json_get_string(c, "host"));
    cs_buf_add(&start, path);
    cs_buf_add_byte(&start, '?');
    assert_true(cs_view_starts(url, cs_buf_view(&start)));
    url = cs_view_from(url, start.len);
    while (cs_view_split(&url, '&', &pair)) {
        assert_true(has_parameter(query, pair));
        count++;
    }
    while (cs_view_split(&query, '&', &pair))
        count--;
    assert_int_equal(count, 0);
    cs_buf_clear(&start);
}

static void check_service_case(struct cs_signer *signer, const struct cs_json *c)
{
    struct cs_net_header headers[HEADERS_MAX];
    struct cs_signer_params params = json_params(c, "amz_date");
    struct cs_buf path = CS_BUF_INIT(4096);
    struct cs_sigv4_request request = {
        .method = cs_json_get_string(c, "method"),
        .query = own_query(c),
        .headers = headers,
        .header_count = object_headers(headers, cs_json_get(c, "headers_to_sign")),
        .payload = cs_json_get_string(c, "payload_sha256"),
        .path_rule = cs_view_eq(params.service, CS_LIT("s3")) ? CS_SIGV4_PATH_S3
                                                              : CS_SIGV4_PATH_ENCODE,
    };

    check_payload(c);
    cs_percent_encode(&path, cs_json_get_string(c, "path_unencoded"), true);
    assert_same(c, "path_on_the_wire", cs_buf_view(&path));
    request.path = cs_buf_view(&path);
    if (cs_view_eq(cs_json_get_string(c, "kind"), CS_LIT("header"))) {
        struct cs_signer_headers added;

        assert_ok(cs_signer_sign(signer, &params, &request, &added, err));
        check_authorization(c, &added);
    } else {
        struct cs_buf signed_query = CS_BUF_INIT(4096);
        int64_t expires_s = 0;

        assert_true(cs_json_integer(cs_json_get(c, "expires"), &expires_s));
        assert_ok(
            cs_signer_presign(signer, &params, &request, expires_s, &signed_query, err));
        check_url(c, request.path, cs_buf_view(&signed_query));
        cs_buf_clear(&signed_query);
    }
    assert_same(c, "canonical_request", cs_signer_canonical_request(signer));
    assert_same(c, "string_to_sign", cs_signer_string_to_sign(signer));
    assert_same(c, "signature", cs_signer_last_signature(signer));
    cs_buf_clear(&path);
}

static void test_s3_and_dynamodb(void **state)
{
    struct cs_signer *signer;
    struct cs_json *root;
    const struct cs_json *cases;
    struct cs_buf text;

    (void)state;
    unit_read_vector(&text, "sigv4/s3-dynamodb.json");
    signer = cs_signer_new();
    assert_ok(cs_json_parse(&root, cs_buf_view(&text), NULL, err));
    cases = cs_json_get(root, "cases");
    assert_int_equal(cs_json_length(cases), 7);
    for (size_t i = 0; i < cs_json_length(cases); i++)
        check_service_case(signer, cs_json_at(cases, i));
    cs_json_free(root);
    cs_buf_clear(&text);
    cs_signer_free(signer);
}

static void test_documented_example(void **state)
{
    struct cs_signer *signer;
    struct cs_net_header headers[HEADERS_MAX];
    struct cs_signer_headers added;
    struct cs_json *root;
    const struct cs_json *c;
    struct cs_buf text;
    uint8_t digest[CS_SHA256_LEN];
    char payload[CS_SHA256_HEX_LEN + 1];
    struct cs_sigv4_request request;
    struct cs_signer_params params;

    (void)state;
    unit_read_vector(&text, "sigv4/documented-header-example.json");
    signer = cs_signer_new();
    assert_ok(cs_json_parse(&root, cs_buf_view(&text), NULL, err));
    c = cs_json_at(cs_json_get(root, "cases"), 0);
    assert_ok(cs_sha256_of(digest, cs_json_get_string(c, "body_utf8"), err));
    cs_sha256_hex(payload, digest);
    request = (struct cs_sigv4_request){
        .method = cs_json_get_string(c, "method"),
        .path = cs_json_get_string(c, "path"),
        .query = cs_json_get_string(c, "query"),
        .headers = headers,
        .header_count = object_headers(headers, cs_json_get(c, "headers_to_sign")),
        .payload = cs_view_cstr(payload),
        .path_rule = CS_SIGV4_PATH_NORMALIZE,
    };
    params = (struct cs_signer_params){
        .access_key_id = cs_json_get_string(c, "access_key_id"),
        .secret = cs_json_get_string(c, "secret_access_key"),
        .region = cs_json_get_string(c, "region"),
        .service = cs_json_get_string(c, "service"),
    };
    assert_ok(cs_time_parse(&params.time_us, CS_LIT("2015-08-30T12:36:00Z"), err));
    assert_ok(cs_signer_sign(signer, &params, &request, &added, err));
    assert_same(c, "canonical_request", cs_signer_canonical_request(signer));
    assert_same(c, "signature", cs_signer_last_signature(signer));
    cs_json_free(root);
    cs_buf_clear(&text);
    cs_signer_free(signer);
}

/* ---- stages alone ---- */

static void test_signing_key(void **state)
{
    struct cs_json *root;
    const struct cs_json *c;
    struct cs_buf text;
    uint8_t key[CS_SIGV4_KEY_LEN];
    char hex[CS_SIGV4_HEX_LEN + 1];
    struct cs_sigv4_scope scope;

    (void)state;
    unit_read_vector(&text, "sigv4/signing-key.json");
    assert_ok(cs_json_parse(&root, cs_buf_view(&text), NULL, err));
    c = cs_json_at(cs_json_get(root, "cases"), 0);
    scope = (struct cs_sigv4_scope){cs_json_get_string(c, "date"),
                                    cs_json_get_string(c, "region"),
                                    cs_json_get_string(c, "service")};
    assert_ok(cs_sigv4_signing_key(key, cs_json_get_string(c, "secret_access_key"),
                                   &scope, err));
    cs_sha256_hex(hex, key);
    assert_same(c, "signing_key_hex", cs_view_cstr(hex));
    cs_json_free(root);
    cs_buf_clear(&text);
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void test_refuses_bad_input(void **state)
{
    static const struct cs_sigv4_scope bad[] = {
        {CS_LIT_INIT("2015083"), CS_LIT_INIT("us-east-1"), CS_LIT_INIT("s3")},
        {CS_LIT_INIT("2015083x"), CS_LIT_INIT("us-east-1"), CS_LIT_INIT("s3")},
        {CS_LIT_INIT("20150830"), CS_LIT_INIT(""), CS_LIT_INIT("s3")},
        {CS_LIT_INIT("20150830"), CS_LIT_INIT("us-east-1"), CS_LIT_INIT("")},
    };
    static const struct cs_sigv4_scope good = {
        CS_LIT_INIT("20150830"), CS_LIT_INIT("us-east-1"), CS_LIT_INIT("s3")};
    char secret[CS_SIGV4_SECRET_MAX + 1];
    uint8_t key[CS_SIGV4_KEY_LEN];

    (void)state;
    memset(secret, 's', sizeof(secret));
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        memset(key, 1, sizeof(key));
        assert_int_equal(cs_sigv4_signing_key(key, CS_LIT("secret"), &bad[i], NULL),
                         CS_EINVAL);
        assert_true(all_zero(key, sizeof(key)));
    }
    assert_int_equal(
        cs_sigv4_signing_key(key, cs_view_of(secret, sizeof(secret)), &good, NULL),
        CS_ETOOBIG);
    assert_int_equal(cs_sigv4_signing_key(key, CS_LIT(""), &good, NULL), CS_EINVAL);
    assert_ok(
        cs_sigv4_signing_key(key, cs_view_of(secret, CS_SIGV4_SECRET_MAX), &good, err));
}

static void test_canonical_request_limits(void **state)
{
    static const struct cs_net_header host = {CS_LIT_INIT("Host"), CS_LIT_INIT("h")};
    struct cs_sigv4_request request = {.method = CS_LIT("GET"), .payload = CS_LIT("x")};
    struct cs_buf out = CS_BUF_INIT(4096);
    struct cs_buf query = CS_BUF_INIT(4096);
    struct cs_view names;

    (void)state;
    assert_int_equal(cs_sigv4_canonical_request(&out, &request, &names, NULL), CS_EINVAL);
    request.headers = &host;
    request.header_count = 1;
    assert_ok(cs_sigv4_canonical_request(&out, &request, &names, err));
    assert_view(names, "host");
    for (unsigned i = 0; i <= CS_SIGV4_PARAMS_MAX; i++)
        cs_buf_add_fmt(&query, "&p%u=", i);
    request.query = cs_buf_view(&query);
    assert_int_equal(cs_sigv4_canonical_request(&out, &request, &names, NULL),
                     CS_ETOOBIG);
    cs_buf_clear(&out);
    cs_buf_clear(&query);
}

static void test_query_order(void **state)
{
    static const struct {
        const char *query;
        const char *canonical;
    } cases[] = {
        {"", ""},
        {"versioning", "versioning="},
        {"b=2&a=1", "a=1&b=2"},
        {"a=2&a=1&a", "a=&a=1&a=2"},
        {"A=1&a=1&B=1", "A=1&B=1&a=1"},
        {"ab=1&a=1&a-=1", "a=1&a-=1&ab=1"},
        {"k=a%2fb&k=a+b&k=a b", "k=a%20b&k=a%2Bb&k=a%2Fb"},
        {"a=%", "a=%25"},
        {"a=%zz&&a=%4", "a=%254&a=%25zz"},
        {"a=b=c", "a=b%3Dc"},
        {"%C3%A9=1&z=1", "%C3%A9=1&z=1"},
        {"~=1&z=1&_=1", "_=1&z=1&~=1"},
    };
    static const struct cs_net_header host = {CS_LIT_INIT("Host"), CS_LIT_INIT("h")};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_sigv4_request request = {.method = CS_LIT("GET"),
                                           .query = cs_view_cstr(cases[i].query),
                                           .headers = &host,
                                           .header_count = 1};
        struct cs_buf out = CS_BUF_INIT(4096);
        struct cs_view names;
        struct cs_view rest;
        struct cs_view line;

        assert_ok(cs_sigv4_canonical_request(&out, &request, &names, err));
        rest = cs_buf_view(&out);
        for (int k = 0; k < 3; k++)
            assert_true(cs_view_split(&rest, '\n', &line));
        assert_view(line, cases[i].canonical);
        cs_buf_clear(&out);
    }
}

static void test_normal_paths(void **state)
{
    static const char *const cases[][2] = {
        {"/", "/"},
        {"/..", "/"},
        {"/../..", "/"},
        {"/../a", "/a"},
        {"/a/..", "/"},
        {"/a/../../b", "/b"},
        {"/a/./b/", "/a/b/"},
        {"//a//b", "/a/b"},
        {"/a/b/..", "/a/"},
        {"/.", "/"},
        {"/a b/%", "/a%20b/%25"},
    };
    static const struct cs_net_header host = {CS_LIT_INIT("Host"), CS_LIT_INIT("h")};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_sigv4_request request = {.method = CS_LIT("GET"),
                                           .path = cs_view_cstr(cases[i][0]),
                                           .headers = &host,
                                           .header_count = 1,
                                           .path_rule = CS_SIGV4_PATH_NORMALIZE};
        struct cs_buf out = CS_BUF_INIT(4096);
        struct cs_buf expected = CS_BUF_INIT(4096);
        struct cs_view names;

        assert_ok(cs_sigv4_canonical_request(&out, &request, &names, err));
        cs_buf_add_fmt(&expected, "GET\n%s\n\nhost:h\n\nhost\n", cases[i][1]);
        assert_string_equal(cs_buf_cstr(&out), cs_buf_cstr(&expected));
        cs_buf_clear(&out);
        cs_buf_clear(&expected);
    }
}

/* What hops change on the way. */
static void test_headers_that_are_not_signed(void **state)
{
    static const char *const names[] = {
        "Authorization",       "Connection", "Expect",     "Keep-Alive",
        "Transfer-Encoding",   "Upgrade",    "User-Agent", "X-Amzn-Trace-Id",
        "Proxy-Authorization", "Host",       "Upgraded"};
    struct cs_net_header headers[CS_COUNT(names)];
    const struct cs_sigv4_request request = {.headers = headers,
                                             .header_count = CS_COUNT(names)};
    struct cs_buf out = CS_BUF_INIT(4096);

    (void)state;
    for (size_t i = 0; i < CS_COUNT(names); i++)
        headers[i] = (struct cs_net_header){cs_view_cstr(names[i]), CS_LIT("x")};
    assert_ok(cs_sigv4_signed_headers(&out, &request, err));
    assert_view(cs_buf_view(&out), "host;upgraded");
    cs_buf_clear(&out);
}

/* S3 and DynamoDB take turns: neither pushes the other's key out. */
static void test_keys_are_kept_side_by_side(void **state)
{
    struct cs_signer *signer = cs_signer_new();
    struct cs_signer_params params = {.secret = CS_LIT("old-test-secret"),
                                      .region = CS_LIT("eu-central-1")};
    static const struct cs_view services[] = {CS_LIT_INIT("s3"), CS_LIT_INIT("dynamodb"),
                                              CS_LIT_INIT("sts")};
    const struct cs_hmac_key *keys[CS_COUNT(services)];
    const struct cs_hmac_key *again;

    (void)state;
    for (size_t i = 0; i < 2 * CS_COUNT(services); i++) {
        size_t at = i % CS_COUNT(services);

        params.service = services[at];
        assert_ok(cs_signer_key(signer, &params, CS_LIT("20241201"), &again, err));
        if (i == at)
            keys[at] = again;
        assert_ptr_equal(again, keys[at]);
        for (size_t k = 0; k < at; k++)
            assert_ptr_not_equal(again, keys[k]);
    }
    cs_signer_free(signer);
}

static void test_a_rotated_secret_gets_its_own_key(void **state)
{
    static const struct cs_net_header host = {CS_LIT_INIT("Host"), CS_LIT_INIT("h")};
    struct cs_signer *signer = cs_signer_new();
    struct cs_sigv4_request request = {
        .method = CS_LIT("GET"), .headers = &host, .header_count = 1};
    struct cs_signer_params params = {.access_key_id = CS_LIT("AKIDEXAMPLE"),
                                      .secret = CS_LIT("old-test-secret"),
                                      .region = CS_LIT("eu-central-1"),
                                      .service = CS_LIT("s3")};
    struct cs_signer_headers added;
    char first[CS_SIGV4_HEX_LEN + 1];

    (void)state;
    assert_ok(cs_signer_sign(signer, &params, &request, &added, err));
    memcpy(first, cs_signer_last_signature(signer).ptr, sizeof(first));
    params.secret = CS_LIT("new-test-secret");
    assert_ok(cs_signer_sign(signer, &params, &request, &added, err));
    assert_string_not_equal(first, cs_signer_last_signature(signer).ptr);
    /* More scopes than the cache holds, then the first one again. */
    for (int i = 0; i < 20; i++) {
        params.time_us += 86400ll * CS_SECOND_US;
        assert_ok(cs_signer_sign(signer, &params, &request, &added, err));
    }
    params.time_us = 0;
    params.secret = CS_LIT("old-test-secret");
    assert_ok(cs_signer_sign(signer, &params, &request, &added, err));
    assert_string_equal(first, cs_signer_last_signature(signer).ptr);
    assert_int_equal(cs_signer_presign(signer, &params, &request, 0, NULL, NULL),
                     CS_EINVAL);
    assert_int_equal(cs_signer_presign(signer, &params, &request, 604801, NULL, NULL),
                     CS_EINVAL);
    cs_signer_free(signer);
}

/* ---- presigned, one after another ---- */

static const struct cs_net_header presign_headers[] = {
    {CS_LIT_INIT("Host"), CS_LIT_INIT("bucket.s3.eu-central-1.amazonaws.com")},
    {CS_LIT_INIT("X-Amz-Meta-A"), CS_LIT_INIT("b")},
};

struct presign_case {
    struct cs_signer_params params;
    size_t header_count;
    int64_t expires_s;
};

static void presign(struct cs_buf *out, struct cs_signer *signer,
                    const struct presign_case *c, const char *query)
{
    const struct cs_sigv4_request request = {.method = CS_LIT("GET"),
                                             .path = CS_LIT("/a/b"),
                                             .query = cs_view_cstr(query),
                                             .headers = presign_headers,
                                             .header_count = c->header_count,
                                             .payload = CS_LIT(CS_SIGV4_UNSIGNED),
                                             .path_rule = CS_SIGV4_PATH_S3};

    cs_buf_reset(out);
    assert_ok(cs_signer_presign(signer, &c->params, &request, c->expires_s, out, err));
}

/* What URLs share is kept for as long as it is the same, whatever it is that changes. */
static void test_presigned_urls_share_only_what_is_the_same(void **state)
{
    const struct cs_signer_params params = {.access_key_id = CS_LIT("AKIDEXAMPLE"),
                                            .secret = CS_LIT("old-test-secret"),
                                            .token = CS_LIT("token/1"),
                                            .region = CS_LIT("eu-central-1"),
                                            .service = CS_LIT("s3"),
                                            .time_us = 1733054400000000};
    struct presign_case cases[9];
    struct cs_signer *signer = cs_signer_new();
    struct cs_buf kept = CS_BUF_INIT(8192);
    struct cs_buf fresh = CS_BUF_INIT(8192);

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++)
        cases[i] = (struct presign_case){params, 1, 3600};
    cases[1].params.access_key_id = CS_LIT("AKIDEXAMPLE2");
    cases[2].params.secret = CS_LIT("new-test-secret");
    cases[3].params.token = CS_LIT("token/2");
    cases[4].params.region = CS_LIT("eu-west-1");
    cases[5].params.time_us += CS_SECOND_US;
    cases[6].params.token_not_signed = true;
    cases[7].header_count = 2;
    cases[8].expires_s = 600;
    for (size_t i = 0; i < 2 * CS_COUNT(cases); i++) {
        const struct presign_case *c =
            &cases[i % 2 == 0 ? 0 : i / 2]; /* there and back */
        struct cs_signer *other = cs_signer_new();

        presign(&kept, signer, c, "versionId=1");
        presign(&fresh, other, c, "versionId=1");
        assert_view(cs_buf_view(&kept), cs_buf_cstr(&fresh));
        cs_signer_free(other);
    }
    cs_buf_clear(&kept);
    cs_buf_clear(&fresh);
    cs_signer_free(signer);
}

/* What is sent is what was signed, wherever the request's own parameters sort. */
static void test_presigned_query_is_canonical(void **state)
{
    static const struct {
        const char *own;
        const char *before;
        const char *behind;
    } cases[] = {
        {"", "", "&X-Amz-Signature="},
        {"versionId=a", "", "&versionId=a&X-Amz-Signature="},
        {"versionId=/&partNumber=1", "", "&partNumber=1&versionId=%2F&X-Amz-Signature="},
        {"A=1&z", "A=1&", "&z=&X-Amz-Signature="},
        {"X-Amz-Date2=1", "", "&X-Amz-SignedHeaders=host&X-Amz-Signature="},
    };
    const struct presign_case c = {{.access_key_id = CS_LIT("AKIDEXAMPLE"),
                                    .secret = CS_LIT("test-secret"),
                                    .region = CS_LIT("eu-central-1"),
                                    .service = CS_LIT("s3")},
                                   1,
                                   60};
    struct cs_signer *signer = cs_signer_new();
    struct cs_buf out = CS_BUF_INIT(8192);

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_view rest, line;
        size_t signature;

        presign(&out, signer, &c, cases[i].own);
        assert_true(cs_view_starts(cs_buf_view(&out), cs_view_cstr(cases[i].before)));
        assert_true(cs_view_find(cs_buf_view(&out), cs_view_cstr(cases[i].behind)) !=
                    SIZE_MAX);
        rest = cs_signer_canonical_request(signer);
        for (int k = 0; k < 3; k++)
            assert_true(cs_view_split(&rest, '\n', &line));
        signature = cs_view_find(cs_buf_view(&out), CS_LIT("&X-Amz-Signature="));
        cs_buf_truncate(&out, signature);
        assert_view(line, cs_buf_cstr(&out));
    }
    cs_buf_clear(&out);
    cs_signer_free(signer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_bad_input),
        cmocka_unit_test(test_canonical_request_limits),
        cmocka_unit_test(test_query_order),
        cmocka_unit_test(test_normal_paths),
        cmocka_unit_test(test_headers_that_are_not_signed),
        cmocka_unit_test(test_keys_are_kept_side_by_side),
        cmocka_unit_test(test_signing_key),
        cmocka_unit_test(test_public_suite),
        cmocka_unit_test(test_s3_and_dynamodb),
        cmocka_unit_test(test_documented_example),
        cmocka_unit_test(test_a_rotated_secret_gets_its_own_key),
        cmocka_unit_test(test_presigned_urls_share_only_what_is_the_same),
        cmocka_unit_test(test_presigned_query_is_canonical),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
