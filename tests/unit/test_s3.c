#include "config.h"

#include "unit.h"

#include <signal.h>

#include "aws/s3.h"
#include "aws/s3_internal.h"
#include "fake_aws.h"

#define ONE_CHECKSUM "dpLDrTVAu4A8Ags67mbNiIcSMjTqDG5xQ8Ct1z/0Me0=" /* of "one" */
#define HELLO_SHA    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

struct bench {
    struct fake_aws fake;
    struct cs_s3 *s3;
};

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    struct cs_s3_options options = {.region = "eu-central-1", .bucket = "outputs"};

    assert_non_null(b);
    fake_aws_init(&b->fake, NULL);
    options.aws = b->fake.aws;
    options.url = b->fake.url;
    b->s3 = cs_s3_new(&options, NULL);
    assert_non_null(b->s3);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    cs_s3_free(b->s3);
    fake_aws_clear(&b->fake);
    free(b);
    return 0;
}

static struct cs_deadline soon(void)
{
    return cs_deadline_in_ms(60000);
}

static struct cs_s3_put hello(const char *key)
{
    return (struct cs_s3_put){
        .info = {.key = cs_view_cstr(key),
                 .content_type = CS_LIT("text/plain"),
                 .sha256 = HELLO_SHA},
        .body = {.kind = CS_NET_BODY_BYTES, .bytes = CS_LIT("hello")},
        .payload_sha256 = HELLO_SHA,
    };
}

