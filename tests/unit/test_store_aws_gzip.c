/* Objects that S3 keeps compressed are none the wiser for it: sizes, digests, bytes and
 * ranges are those of what was put. */
#include "config.h"

#include <sys/mman.h>
#include <unistd.h>

#include "aws_server.h"
#include "base/deflate.h"

#define TEXT_LEN 100000u

static const char *const packing[] = {"S3_GZIP=true", NULL};

struct bench {
    struct cs_store *store; /* compresses */
    struct cs_store *plain; /* does not */
    struct aws_server server;
    struct cs_buf text; /* TEXT_LEN bytes that compress well, all places different */
};

static int begin(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    aws_server_empty();
    b->store = aws_server_store(packing);
    b->plain = aws_server_store(NULL);
    aws_server_open(&b->server);
    cs_buf_init(&b->text, TEXT_LEN + 100);
    for (unsigned i = 0; b->text.len < TEXT_LEN; i++)
        cs_buf_add_fmt(&b->text, "<p>line %u</p>\n", i);
    b->text.len = TEXT_LEN;
    *state = b;
    return 0;
}

static int end(void **state)
{
    struct bench *b = *state;

    aws_server_close(&b->server);
    b->store->ops->free(b->store);
    b->plain->ops->free(b->plain);
    cs_buf_clear(&b->text);
    free(b);
    return 0;
}

static void put(struct cs_store *store, struct cs_view bytes, int fd,
                struct cs_object *out)
{
    const struct cs_object_source source = {
        .info = {.key = CS_LIT("a/index.html"),
                 .content_type = CS_LIT("text/html; charset=utf-8"),
                 .compressible = true},
        .bytes = bytes,
        .fd = fd,
        .size = bytes.len,
    };

    assert_ok(store->ops->put(store, &source, 1, out, soon(), err));
}

static void assert_same(struct cs_store *store, const struct cs_object *object,
                        struct cs_view expected, size_t piece)
{
    struct cs_buf bytes = CS_BUF_INIT(4u << 20);
    uint64_t size;

    assert_ok(read_object(store, text(object->key), text(object->version), NULL, piece,
                          &bytes, &size, err));
    assert_int_equal(size, expected.len);
    assert_true(cs_view_eq(cs_buf_view(&bytes), expected));
    cs_buf_clear(&bytes);
}

static bool is_packed(struct bench *b, const struct cs_object *object, uint64_t *kept_out)
{
    const struct cs_s3_get get = {
        .key = text(object->key), .version = text(object->version), .head = true};
    struct cs_net_response response;
    bool packed;

    cs_net_response_init(&response, 65536);
    assert_ok(cs_s3_get(b->server.s3, &get, &response, soon(), err));
    packed =
        cs_view_eq(cs_net_response_header(&response, "content-encoding"), CS_LIT("gzip"));
    assert_true(
        cs_view_to_u64(cs_net_response_header(&response, "content-length"), kept_out));
    assert_view(cs_net_response_header(&response, "x-amz-meta-sha256"), object->sha256);
    cs_net_response_clear(&response);
    return packed;
}

static void test_whole(void **state)
{
    struct bench *b = *state;
    struct cs_view all = cs_buf_view(&b->text);
    uint8_t digest[CS_SHA256_LEN];
    char hex[CS_SHA256_HEX_LEN + 1];
    struct cs_object object;
    uint64_t kept;

    put(b->store, all, -1, &object);
    assert_ok(cs_sha256_of(digest, all, err));
    cs_sha256_hex(hex, digest);
    assert_int_equal(object.size, TEXT_LEN);
    assert_string_equal(object.sha256, hex);
    assert_true(is_packed(b, &object, &kept));
    assert_true(kept < TEXT_LEN / 4);
    assert_same(b->store, &object, all, 1);
    assert_same(b->store, &object, all, 4096);
    assert_same(b->store, &object, all, 1u << 20);
    assert_same(b->plain, &object, all, 4096); /* whatever the setting is now */
    cs_object_clear(&object);
}

/* What gains nothing, and what was put before, stays as it is. */
static void test_not_worth_it(void **state)
{
    struct bench *b = *state;
    char noise[5000];
    struct cs_object object;
    uint64_t kept;

    assert_ok(cs_random_bytes(noise, sizeof(noise), err));
    put(b->store, cs_view_of(noise, sizeof(noise)), -1, &object);
    assert_false(is_packed(b, &object, &kept));
    assert_int_equal(kept, sizeof(noise));
    assert_same(b->store, &object, cs_view_of(noise, sizeof(noise)), 4096);
    cs_object_clear(&object);
    put(b->store, CS_LIT("short"), -1, &object);
    assert_false(is_packed(b, &object, &kept));
    assert_same(b->store, &object, CS_LIT("short"), 4096);
    cs_object_clear(&object);
    put(b->store, CS_LIT(""), -1, &object);
    assert_same(b->store, &object, CS_LIT(""), 4096);
    cs_object_clear(&object);
    put(b->plain, cs_buf_view(&b->text), -1, &object);
    assert_false(is_packed(b, &object, &kept));
    assert_same(b->store, &object, cs_buf_view(&b->text), 4096);
    cs_object_clear(&object);
}

