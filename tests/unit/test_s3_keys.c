/* Keys of every kind on a server that checks signatures by code of its own: put, read,
 * listed, linked to, and deleted under the very bytes. Skipped without a server, but not
 * where CI is set. */
#include "config.h"

#include "aws_server.h"

static const char *const keys[] = {
    "campaigns/k/plain.txt",
    "campaigns/k/with space",
    "campaigns/k/a+b",
    "campaigns/k/a=b&c=d",
    "campaigns/k/100%",
    "campaigns/k/a%2Fb",
    "campaigns/k/%3A",
    "campaigns/k/a:b;c,d",
    "campaigns/k/q?versioning",
    "campaigns/k/#hash",
    "campaigns/k/gr\xc3\xbcn/\xe5\x95\x86",
    "campaigns/k/a'(b)*!$@~.-_",
    "campaigns/k/<&\">",
    "campaigns/k/..a/b..",
};

static int empty(void **state)
{
    (void)state;
    aws_server_empty();
    return 0;
}

static void put(struct aws_server *server, const char *key)
{
    char sha256[CS_SHA256_HEX_LEN + 1];
    uint8_t digest[CS_SHA256_LEN];
    struct cs_s3_put one = {
        .info = {.key = cs_view_cstr(key)},
        .body = {.kind = CS_NET_BODY_BYTES, .bytes = cs_view_cstr(key)},
        .payload_sha256 = sha256};

    assert_ok(cs_sha256_of(digest, cs_view_cstr(key), err));
    cs_sha256_hex(sha256, digest);
    assert_ok(cs_s3_put_many(server->s3, &one, 1, soon(), err));
    free(one.version_out);
}

static void assert_read(struct aws_server *server, const char *key)
{
    const struct cs_s3_get get = {.key = cs_view_cstr(key)};
    struct cs_net_response response;

    cs_net_response_init(&response, 65536);
    assert_ok(cs_s3_get(server->s3, &get, &response, soon(), err));
    assert_view(cs_buf_view(&response.body), key);
    cs_net_response_clear(&response);
}

/* Whoever has the link needs nothing else. */
static void assert_linked(struct aws_server *server, const char *key)
{
    const struct cs_s3_link link = {.method = "GET",
                                    .key = cs_view_cstr(key),
                                    .content_disposition =
                                        CS_LIT("attachment; filename=\"a+b =%.txt\""),
                                    .ttl_s = 60,
                                    .deadline = soon()};
    struct cs_buf url = CS_BUF_INIT(16384);
    struct cs_net_response response;
    struct cs_net_request request = {.method = "GET", .deadline = soon()};
    int64_t expires_at_us;

    cs_net_response_init(&response, 65536);
    assert_ok(cs_s3_presign(server->s3, &link, &url, &expires_at_us, err));
    request.url = cs_buf_cstr(&url);
    assert_ok(cs_net_perform(server->net, &request, &response, err));
    assert_int_equal(response.status, 200);
    assert_view(cs_buf_view(&response.body), key);
    cs_net_response_clear(&response);
    cs_buf_clear(&url);
}

static bool find(void *payload, const struct cs_s3_entry *entry)
{
    bool *seen = payload;

    for (size_t i = 0; i < CS_COUNT(keys); i++)
        seen[i] = seen[i] || cs_view_eq_cstr(entry->key, keys[i]);
    return true;
}

static size_t listed(struct aws_server *server, enum cs_s3_list kind)
{
    bool seen[CS_COUNT(keys)] = {false};
    size_t count = 0;

    assert_ok(
        cs_s3_list(server->s3, kind, CS_LIT("campaigns/k/"), find, seen, soon(), err));
    for (size_t i = 0; i < CS_COUNT(keys); i++)
        count += seen[i];
    return count;
}

static void test_keys(void **state)
{
    const struct cs_s3_bucket_settings settings = {.versioning = false};
    struct cs_s3_name names[CS_COUNT(keys)];
    struct cs_buf report = CS_BUF_INIT(4096);
    struct aws_server server;

    (void)state;
    aws_server_open(&server);
    assert_ok(cs_s3_ensure(server.s3, &settings, &report, soon(), err));
    for (size_t i = 0; i < CS_COUNT(keys); i++) {
        names[i] = (struct cs_s3_name){.key = cs_view_cstr(keys[i])};
        put(&server, keys[i]);
    }
    for (size_t i = 0; i < CS_COUNT(keys); i++) {
        assert_read(&server, keys[i]);
        assert_linked(&server, keys[i]);
    }
    assert_int_equal(listed(&server, CS_S3_LIST_OBJECTS), CS_COUNT(keys));
    assert_int_equal(listed(&server, CS_S3_LIST_VERSIONS), CS_COUNT(keys));
    assert_ok(cs_s3_delete(server.s3, names[2].key, CS_LIT(""), soon(), err));
    assert_ok(cs_s3_delete_many(server.s3, names, CS_COUNT(keys), soon(), err));
    assert_int_equal(listed(&server, CS_S3_LIST_OBJECTS), 0);
    cs_buf_clear(&report);
    aws_server_close(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_keys, empty)};
    int missing = aws_server_missing();

    return missing != 0 ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