static void test_put_headers(void **state)
{
    static const struct fake_answer script[] = {
        {200, "x-amz-version-id: v1\r\n", "", FAKE_KEEP, 9}, {0}};
    struct bench *b = *state;
    struct cs_s3_put put = hello("a b/\xc3\xa9+=%?#&/x");

    fake_aws_play(&b->fake, script);
    assert_ok(cs_s3_put_many(b->s3, &put, 1, soon(), err));
    assert_string_equal(put.version_out, "v1");
    free(put.version_out);
    assert_int_equal(
        fake_aws_saw(&b->fake,
                     "PUT /outputs/a%20b/%C3%A9%2B%3D%25%3F%23%26/x HTTP/1.1\r\n"),
        1);
    assert_int_equal(fake_aws_saw(&b->fake, "x-amz-content-sha256: " HELLO_SHA), 1);
    assert_int_equal(
        fake_aws_saw(
            &b->fake,
            "x-amz-checksum-sha256: LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
        1);
    assert_int_equal(fake_aws_saw(&b->fake, "x-amz-acl"), 0);
    put.payload_sha256 = "nonsense";
    assert_int_equal(cs_s3_put_many(b->s3, &put, 1, soon(), NULL), CS_EINVAL);
    assert_null(put.version_out);
}

static void test_copy(void **state)
{
    static const char copied[] =
        "<CopyObjectResult><ETag>\"x\"</ETag></CopyObjectResult>";
    static const struct fake_answer script[] = {
        {200, "x-amz-version-id: v2\r\n", copied, FAKE_KEEP, 9}, {0}};
    /* S3 may fail after it has said 200 */
    static const struct fake_answer failing[] = {
        {200, "", "<Error><Code>InvalidArgument</Code></Error>", FAKE_KEEP, 9}, {0}};
    /* and somebody on the way may say it */
    static const struct fake_answer page[] = {
        {200, "", "<html>Welcome</html>", FAKE_KEEP, 9}, {0}};
    struct bench *b = *state;
    const struct cs_s3_options options = {.aws = b->fake.aws,
                                          .url = b->fake.url,
                                          .region = "eu-central-1",
                                          .bucket = "outputs",
                                          .kms_key = "alias/test"};
    struct cs_s3 *encrypting = cs_s3_new(&options, NULL);
    char *version;

    assert_non_null(encrypting);
    fake_aws_play(&b->fake, script);
    assert_ok(cs_s3_copy(b->s3, CS_LIT("a b+c"), CS_LIT("v/1"), CS_LIT("to"), &version,
                         soon(), err));
    assert_string_equal(version, "v2");
    free(version);
    assert_int_equal(fake_aws_saw(&b->fake, "PUT /outputs/to HTTP/1.1\r\n"), 1);
    assert_int_equal(
        fake_aws_saw(&b->fake,
                     "x-amz-copy-source: outputs/a%20b%2Bc?versionId=v%2F1\r\n"),
        1);
    assert_int_equal(fake_aws_saw(&b->fake, "x-amz-server-side-encryption"), 0);
    assert_ok(cs_s3_copy(encrypting, CS_LIT("a"), CS_LIT(""), CS_LIT("to"), &version,
                         soon(), err));
    free(version);
    assert_int_equal(fake_aws_saw(&b->fake, "x-amz-copy-source: outputs/a\r\n"), 1);
    assert_int_equal(
        fake_aws_saw(&b->fake,
                     "x-amz-server-side-encryption-aws-kms-key-id: alias/test\r\n"),
        1);
    fake_aws_play(&b->fake, failing);
    assert_int_equal(
        cs_s3_copy(b->s3, CS_LIT("a"), CS_LIT(""), CS_LIT("to"), &version, soon(), NULL),
        CS_EUPSTREAM);
    assert_null(version);
    fake_aws_play(&b->fake, page);
    assert_int_equal(
        cs_s3_copy(b->s3, CS_LIT("a"), CS_LIT(""), CS_LIT("to"), &version, soon(), NULL),
        CS_EUPSTREAM);
    cs_s3_free(encrypting);
}

static void test_one_of_many_puts_fails(void **state)
{
    static const struct fake_answer script[] = {
        {200, "", "", FAKE_KEEP, 2},
        {403, "", "<Error><Code>AccessDenied</Code></Error>", FAKE_KEEP, 9},
        {0}};
    struct bench *b = *state;
    struct cs_s3_put puts[] = {hello("a"), hello("b"), hello("c")};

    fake_aws_play(&b->fake, script);
    assert_int_equal(cs_s3_put_many(b->s3, puts, 3, soon(), NULL), CS_EDENIED);
    for (size_t i = 0; i < 3; i++)
        assert_null(puts[i].version_out);
}

static void test_get(void **state)
{
    static const struct fake_answer script[] = {
        {206, "Content-Range: bytes 1-3/5\r\n", "ell", FAKE_KEEP, 0},
        {404, "", "<Error><Code>NoSuchKey</Code></Error>", FAKE_KEEP, 0},
        {400, "", "<Error><Code>InvalidArgument</Code></Error>", FAKE_KEEP, 0},
        {416, "", "<Error><Code>InvalidRange</Code></Error>", FAKE_KEEP, 0},
        {0}};
    struct bench *b = *state;
    const struct cs_s3_get get = {
        .key = CS_LIT("k"), .version = CS_LIT("v/1"), .range = "bytes=1-3"};
    struct cs_net_response response;
    char bytes[10];
    size_t got = 0;

    cs_net_response_init(&response, 65536);
    response.hold = true;
    fake_aws_play(&b->fake, script);
    assert_ok(cs_s3_get(b->s3, &get, &response, soon(), err));
    assert_ok(cs_net_read(&response, bytes, sizeof(bytes), &got, err));
    assert_int_equal(got, 3);
    assert_int_equal(
        fake_aws_saw(&b->fake, "GET /outputs/k?versionId=v%2F1 HTTP/1.1\r\n"), 1);
    assert_int_equal(fake_aws_saw(&b->fake, "Range: bytes=1-3\r\n"), 1);
    assert_int_equal(cs_s3_get(b->s3, &get, &response, soon(), NULL), CS_ENOTFOUND);
    assert_int_equal(cs_s3_get(b->s3, &get, &response, soon(), NULL), CS_ENOTFOUND);
    assert_int_equal(cs_s3_get(b->s3, &get, &response, soon(), NULL), CS_ERANGE);
    cs_net_response_clear(&response);
}

/* Whether answers come in the order of the requests is nobody's business. */
static void test_get_many(void **state)
{
    static const struct fake_answer good[] = {{200, "", "hello", FAKE_KEEP, 9}, {0}};
    static const struct fake_answer busy[] = {
        {200, "", "hello", FAKE_KEEP, 3},
        {503, "", "<Error><Code>SlowDown</Code></Error>", FAKE_KEEP, 1},
        {200, "", "hello", FAKE_KEEP, 9},
        {0}};
    static const struct fake_answer lacking[] = {
        {200, "", "hello", FAKE_KEEP, 2},
        {404, "", "<Error><Code>NoSuchKey</Code></Error>", FAKE_KEEP, 9},
        {0}};
    static const struct fake_answer malformed[] = {
        {400, "", "<Error><Code>InvalidArgument</Code></Error>", FAKE_KEEP, 9}, {0}};
    static const struct {
        const struct fake_answer *script;
        enum cs_code code;
    } cases[] = {
        {good, CS_OK}, {busy, CS_OK}, {lacking, CS_ENOTFOUND}, {malformed, CS_ENOTFOUND}};
    struct bench *b = *state;

    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_s3_fetch fetches[6];

        for (size_t k = 0; k < CS_COUNT(fetches); k++) {
            fetches[k] =
                (struct cs_s3_fetch){.key = CS_LIT("k"), .version = CS_LIT("v/1")};
            cs_net_response_init(&fetches[k].response, 65536);
        }
        fake_aws_play(&b->fake, cases[i].script);
        assert_int_equal(cs_s3_get_many(b->s3, fetches, CS_COUNT(fetches), soon(), NULL),
                         cases[i].code);
        assert_true(
            fake_aws_saw(&b->fake, "GET /outputs/k?versionId=v%2F1 HTTP/1.1\r\n") >=
            CS_COUNT(fetches));
        for (size_t k = 0; k < CS_COUNT(fetches); k++) {
            if (cases[i].code == CS_OK)
                assert_string_equal(cs_buf_cstr(&fetches[k].response.body), "hello");
            cs_net_response_clear(&fetches[k].response);
        }
    }
    assert_int_equal(fake_http_connections(b->fake.server), 6); /* side by side */
    assert_int_equal(cs_s3_get_many(b->s3, NULL, CS_S3_GET_MANY_MAX + 1, soon(), NULL),
                     CS_EINTERNAL);
}

struct listed {
    struct cs_buf text;
    unsigned stop_after;
    unsigned count;
};

static bool note(void *payload, const struct cs_s3_entry *entry)
{
    struct listed *listed = payload;

    cs_buf_add_fmt(&listed->text, "%.*s@%.*s=%llu%s%s ", CS_FMT(entry->key),
                   CS_FMT(entry->version), (unsigned long long)entry->size,
                   entry->marker ? "!" : "", entry->latest ? "*" : "");
    return ++listed->count != listed->stop_after;
}

