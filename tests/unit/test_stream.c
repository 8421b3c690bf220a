#include "config.h"

#include "unit.h"

#include "aws/stream.h"

/* The worked example of the S3 API Reference: 66560 bytes "a" in chunks of 64 KiB. */
static struct cs_stream *example_stream(enum cs_stream_kind kind, const char *seed)
{
    static const struct cs_sigv4_scope scope = {
        CS_LIT_INIT("20130524"), CS_LIT_INIT("us-east-1"), CS_LIT_INIT("s3")};
    uint8_t key[CS_SIGV4_KEY_LEN];
    struct cs_hmac_key ready;
    const struct cs_stream_options options = {.kind = kind,
                                              .key = &ready,
                                              .date = CS_LIT("20130524T000000Z"),
                                              .scope = scope,
                                              .seed = cs_view_cstr(seed)};
    struct cs_stream *stream;

    assert_ok(cs_sigv4_signing_key(
        key, CS_LIT("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), &scope, err));
    assert_ok(cs_hmac_key_init(&ready, cs_view_of(key, sizeof(key)), err));
    stream = cs_stream_new(&options, NULL);
    assert_non_null(stream);
    return stream;
}

static void encode_example(struct cs_buf *out, enum cs_stream_kind kind, const char *seed)
{
    struct cs_stream *stream = example_stream(kind, seed);
    static char bytes[66560];

    memset(bytes, 'a', sizeof(bytes));
    cs_buf_init(out, 1u << 20);
    assert_ok(cs_stream_chunk(stream, cs_view_of(bytes, 65536), out, err));
    assert_ok(cs_stream_chunk(stream, cs_view_of(bytes, 1024), out, err));
    assert_ok(cs_stream_end(stream, out, err));
    assert_int_equal(cs_stream_chunk(stream, CS_LIT(""), out, NULL), CS_EINVAL);
    assert_int_equal(out->len, cs_stream_length(kind, sizeof(bytes), 65536));
    cs_stream_free(stream);
}

static void assert_has(const struct cs_buf *text, const char *part)
{
    if (cs_view_find(cs_buf_view(text), cs_view_cstr(part)) == SIZE_MAX)
        fail_msg("missing: %s", part);
}

static void test_signed_stream(void **state)
{
    struct cs_buf out;

    (void)state;
    encode_example(&out, CS_STREAM_SIGNED,
                   "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    assert_int_equal(out.len, 66824);
    assert_has(&out,
               "10000;chunk-signature="
               "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n");
    assert_has(&out,
               "\r\n400;chunk-signature="
               "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n");
    assert_has(
        &out, "\r\n0;chunk-signature="
              "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n");
    cs_buf_clear(&out);
}

static void test_stream_with_trailer(void **state)
{
    struct cs_buf out;

    (void)state;
    encode_example(&out, CS_STREAM_SIGNED_TRAILER,
                   "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
    assert_has(&out, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2");
    assert_has(&out,
               "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
               "x-amz-checksum-sha256:");
    assert_has(&out, "\r\nx-amz-trailer-signature:");
    cs_buf_clear(&out);
    encode_example(&out, CS_STREAM_UNSIGNED_TRAILER, "");
    assert_has(&out, "\r\n0\r\nx-amz-checksum-sha256:");
    assert_null(strstr(cs_buf_cstr(&out), "signature"));
    cs_buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signed_stream),
        cmocka_unit_test(test_stream_with_trailer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