static void test_file(void **state)
{
    struct bench *b = *state;
    int fd = memfd_create("source", MFD_CLOEXEC);
    struct cs_object object;
    uint64_t kept;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, cs_buf_view(&b->text).ptr, TEXT_LEN), TEXT_LEN);
    put(b->store, cs_buf_view(&b->text), fd, &object);
    assert_true(is_packed(b, &object, &kept));
    assert_same(b->store, &object, cs_buf_view(&b->text), 4096);
    cs_object_clear(&object);
    assert_int_equal(close(fd), 0);
}

static void test_pieces(void **state)
{
    struct bench *b = *state;
    const struct cs_object_info info = {.key = CS_LIT("a/index.html"),
                                        .compressible = true};
    struct cs_view rest = cs_buf_view(&b->text);
    struct cs_object_writer *writer;
    struct cs_object object;
    uint64_t kept;

    assert_ok(
        b->store->ops->put_begin(b->store, &info, UINT64_MAX, &writer, soon(), err));
    for (; rest.len > 0; rest = cs_view_from(rest, 999))
        assert_ok(
            b->store->ops->put_add(b->store, writer, cs_view_sub(rest, 0, 999), err));
    assert_ok(b->store->ops->put_commit(b->store, writer, &object, err));
    assert_int_equal(object.size, TEXT_LEN);
    assert_true(is_packed(b, &object, &kept));
    assert_same(b->store, &object, cs_buf_view(&b->text), 4096);
    cs_object_clear(&object);
}

static void assert_range(struct bench *b, const struct cs_object *object,
                         const char *version, uint64_t first, uint64_t last)
{
    const struct cs_byte_range range = {first, last};
    uint64_t end_at = last >= TEXT_LEN ? TEXT_LEN : last + 1;
    struct cs_buf bytes = CS_BUF_INIT(4u << 20);
    uint64_t size;

    assert_ok(read_object(b->store, text(object->key), text(version), &range, 777, &bytes,
                          &size, err));
    assert_int_equal(size, TEXT_LEN);
    assert_true(cs_view_eq(cs_buf_view(&bytes),
                           cs_view_sub(cs_buf_view(&b->text), first, end_at - first)));
    cs_buf_clear(&bytes);
}

static void test_ranges(void **state)
{
    static const uint64_t ranges[][2] = {{0, 0},
                                         {0, 99},
                                         {1, 1},
                                         {500, 50000},
                                         {TEXT_LEN - 1, TEXT_LEN - 1},
                                         {TEXT_LEN - 10, TEXT_LEN + 10},
                                         {0, TEXT_LEN - 1},
                                         {0, UINT64_MAX},
                                         {99000, UINT64_MAX}};
    static const uint64_t outside[][2] = {{TEXT_LEN, TEXT_LEN},
                                          {TEXT_LEN + 5, UINT64_MAX},
                                          {UINT64_MAX, UINT64_MAX},
                                          {1, 0}};
    struct bench *b = *state;
    struct cs_object object;

    put(b->store, cs_buf_view(&b->text), -1, &object);
    for (size_t i = 0; i < CS_COUNT(ranges); i++) {
        assert_range(b, &object, object.version, ranges[i][0], ranges[i][1]);
        assert_range(b, &object, "", ranges[i][0], ranges[i][1]);
    }
    for (size_t i = 0; i < CS_COUNT(outside); i++) {
        const struct cs_byte_range range = {outside[i][0], outside[i][1]};
        struct cs_object_reader *reader;
        uint64_t size;

        assert_int_equal(b->store->ops->open(b->store, text(object.key),
                                             text(object.version), &range, &reader, &size,
                                             soon(), NULL),
                         CS_ERANGE);
        assert_null(reader);
        assert_int_equal(size, TEXT_LEN);
    }
    cs_object_clear(&object);
}