static const struct fake_answer two_pages[] = {
    {200, "",
     "<ListVersionsResult><Version><Key>a%2Bb</Key><VersionId>1</VersionId><IsLatest>true"
     "</IsLatest><Size>5</Size><LastModified>2024-01-01T00:00:00.000Z</LastModified></"
     "Version>"
     "<DeleteMarker><Key>c+d</Key><VersionId>2</VersionId></DeleteMarker>"
     "<IsTruncated>true</IsTruncated><NextKeyMarker>c%26d</NextKeyMarker>"
     "<NextVersionIdMarker>2</NextVersionIdMarker><EncodingType>url</EncodingType>"
     "</ListVersionsResult>",
     FAKE_KEEP, 0},
    {200, "",
     "<ListVersionsResult><IsTruncated>false</IsTruncated><Version><Key>e&amp;f</Key>"
     "<VersionId>null</VersionId><Size>1</Size></Version></ListVersionsResult>",
     FAKE_KEEP, 0},
    {0}};

static void test_list(void **state)
{
    static const struct fake_answer broken[] = {
        {200, "", "<ListVersionsResult><Version><Key>a", FAKE_KEEP, 0}, {0}};
    static const struct fake_answer nowhere[] = {
        {200, "", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
         FAKE_KEEP, 9999},
        {0}};
    struct bench *b = *state;
    struct listed listed = {.text = CS_BUF_INIT(4096)};

    fake_aws_play(&b->fake, two_pages);
    assert_ok(cs_s3_list(b->s3, CS_S3_LIST_VERSIONS, CS_LIT("a/ b"), note, &listed,
                         soon(), err));
    assert_view(cs_buf_view(&listed.text), "a+b@1=5* c d@2=0! e&f@null=1 ");
    assert_int_equal(fake_aws_saw(&b->fake,
                                  "GET /outputs?versions=&encoding-type=url&prefix="
                                  "a%2F%20b HTTP/1.1\r\n"),
                     1);
    assert_int_equal(fake_aws_saw(&b->fake, "&key-marker=c%26d&version-id-marker=2 HTTP"),
                     1);
    listed.count = 0;
    listed.stop_after = 1;
    fake_aws_play(&b->fake, two_pages);
    assert_ok(
        cs_s3_list(b->s3, CS_S3_LIST_VERSIONS, CS_LIT(""), note, &listed, soon(), err));
    assert_int_equal(listed.count, 1);
    fake_aws_play(&b->fake, broken);
    assert_int_equal(
        cs_s3_list(b->s3, CS_S3_LIST_VERSIONS, CS_LIT(""), note, &listed, soon(), NULL),
        CS_EUPSTREAM);
    fake_aws_play(&b->fake, nowhere);
    assert_int_equal(
        cs_s3_list(b->s3, CS_S3_LIST_OBJECTS, CS_LIT(""), note, &listed, soon(), NULL),
        CS_EUPSTREAM);
    cs_buf_clear(&listed.text);
}

static void test_delete(void **state)
{
    static const struct fake_answer script[] = {
        {204, "", "", FAKE_KEEP, 0},
        {404, "", "<Error><Code>NoSuchKey</Code></Error>", FAKE_KEEP, 0},
        {404, "", "<Error><Code>NoSuchBucket</Code></Error>", FAKE_KEEP, 0},
        {200, "", "<DeleteResult/>", FAKE_KEEP, 0},
        {200, "",
         "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code></Error></"
         "DeleteResult>",
         FAKE_KEEP, 0},
        {403, "", "<Error><Code>AccessDenied</Code></Error>", FAKE_KEEP, 0},
        {0}};
    static const struct cs_s3_name names[] = {{CS_LIT_INIT("a&<"), CS_LIT_INIT("1")},
                                              {CS_LIT_INIT("b"), CS_LIT_INIT("")}};
    struct bench *b = *state;
    struct cs_err why = CS_ERR_NONE;

    fake_aws_play(&b->fake, script);
    assert_ok(cs_s3_delete(b->s3, CS_LIT("k"), CS_LIT("1"), soon(), err));
    assert_ok(cs_s3_delete(b->s3, CS_LIT("k"), CS_LIT(""), soon(), err));
    assert_int_equal(cs_s3_delete(b->s3, CS_LIT("k"), CS_LIT(""), soon(), NULL),
                     CS_ENOTFOUND);
    assert_ok(cs_s3_delete_many(b->s3, names, 2, soon(), err));
    assert_int_equal(
        fake_aws_saw(&b->fake,
                     "<Object><Key>a&amp;&lt;</Key><VersionId>1</VersionId></Object>"
                     "<Object><Key>b</Key></Object>"),
        1);
    assert_int_equal(cs_s3_delete_many(b->s3, names, 2, soon(), NULL), CS_EDENIED);
    assert_int_equal(cs_s3_delete_many(b->s3, names, 2, soon(), &why), CS_EDENIED);
    assert_non_null(strstr(why.text, "S3 DeleteObjects"));
}

#define SHAKEN(code)                                                         \
    {                                                                        \
        200, "",                                                             \
            "<DeleteResult><Error><Key>a</Key><Code>" code "</Code></Error>" \
            "</DeleteResult>",                                               \
            FAKE_KEEP, 1                                                     \
    }

/* S3 says 200, and of some of the objects that they are to be deleted again. */
static void test_deletes_again_what_may_go_then(void **state)
{
    static const struct fake_answer script[] = {
        SHAKEN("InternalError"),
        SHAKEN("SlowDown"),
        {200, "", "<DeleteResult/>", 0, 0},
        {200, "",
         "<DeleteResult><Error><Key>a</Key><Code>SlowDown</Code></Error><Error><Key>b"
         "</Key><Code>AccessDenied</Code></Error></DeleteResult>",
         FAKE_KEEP, 0},
        SHAKEN("SlowDown"),
        SHAKEN("SlowDown"),
        SHAKEN("SlowDown"),
        SHAKEN("SlowDown"),
        {0}};
    static const struct cs_s3_name names[] = {{CS_LIT_INIT("a"), CS_LIT_INIT("1")},
                                              {CS_LIT_INIT("b"), CS_LIT_INIT("2")}};
    struct bench *b = *state;
    struct cs_err why = CS_ERR_NONE;

    fake_aws_play(&b->fake, script);
    assert_ok(cs_s3_delete_many(b->s3, names, 2, soon(), err));
    assert_int_equal(fake_aws_saw(&b->fake, "<Key>b</Key>"), 3);
    /* not where one of them stays anyway, and not for ever */
    assert_int_equal(cs_s3_delete_many(b->s3, names, 2, soon(), NULL), CS_EUPSTREAM);
    assert_int_equal(fake_aws_saw(&b->fake, "<Key>b</Key>"), 4);
    assert_int_equal(cs_s3_delete_many(b->s3, names, 2, soon(), &why), CS_EUPSTREAM);
    assert_string_equal(why.text,
                        "S3 DeleteObjects: 1 not deleted, the first a: SlowDown");
    assert_int_equal(fake_aws_saw(&b->fake, "<Key>b</Key>"), 8);
}

static void test_upload_in_parts(void **state)
{
    static const struct fake_answer script[] = {
        {200, "",
         "<InitiateMultipartUploadResult><UploadId>u/1</UploadId>"
         "</InitiateMultipartUploadResult>",
         FAKE_KEEP, 0},
        {503, "", "<Error><Code>SlowDown</Code></Error>", FAKE_KEEP, 0},
        {200, "ETag: \"e\"\r\n", "", FAKE_KEEP, 3},
        {200, "", "<Error><Code>InternalError</Code></Error>", FAKE_KEEP, 0},
        {200, "x-amz-version-id: v9\r\n", "<CompleteMultipartUploadResult/>", FAKE_KEEP,
         0},
        {0}};
    static const struct fake_answer failing[] = {
        {200, "",
         "<InitiateMultipartUploadResult><UploadId>u2</UploadId>"
         "</InitiateMultipartUploadResult>",
         FAKE_KEEP, 0},
        {403, "", "<Error><Code>AccessDenied</Code></Error>", FAKE_KEEP, 0},
        {0}};
    /* no upload's id, no part's ETag; an upload that is gone, and one that stays */
    static const struct fake_answer odd[] = {
        {200, "", "<InitiateMultipartUploadResult/>", FAKE_KEEP, 0},
        {200, "",
         "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
         "</InitiateMultipartUploadResult>",
         FAKE_KEEP, 0},
        {200, "", "", FAKE_KEEP, 0},
        {404, "", "<Error><Code>NoSuchUpload</Code></Error>", FAKE_KEEP, 0},
        {403, "", "<Error><Code>AccessDenied</Code></Error>", FAKE_KEEP, 0},
        {0}};
    struct bench *b = *state;
    const struct cs_s3_info info = {.key = CS_LIT("big")};
    const struct cs_net_body parts[] = {
        {.kind = CS_NET_BODY_BYTES, .bytes = CS_LIT("one")},
        {.kind = CS_NET_BODY_BYTES, .bytes = CS_LIT("two")},
        {.kind = CS_NET_BODY_BYTES, .bytes = CS_LIT("three")},
    };
    struct cs_s3_upload *upload;
    char *version;

    fake_aws_play(&b->fake, script);
    assert_ok(cs_s3_upload_begin(b->s3, &info, &upload, soon(), err));
    assert_ok(cs_s3_upload_parts(upload, parts, 2, soon(), err));
    assert_ok(cs_s3_upload_parts(upload, parts + 2, 1, soon(), err));
    assert_ok(cs_s3_upload_complete(upload, &version, soon(), err));
    assert_string_equal(version, "v9");
    assert_int_equal(fake_aws_saw(&b->fake, "partNumber=3&uploadId=u%2F1 "), 1);
    assert_int_equal(fake_aws_saw(&b->fake, "x-amz-checksum-algorithm: SHA256\r\n"), 1);
    assert_int_equal(fake_aws_saw(&b->fake, "x-amz-checksum-sha256: "), 4); /* a repeat */
    assert_int_equal(fake_aws_saw(&b->fake, "<ChecksumSHA256>" ONE_CHECKSUM
                                            "</ChecksumSHA256></Part>"),
                     2);
    assert_int_equal(fake_aws_saw(&b->fake, "<ChecksumSHA256>"), 6);
    assert_int_equal(fake_aws_saw(&b->fake,
                                  "<PartNumber>3</PartNumber><ETag>&quot;e&quot;"
                                  "</ETag>"),
                     2);
    free(version);
    cs_s3_upload_free(upload);

    fake_aws_play(&b->fake, failing);
    assert_ok(cs_s3_upload_begin(b->s3, &info, &upload, soon(), err));
    assert_int_equal(cs_s3_upload_parts(upload, parts, 1, soon(), NULL), CS_EDENIED);
    cs_s3_upload_abort(upload, soon());
    assert_int_equal(fake_aws_saw(&b->fake, "DELETE /outputs/big?uploadId=u2 "), 1);

    fake_aws_play(&b->fake, odd);
    assert_int_equal(cs_s3_upload_begin(b->s3, &info, &upload, soon(), NULL),
                     CS_EUPSTREAM);
    assert_null(upload);
    assert_ok(cs_s3_upload_begin(b->s3, &info, &upload, soon(), err));
    assert_int_equal(cs_s3_upload_parts(upload, parts, 1, soon(), NULL), CS_EUPSTREAM);
    cs_s3_upload_free(upload);
    assert_ok(cs_s3_upload_drop(b->s3, info.key, CS_LIT("u"), soon(), err));
    assert_int_equal(cs_s3_upload_drop(b->s3, info.key, CS_LIT("u"), soon(), NULL),
                     CS_EDENIED);
}