/* A browser that follows a link is told how the bytes are encoded. */
static void test_link(void **state)
{
    struct bench *b = *state;
    struct cs_buf url = CS_BUF_INIT(16384);
    struct cs_buf bytes = CS_BUF_INIT(1u << 20);
    struct cs_gunzip *gunzip = cs_gunzip_new();
    struct cs_net_response response;
    struct cs_net_request request = {.method = "GET", .deadline = soon()};
    struct cs_object object;
    struct cs_object_info info = {.content_type = CS_LIT("")};
    struct cs_view packed;
    int64_t expires_us;
    size_t got;

    put(b->store, cs_buf_view(&b->text), -1, &object);
    info.key = cs_view_cstr(object.key);
    assert_ok(b->store->ops->url(b->store, &info, cs_view_cstr(object.version), 600, &url,
                                 &expires_us, err));
    request.url = cs_buf_cstr(&url);
    cs_net_response_init(&response, 1u << 20);
    assert_ok(cs_net_perform(b->server.net, &request, &response, err));
    assert_int_equal(response.status, 200);
    assert_view(cs_net_response_header(&response, "content-encoding"), "gzip");
    packed = cs_buf_view(&response.body);
    assert_non_null(gunzip);
    do {
        char *room = cs_buf_room(&bytes, 65536);

        assert_non_null(room);
        assert_ok(cs_gunzip_read(gunzip, &packed, room, 65536, &got, err));
        cs_buf_grew(&bytes, got);
    } while (got > 0);
    assert_true(cs_gunzip_ended(gunzip));
    assert_true(cs_view_eq(cs_buf_view(&bytes), cs_buf_view(&b->text)));
    cs_gunzip_free(gunzip);
    cs_net_response_clear(&response);
    cs_buf_clear(&url);
    cs_buf_clear(&bytes);
    cs_object_clear(&object);
}

static enum cs_code put_raw(struct bench *b, struct cs_view bytes, const char *size)
{
    char hex[CS_SHA256_HEX_LEN + 1];
    uint8_t digest[CS_SHA256_LEN];
    struct cs_s3_put raw = {.info = {.key = CS_LIT("a/raw"),
                                     .content_encoding = CS_LIT("gzip"),
                                     .size = text(size)},
                            .body = {.kind = CS_NET_BODY_BYTES, .bytes = bytes},
                            .payload_sha256 = hex};
    struct cs_buf out = CS_BUF_INIT(4u << 20);
    uint64_t whole;
    enum cs_code rc;

    assert_ok(cs_sha256_of(digest, bytes, err));
    cs_sha256_hex(hex, digest);
    assert_ok(cs_s3_put_many(b->server.s3, &raw, 1, soon(), err));
    free(raw.version_out);
    rc = read_object(b->plain, text("a/raw"), text(""), NULL, 4096, &out, &whole, NULL);
    if (rc == CS_OK && *size == '\0')
        assert_true(cs_view_eq(cs_buf_view(&out), bytes));
    cs_buf_clear(&out);
    return rc;
}

/* Bytes that are not what they should be are never given out as if they were. */
static void test_damage(void **state)
{
    struct bench *b = *state;
    struct cs_buf packed = CS_BUF_INIT(1u << 20);
    struct cs_gzip *gzip = cs_gzip_new(6);
    struct cs_view all;
    char *middle;

    put_text(b->plain, "a/first", "makes the bucket");
    assert_non_null(gzip);
    assert_ok(cs_gzip_add(gzip, &packed, cs_buf_view(&b->text), true, err));
    cs_gzip_free(gzip);
    all = cs_buf_view(&packed);
    assert_int_equal(put_raw(b, all, "100000"), CS_OK);
    assert_int_equal(put_raw(b, all, ""), CS_OK); /* somebody else's: as it is */
    assert_int_equal(put_raw(b, all, "99999"), CS_EUPSTREAM);
    assert_int_equal(put_raw(b, all, "100001"), CS_EUPSTREAM);
    assert_int_equal(put_raw(b, cs_view_sub(all, 0, all.len - 8), "100000"),
                     CS_EUPSTREAM);
    assert_int_equal(put_raw(b, cs_view_sub(all, 0, all.len / 2), "100000"),
                     CS_EUPSTREAM);
    assert_int_equal(put_raw(b, CS_LIT("no gzip at all"), "100000"), CS_EUPSTREAM);
    middle = cs_buf_take(&packed);
    assert_non_null(middle);
    middle[all.len - 6] ^= 1; /* of the checksum at the end */
    assert_int_equal(put_raw(b, cs_view_of(middle, all.len), "100000"), CS_EUPSTREAM);
    free(middle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, begin, end),
        cmocka_unit_test_setup_teardown(test_not_worth_it, begin, end),
        cmocka_unit_test_setup_teardown(test_file, begin, end),
        cmocka_unit_test_setup_teardown(test_pieces, begin, end),
        cmocka_unit_test_setup_teardown(test_ranges, begin, end),
        cmocka_unit_test_setup_teardown(test_link, begin, end),
        cmocka_unit_test_setup_teardown(test_damage, begin, end),
    };
    int missing = aws_server_missing();

    return missing != 0 ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