/* The answer to the completion is lost, and the repetition finds no upload any more. */
static void test_a_completion_that_had_succeeded(void **state)
{
    static const struct fake_answer script[] = {
        {200, "",
         "<InitiateMultipartUploadResult><UploadId>u3</UploadId>"
         "</InitiateMultipartUploadResult>",
         FAKE_KEEP, 0},
        {200, "ETag: \"e\"\r\n", "", FAKE_KEEP, 0},
        {503, "", "", FAKE_KEEP, 0},
        {404, "", "<Error><Code>NoSuchUpload</Code></Error>", FAKE_KEEP, 0},
        {200, "x-amz-version-id: v3\r\nx-amz-meta-sha256: " HELLO_SHA "\r\n", "",
         FAKE_KEEP, 0},
        /* and where it had not: another object, or none */
        {404, "", "<Error><Code>NoSuchUpload</Code></Error>", FAKE_KEEP, 0},
        {200, "x-amz-version-id: v2\r\nx-amz-meta-sha256: 00\r\n", "", FAKE_KEEP, 0},
        {404, "", "<Error><Code>NoSuchUpload</Code></Error>", FAKE_KEEP, 0},
        {404, "", "", FAKE_KEEP, 0},
        {0}};
    static const struct cs_net_body part = {.kind = CS_NET_BODY_BYTES,
                                            .bytes = CS_LIT_INIT("hello")};
    struct bench *b = *state;
    const struct cs_s3_info info = {.key = CS_LIT("big"), .sha256 = HELLO_SHA};
    struct cs_s3_upload *upload;
    char *version;

    fake_aws_play(&b->fake, script);
    assert_ok(cs_s3_upload_begin(b->s3, &info, &upload, soon(), err));
    assert_ok(cs_s3_upload_parts(upload, &part, 1, soon(), err));
    assert_ok(cs_s3_upload_complete(upload, &version, soon(), err));
    assert_string_equal(version, "v3");
    free(version);
    assert_int_equal(fake_aws_saw(&b->fake, "HEAD /outputs/big HTTP/1.1\r\n"), 1);
    for (int i = 0; i < 2; i++) {
        struct cs_err why = CS_ERR_NONE;

        assert_int_equal(cs_s3_upload_complete(upload, &version, soon(), &why),
                         CS_ENOTFOUND);
        assert_string_equal(why.reason, "NoSuchUpload");
        assert_null(version);
    }
    cs_s3_upload_free(upload);
}

static void test_ensure(void **state)
{
    static const struct fake_answer fresh[] = {{404, "", "", FAKE_KEEP, 0}, {0}};
    static const struct fake_answer raced[] = {
        {404, "", "", FAKE_KEEP, 0},
        {409, "", "<Error><Code>BucketAlreadyOwnedByYou</Code></Error>", FAKE_KEEP, 0},
        {0}};
    static const struct fake_answer taken[] = {
        {404, "", "", FAKE_KEEP, 0},
        {409, "", "<Error><Code>BucketAlreadyExists</Code></Error>", FAKE_KEEP, 0},
        {0}};
    static const struct fake_answer foreign[] = {{403, "", "", FAKE_KEEP, 0}, {0}};
    static const struct fake_answer elsewhere[] = {
        {301, "x-amz-bucket-region: eu-west-3\r\n", "", FAKE_KEEP, 0}, {0}};
    const struct cs_s3_bucket_settings settings = {
        .versioning = true, .block_public_access = true, .encrypt = true};
    struct bench *b = *state;
    struct cs_buf report = CS_BUF_INIT(4096);
    struct cs_err why = CS_ERR_NONE;

    fake_aws_play(&b->fake, fresh);
    assert_ok(cs_s3_ensure(b->s3, &settings, &report, soon(), err));
    assert_view(cs_buf_view(&report), "S3 bucket outputs in eu-central-1 created\n");
    assert_int_equal(
        fake_aws_saw(&b->fake, "<LocationConstraint>eu-central-1</LocationConstraint>"),
        1);
    assert_int_equal(fake_aws_saw(&b->fake, "<BlockPublicAcls>true</BlockPublicAcls>"),
                     1);
    assert_int_equal(fake_aws_saw(&b->fake, "AES256"), 1);
    assert_int_equal(fake_aws_saw(&b->fake, "<Status>Enabled</Status>"), 1);
    fake_aws_play(&b->fake, raced);
    assert_ok(cs_s3_ensure(b->s3, &settings, &report, soon(), err));
    fake_aws_play(&b->fake, taken);
    assert_int_equal(cs_s3_ensure(b->s3, &settings, &report, soon(), NULL), CS_EEXISTS);
    fake_aws_play(&b->fake, foreign);
    assert_int_equal(cs_s3_ensure(b->s3, &settings, &report, soon(), &why), CS_EDENIED);
    assert_string_equal(why.field, "S3_BUCKET_NAME");
    assert_int_equal(why.upstream_status, 403);
    fake_aws_play(&b->fake, elsewhere);
    assert_ok(cs_s3_ensure(b->s3, &settings, &report, soon(), err));
    assert_view(cs_s3_region(b->s3), "eu-west-3");
    cs_buf_clear(&report);
}

static void test_us_east_1_is_not_named(void **state)
{
    static const struct fake_answer fresh[] = {{404, "", "", FAKE_KEEP, 0}, {0}};
    const struct cs_s3_bucket_settings settings = {.versioning = false};
    struct bench *b = *state;
    struct cs_s3_options options = {.aws = b->fake.aws,
                                    .region = "us-east-1",
                                    .bucket = "outputs",
                                    .url = b->fake.url};
    struct cs_s3 *s3 = cs_s3_new(&options, NULL);
    struct cs_buf report = CS_BUF_INIT(4096);

    fake_aws_play(&b->fake, fresh);
    assert_ok(cs_s3_ensure(s3, &settings, &report, soon(), err));
    assert_int_equal(fake_aws_saw(&b->fake, "LocationConstraint"), 0);
    cs_buf_clear(&report);
    cs_s3_free(s3);
    options.bucket = "a/b";
    assert_null(cs_s3_new(&options, NULL));
    options.bucket = NULL;
    assert_null(cs_s3_new(&options, NULL));
}

static void test_plain_addresses(void **state)
{
    static const struct {
        struct cs_s3_options options;
        const char *url;
    } cases[] = {
        {{.region = "ca-central-1", .bucket = "outputs"},
         "https://outputs.s3.ca-central-1.amazonaws.com/a/b%20c"},
        {{.region = "ca-central-1", .bucket = "out.puts"},
         "https://s3.ca-central-1.amazonaws.com/out.puts/a/b%20c"},
        {{.region = "eu-central-1",
          .bucket = "outputs",
          .url = "http://127.0.0.1:9000",
          .public_url = "https://files.example.com"},
         "https://files.example.com/outputs/a/b%20c"},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_s3_options options = cases[i].options;
        struct cs_buf url = CS_BUF_INIT(1024);
        struct cs_s3 *s3;

        options.aws = b->fake.aws;
        assert_non_null(s3 = cs_s3_new(&options, NULL));
        cs_s3_add_url(s3, CS_LIT("a/b c"), &url);
        assert_string_equal(cs_buf_cstr(&url), cases[i].url);
        cs_buf_clear(&url);
        cs_s3_free(s3);
    }
}

static void test_presigned(void **state)
{
    struct bench *b = *state;
    const struct cs_s3_link link = {.method = "GET",
                                    .key = CS_LIT("a b"),
                                    .version = CS_LIT("v"),
                                    .content_disposition =
                                        CS_LIT("attachment; filename=\"x\""),
                                    .content_type = CS_LIT("text/html; charset=utf-8"),
                                    .ttl_s = 100,
                                    .deadline = soon()};
    struct cs_buf url = CS_BUF_INIT(8192);
    struct cs_buf canonical = CS_BUF_INIT(8192);
    struct cs_view query;
    int64_t expires_at_us;

    assert_ok(cs_s3_presign(b->s3, &link, &url, &expires_at_us, err));
    assert_non_null(strstr(url.ptr, "/outputs/a%20b?X-Amz-Algorithm="));
    assert_non_null(strstr(url.ptr,
                           "&response-content-disposition=attachment%3B%20filename%3D%22x"
                           "%22&response-content-type=text%2Fhtml%3B%20charset%3Dutf-8"
                           "&versionId=v&X-Amz-Signature="));
    /* it was taken for canonical, and it is */
    cs_buf_truncate(&url, cs_view_find(cs_buf_view(&url), CS_LIT("&X-Amz-Signature=")));
    query = cs_view_cstr(strchr(url.ptr, '?') + 1);
    assert_ok(cs_sigv4_canonical_query(&canonical, query, err));
    assert_view(query, cs_buf_cstr(&canonical));
    cs_buf_clear(&canonical);
    cs_buf_clear(&url);
}

/* ---- checksums ---- */

/* Each mode of checksums: what goes along with puts, and with calls that need one. */
static void test_checksum_modes(void **state)
{
    static const struct fake_answer good[] = {
        {200, "", "", FAKE_KEEP, 1}, {200, "", "<DeleteResult/>", FAKE_KEEP, 9}, {0}};
    static const char sha[] = "x-amz-checksum-sha256: ";
    static const char md5[] = "Content-MD5: ";
    static const struct {
        enum cs_s3_checksum mode;
        const char *name;
        unsigned count; /* in both requests */
    } cases[] = {
        {CS_S3_CHECKSUM_AUTO, sha, 2},
        {CS_S3_CHECKSUM_SHA256, sha, 2},
        {CS_S3_CHECKSUM_MD5, md5, 2},
        {CS_S3_CHECKSUM_NONE, md5, 1},
    };
    const struct cs_s3_name name = {.key = CS_LIT("a")};
    struct bench *b = *state;

    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_s3_put put = hello("a");

        b->s3->checksum = cases[i].mode;
        fake_aws_play(&b->fake, good);
        assert_ok(cs_s3_put_many(b->s3, &put, 1, soon(), err));
        free(put.version_out);
        assert_ok(cs_s3_delete_many(b->s3, &name, 1, soon(), err));
        assert_int_equal(fake_aws_saw(&b->fake, cases[i].name), cases[i].count);
        assert_int_equal(fake_aws_saw(&b->fake, sha) + fake_aws_saw(&b->fake, md5),
                         cases[i].count);
        assert_int_equal(
            fake_aws_saw(&b->fake, "Content-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\n"),
            cases[i].mode == CS_S3_CHECKSUM_MD5);
    }
}

/* A mode that was asked for is not given up in silence. */
static void test_checksum_refused(void **state)
{
    static const struct fake_answer refusal[] = {
        {501, "", "<Error><Code>NotImplemented</Code></Error>", FAKE_KEEP, 9}, {0}};
    static const struct fake_answer once[] = {
        {501, "", "<Error><Code>NotImplemented</Code></Error>", FAKE_KEEP, 1},
        {200, "", "<DeleteResult/>", FAKE_KEEP, 9},
        {0}};
    const struct cs_s3_name name = {.key = CS_LIT("a")};
    struct bench *b = *state;
    struct cs_s3_put put = hello("a");
    struct cs_err why = CS_ERR_NONE;

    b->s3->checksum = CS_S3_CHECKSUM_SHA256;
    fake_aws_play(&b->fake, refusal);
    assert_int_equal(cs_s3_put_many(b->s3, &put, 1, soon(), &why), CS_EUNSUPPORTED);
    assert_string_equal(why.field, "S3_CHECKSUM");
    assert_non_null(strstr(why.text, "S3_CHECKSUM"));
    assert_int_equal(b->s3->checksum, CS_S3_CHECKSUM_SHA256);
    b->s3->checksum = CS_S3_CHECKSUM_AUTO;
    fake_aws_play(&b->fake, once);
    assert_ok(cs_s3_delete_many(b->s3, &name, 1, soon(), err));
    assert_int_equal(fake_aws_saw(&b->fake, "x-amz-checksum-sha256: "), 1);
    assert_int_equal(fake_aws_saw(&b->fake, "Content-MD5: "), 1);
}

#define BEGUN                                                 \
    "<InitiateMultipartUploadResult><UploadId>u</UploadId></" \
    "InitiateMultipartUploadResult>"

static const struct cs_net_body one_part = {.kind = CS_NET_BODY_BYTES,
                                            .bytes = CS_LIT_INIT("one")};

/* An object of one part. */
static enum cs_code upload_one(struct cs_s3 *s3, struct cs_err *err)
{
    const struct cs_s3_info info = {.key = CS_LIT("big")};
    struct cs_s3_upload *upload;
    char *version = NULL;
    enum cs_code rc;

    if ((rc = cs_s3_upload_begin(s3, &info, &upload, soon(), err)) != CS_OK) {
        assert_null(upload);
        return rc;
    }
    if ((rc = cs_s3_upload_parts(upload, &one_part, 1, soon(), err)) == CS_OK)
        rc = cs_s3_upload_complete(upload, &version, soon(), err);
    free(version);
    cs_s3_upload_free(upload);
    return rc;
}

/* The checksum of a part: said when the upload begins, sent with the part or behind it,
 * and said again when the object is made of the parts. */
static void test_checksums_of_parts(void **state)
{
    static const struct fake_answer good[] = {
        {200, "", BEGUN, FAKE_KEEP, 0},
        {200, "ETag: \"e\"\r\n", "", FAKE_KEEP, 0},
        {200, "", "<CompleteMultipartUploadResult/>", FAKE_KEEP, 0},
        {0}};
    static const struct {
        enum cs_s3_checksum mode;
        enum cs_s3_payload payload;
        const char *sent; /* with the part */
        bool sha256;      /* is said at both ends */
    } cases[] = {
        {CS_S3_CHECKSUM_AUTO, CS_S3_PAYLOAD_SIGNED,
         "\r\nx-amz-checksum-sha256: " ONE_CHECKSUM "\r\n", true},
        {CS_S3_CHECKSUM_SHA256, CS_S3_PAYLOAD_SIGNED,
         "\r\nx-amz-checksum-sha256: " ONE_CHECKSUM "\r\n", true},
        {CS_S3_CHECKSUM_SHA256, CS_S3_PAYLOAD_CHUNKED,
         "\r\nx-amz-checksum-sha256:" ONE_CHECKSUM "\r\nx-amz-trailer-signature:", true},
        {CS_S3_CHECKSUM_MD5, CS_S3_PAYLOAD_SIGNED,
         "\r\nContent-MD5: +XxdKZQb+xsv2rCHSQargg==\r\n", false},
        {CS_S3_CHECKSUM_NONE, CS_S3_PAYLOAD_SIGNED, "partNumber=1", false},
        {CS_S3_CHECKSUM_NONE, CS_S3_PAYLOAD_CHUNKED, ";chunk-signature=", false},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        b->s3->checksum = cases[i].mode;
        b->s3->payload = cases[i].payload;
        fake_aws_play(&b->fake, good);
        assert_ok(upload_one(b->s3, err));
        assert_true(fake_aws_saw(&b->fake, cases[i].sent) > 0);
        assert_int_equal(
            fake_aws_saw(&b->fake, "\r\nx-amz-checksum-algorithm: SHA256\r\n"),
            cases[i].sha256);
        assert_int_equal(
            fake_aws_saw(&b->fake,
                         "<ETag>&quot;e&quot;</ETag><ChecksumSHA256>" ONE_CHECKSUM
                         "</ChecksumSHA256></Part>"),
            cases[i].sha256);
        if (!cases[i].sha256)
            assert_int_equal(fake_aws_saw(&b->fake, "x-amz-checksum"), 0);
    }
}

/* How servers say that they do not know the header. */
static const struct fake_answer refusals[] = {
    {501, "", "<Error><Code>NotImplemented</Code></Error>", FAKE_KEEP, 0},
    {400, "",
     "<Error><Code>InvalidArgument</Code><Message>Unsupported header "
     "'x-amz-checksum-sha256' received for this API call.</Message></Error>",
     FAKE_KEEP, 0},
};

static void test_put_on_a_server_without_checksums(void **state)
{
    struct bench *b = *state;

    for (size_t i = 0; i < CS_COUNT(refusals); i++) {
        struct cs_s3_put puts[] = {hello("a"), hello("b"), hello("c")};
        struct fake_answer script[] = {
            refusals[i], {200, "", "", FAKE_KEEP, 9}, {.status = 0}};

        script[0].times = CS_COUNT(puts);
        b->s3->checksum = CS_S3_CHECKSUM_AUTO;
        fake_aws_play(&b->fake, script);
        assert_ok(cs_s3_put_many(b->s3, puts, 3, soon(), err));
        assert_int_equal(fake_aws_saw(&b->fake, "x-amz-checksum-sha256: "), 3);
        for (size_t k = 0; k < CS_COUNT(puts); k++)
            free(puts[k].version_out);
        fake_aws_play(&b->fake, NULL);
        assert_ok(cs_s3_put_many(b->s3, puts, 1, soon(), err));
        free(puts[0].version_out);
        assert_int_equal(fake_aws_saw(&b->fake, "x-amz-checksum-sha256"), 0);
    }
}

/* Refused when the upload begins, or not before its first part: either way the object is
 * made, and no further call has the header. */
static void test_parts_on_a_server_without_checksums(void **state)
{
    static const struct fake_answer begun = {200, "", BEGUN, FAKE_KEEP, 0};
    static const struct fake_answer part = {200, "ETag: \"e\"\r\n", "", FAKE_KEEP, 0};
    static const struct fake_answer made = {200, "", "<CompleteMultipartUploadResult/>",
                                            FAKE_KEEP, 0};
    struct bench *b = *state;

    for (size_t i = 0; i < CS_COUNT(refusals); i++) {
        const struct fake_answer at_once[] = {refusals[i], begun, part, made, {0}};
        const struct fake_answer later[] = {begun, refusals[i], part, made, {0}};
        const struct fake_answer *const scripts[] = {at_once, later};

        for (size_t k = 0; k < CS_COUNT(scripts); k++) {
            b->s3->checksum = CS_S3_CHECKSUM_AUTO;
            fake_aws_play(&b->fake, scripts[k]);
            assert_ok(upload_one(b->s3, err));
            assert_int_equal(fake_aws_saw(&b->fake, "x-amz-checksum-algorithm: SHA256"),
                             1);
            assert_int_equal(fake_aws_saw(&b->fake, "x-amz-checksum-sha256: "), k);
            assert_int_equal(fake_aws_saw(&b->fake, "<ChecksumSHA256>"), 0);
            assert_int_equal(b->s3->checksum, CS_S3_CHECKSUM_NONE);
        }
        b->s3->checksum = CS_S3_CHECKSUM_SHA256;
        for (size_t k = 0; k < CS_COUNT(scripts); k++) {
            struct cs_err why = CS_ERR_NONE;

            fake_aws_play(&b->fake, scripts[k]);
            assert_int_equal(upload_one(b->s3, &why), CS_EUNSUPPORTED);
            assert_string_equal(why.field, "S3_CHECKSUM");
            assert_int_equal(why.upstream_status, refusals[i].status);
            assert_int_equal(b->s3->checksum, CS_S3_CHECKSUM_SHA256);
        }
    }
}

/* A checksum that is wrong, or a bad request of another kind, is no reason to go without.
 */
static void test_what_does_not_refuse_checksums(void **state)
{
    static const struct fake_answer others[] = {
        {400, "",
         "<Error><Code>BadDigest</Code><Message>The SHA256 you specified in "
         "x-amz-checksum-sha256 did not match</Message></Error>",
         FAKE_KEEP, 9},
        {400, "", "<Error><Code>InvalidArgument</Code><Message>no</Message></Error>",
         FAKE_KEEP, 9},
        {400, "", "<Error><Code>InvalidArgument</Code></Error>", FAKE_KEEP, 9},
        {400, "", "", FAKE_KEEP, 9},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < CS_COUNT(others); i++) {
        const struct fake_answer script[] = {others[i], {0}};
        struct cs_s3_put put = hello("a");

        fake_aws_play(&b->fake, script);
        assert_int_not_equal(cs_s3_put_many(b->s3, &put, 1, soon(), NULL), CS_OK);
        assert_int_equal(b->s3->checksum, CS_S3_CHECKSUM_AUTO);
        fake_aws_play(&b->fake, script);
        assert_int_not_equal(upload_one(b->s3, NULL), CS_OK);
        assert_int_equal(b->s3->checksum, CS_S3_CHECKSUM_AUTO);
    }
}

#define with_bench(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_bench(test_one_of_many_puts_fails),
        with_bench(test_checksum_modes),
        with_bench(test_checksum_refused),
        with_bench(test_put_headers),
        with_bench(test_copy),
        with_bench(test_put_on_a_server_without_checksums),
        with_bench(test_get),
        with_bench(test_get_many),
        with_bench(test_list),
        with_bench(test_delete),
        with_bench(test_deletes_again_what_may_go_then),
        with_bench(test_upload_in_parts),
        with_bench(test_a_completion_that_had_succeeded),
        with_bench(test_checksums_of_parts),
        with_bench(test_parts_on_a_server_without_checksums),
        with_bench(test_what_does_not_refuse_checksums),
        with_bench(test_ensure),
        with_bench(test_us_east_1_is_not_named),
        with_bench(test_plain_addresses),
        with_bench(test_presigned),
    };

    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
