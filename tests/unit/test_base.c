#include "config.h"

#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/deflate.h"
#include "base/digest.h"
#include "base/encoding.h"
#include "base/log.h"

/* ---- err ---- */

static void test_err_first_wins(void **state)
{
    struct cs_err fault = CS_ERR_NONE;

    (void)state;
    assert_int_equal(cs_err_set(&fault, CS_EIO, "first %d", 1), CS_EIO);
    assert_int_equal(cs_err_set(&fault, CS_EINVAL, "second"), CS_EINVAL);
    assert_int_equal(fault.code, CS_EIO);
    assert_string_equal(fault.text, "first 1");
    assert_int_equal(cs_err_set(NULL, CS_EBUSY, "nobody listens"), CS_EBUSY);
    cs_err_clear(&fault);
    assert_int_equal(fault.code, CS_OK);
}

static void test_err_is_handed_on_where_none_is_set(void **state)
{
    struct cs_err below = CS_ERR_NONE;
    struct cs_err above = CS_ERR_NONE;

    (void)state;
    (void)cs_err_set(&below, CS_EIO, "below");
    cs_err_hand_on(NULL, &below);
    cs_err_hand_on(&above, &below);
    assert_int_equal(above.code, CS_EIO);
    assert_string_equal(above.text, "below");
    cs_err_clear(&below);
    (void)cs_err_set(&below, CS_EBUSY, "later");
    cs_err_hand_on(&above, &below);
    assert_string_equal(above.text, "below");
}

static void test_err_is_one_line_and_cut_visibly(void **state)
{
    struct cs_err fault = CS_ERR_NONE;
    char text[1000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    text[10] = '\n';
    (void)cs_err_set(&fault, CS_EIO, "%s", text);
    assert_int_equal(strlen(fault.text), CS_ERR_TEXT_MAX - 1);
    assert_string_equal(fault.text + strlen(fault.text) - 3, "...");
    assert_null(strchr(fault.text, '\n'));
}

static void test_every_code_has_a_name(void **state)
{
    (void)state;
    for (int code = 0; code < CS_CODE_COUNT; code++)
        assert_non_null(cs_code_name((enum cs_code)code));
    assert_string_equal(cs_code_name(CS_CODE_COUNT), "unknown");
}

/* ---- view ---- */

static void test_view_compare_and_find(void **state)
{
    (void)state;
    assert_true(cs_view_compare(CS_LIT("a"), CS_LIT("ab")) < 0);
    assert_true(cs_view_compare(CS_LIT("b"), CS_LIT("ab")) > 0);
    assert_int_equal(cs_view_compare(cs_view_of(NULL, 0), CS_LIT("")), 0);
    assert_true(cs_view_eq_nocase(CS_LIT("AbC"), CS_LIT("aBc")));
    assert_false(cs_view_eq_nocase(CS_LIT("[bc"), CS_LIT("{bc")));
    assert_true(cs_view_ends(CS_LIT("x.png"), CS_LIT(".png")));
    assert_false(cs_view_ends(CS_LIT("png"), CS_LIT(".png")));
    assert_int_equal(cs_view_find(CS_LIT("hello"), CS_LIT("ll")), 2);
    assert_int_equal(cs_view_find(CS_LIT("hello"), CS_LIT("llx")), SIZE_MAX);
    assert_view(cs_view_trim(CS_LIT(" \t a b \r\n")), "a b");
    assert_view(cs_view_sub(CS_LIT("abc"), 1, 99), "bc");
    assert_int_equal(cs_view_from(CS_LIT("abc"), 4).len, 0);
}

static void test_view_is_among_a_list(void **state)
{
    static const struct cs_view list[] = {CS_LIT_INIT("a"), CS_LIT_INIT("bc")};

    (void)state;
    assert_true(cs_view_is_among(CS_LIT("bc"), list, CS_COUNT(list)));
    assert_false(cs_view_is_among(CS_LIT("bc"), list, 1));
    assert_false(cs_view_is_among(CS_LIT("b"), list, CS_COUNT(list)));
}

static void test_view_split(void **state)
{
    struct cs_view rest = CS_LIT("a,,b");
    struct cs_view part;

    (void)state;
    assert_true(cs_view_split(&rest, ',', &part));
    assert_view(part, "a");
    assert_true(cs_view_split(&rest, ',', &part));
    assert_view(part, "");
    assert_true(cs_view_split(&rest, ',', &part));
    assert_view(part, "b");
    assert_false(cs_view_split(&rest, ',', &part));
}

static void test_view_to_u64(void **state)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "0x1",
                                      "18446744073709551616",
                                      "99999999999999999999"};
    uint64_t value = 0;

    (void)state;
    for (size_t i = 0; i < CS_COUNT(bad); i++)
        assert_false(cs_view_to_u64(cs_view_cstr(bad[i]), &value));
    assert_true(cs_view_to_u64(CS_LIT("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
}

static void test_view_secret_comparison(void **state)
{
    (void)state;
    assert_true(cs_view_eq_secret(CS_LIT("same"), CS_LIT("same")));
    assert_false(cs_view_eq_secret(CS_LIT("same"), CS_LIT("sama")));
    assert_false(cs_view_eq_secret(CS_LIT("same"), CS_LIT("sam")));
}

/* ---- buf ---- */

static void test_buf_ceiling_is_exact(void **state)
{
    struct cs_buf buf = CS_BUF_INIT(4);

    (void)state;
    cs_buf_add_cstr(&buf, "abcd");
    assert_int_equal(cs_buf_check(&buf, NULL), CS_OK);
    cs_buf_add_byte(&buf, 'e');
    assert_int_equal(cs_buf_check(&buf, NULL), CS_ETOOBIG);
    assert_view(cs_buf_view(&buf), "abcd");
    cs_buf_add_cstr(&buf, ""); /* a failed buffer stays failed */
    assert_null(cs_buf_take(&buf));
    assert_int_equal(cs_buf_check(&buf, NULL), CS_OK); /* and is fresh after that */
    cs_buf_clear(&buf);
}

static void test_buf_numbers_and_formats(void **state)
{
    struct cs_buf buf = CS_BUF_INIT(1000);
    char *taken;

    (void)state;
    assert_string_equal(cs_buf_cstr(&buf), "");
    cs_buf_add_i64(&buf, INT64_MIN);
    cs_buf_add_byte(&buf, ' ');
    cs_buf_add_u64(&buf, UINT64_MAX);
    cs_buf_add_fmt(&buf, " %s-%d", "x", 7);
    assert_view(cs_buf_view(&buf), "-9223372036854775808 18446744073709551615 x-7");
    cs_buf_truncate(&buf, 4);
    assert_view(cs_buf_view(&buf), "-922");
    taken = cs_buf_take(&buf);
    assert_string_equal(taken, "-922");
    assert_int_equal(buf.len, 0);
    free(taken);
    cs_buf_wipe(&buf);
}

static void test_buf_refuses_absurd_sizes(void **state)
{
    struct cs_buf buf = CS_BUF_INIT(SIZE_MAX);

    (void)state;
    cs_buf_add_byte(&buf, 'a');
    cs_buf_reserve(&buf, SIZE_MAX - 1);
    assert_int_not_equal(cs_buf_check(&buf, NULL), CS_OK);
    cs_buf_clear(&buf);
}

/* ---- encodings ---- */

/* RFC 4648 section 10 */
static const struct {
    const char *plain, *base64;
} base64_cases[] = {{"", ""},
                    {"f", "Zg=="},
                    {"fo", "Zm8="},
                    {"foo", "Zm9v"},
                    {"foob", "Zm9vYg=="},
                    {"fooba", "Zm9vYmE="},
                    {"foobar", "Zm9vYmFy"}};

static void test_base64(void **state)
{
    static const char *const bad[] = {
        "Zg=", "Zg", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Z g=", "Zm-v"};
    struct cs_buf buf = CS_BUF_INIT(100);

    (void)state;
    for (size_t i = 0; i < CS_COUNT(base64_cases); i++) {
        cs_buf_reset(&buf);
        cs_base64_encode(&buf, cs_view_cstr(base64_cases[i].plain));
        assert_view(cs_buf_view(&buf), base64_cases[i].base64);
        cs_buf_reset(&buf);
        assert_ok(cs_base64_decode(&buf, cs_view_cstr(base64_cases[i].base64), err));
        assert_view(cs_buf_view(&buf), base64_cases[i].plain);
    }
    for (size_t i = 0; i < CS_COUNT(bad); i++)
        assert_int_equal(cs_base64_decode(&buf, cs_view_cstr(bad[i]), NULL), CS_EINVAL);
    cs_buf_reset(&buf);
    cs_base64url_encode(&buf, CS_LIT("\xfb\xff\xfe"));
    assert_view(cs_buf_view(&buf), "-__-");
    assert_int_equal(cs_base64url_decode(&buf, CS_LIT("Zg=="), NULL), CS_EINVAL);
    cs_buf_clear(&buf);
}

/* Every byte at every place of a group, and what is no digit. */
static void test_base64_bytes(void **state)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct cs_buf text = CS_BUF_INIT(100), read = CS_BUF_INIT(5);

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool digit = byte != 0 && strchr(digits, (int)byte) != NULL;

        for (size_t at = 0; at < 5; at++) {
            char bytes[5] = {'a', '\0', '\xff', 'z', '~'}, written[] = "QUJDREVG";

            bytes[at] = (char)byte;
            for (size_t len = 0; len <= sizeof(bytes); len++) {
                cs_buf_reset(&text);
                cs_buf_reset(&read);
                cs_base64_encode(&text, cs_view_of(bytes, len));
                assert_ok(cs_base64_decode(&read, cs_buf_view(&text), err));
                assert_true(cs_view_eq(cs_buf_view(&read), cs_view_of(bytes, len)));
            }
            written[at] = (char)byte;
            cs_buf_clear(&text);
            assert_int_equal(cs_base64_decode(&text, cs_view_of(written, 8), NULL),
                             digit ? CS_OK : CS_EINVAL);
            assert_int_equal(text.len, digit ? 6 : 0);
        }
    }
    cs_buf_reset(&read); /* which has room for five */
    assert_int_equal(cs_base64_decode(&read, CS_LIT("QUJDREVG"), NULL), CS_ETOOBIG);
    cs_buf_clear(&text);
    cs_buf_clear(&read);
}

/* Every byte, at every place within and behind the words that are made at once. */
static void test_hex_of_every_byte(void **state)
{
    char expected[2 * 256 + 1], got[2 * 256 + 1];
    uint8_t bytes[256];

    (void)state;
    for (size_t from = 0; from < 4; from++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)(i + from);
            assert_true(snprintf(expected + 2 * i, 3, "%02x", bytes[i]) == 2);
        }
        for (size_t len = sizeof(bytes) - 4; len <= sizeof(bytes); len++) {
            memset(got, 'x', sizeof(got));
            cs_hex_encode(got, bytes, len);
            assert_int_equal(strlen(got), 2 * len);
            assert_memory_equal(got, expected, 2 * len);
        }
    }
    cs_hex_encode(got, bytes, 0);
    assert_string_equal(got, "");
}

static void test_hex_and_percent(void **state)
{
    struct cs_buf buf = CS_BUF_INIT(100);
    uint8_t bytes[2];

    (void)state;
    assert_true(cs_hex_decode(bytes, 2, CS_LIT("0aFF")));
    assert_int_equal(bytes[1], 255);
    assert_false(cs_hex_decode(bytes, 2, CS_LIT("0aF")));
    assert_false(cs_hex_decode(bytes, 2, CS_LIT("0aFg")));
    cs_percent_encode(&buf, CS_LIT("a b/~\xc3\xa9"), true);
    assert_view(cs_buf_view(&buf), "a%20b/~%C3%A9");
    cs_buf_reset(&buf);
    cs_percent_encode(&buf, CS_LIT("a/b"), false);
    assert_view(cs_buf_view(&buf), "a%2Fb");
    cs_buf_reset(&buf);
    assert_ok(cs_percent_decode(&buf, CS_LIT("a+b%2f"), true, err));
    assert_view(cs_buf_view(&buf), "a b/");
    assert_int_equal(cs_percent_decode(&buf, CS_LIT("%2"), false, NULL), CS_EINVAL);
    assert_int_equal(cs_percent_decode(&buf, CS_LIT("%zz"), false, NULL), CS_EINVAL);
    cs_buf_clear(&buf);
}

static void test_utf8(void **state)
{
    /* overlong, surrogate, past U+10FFFF, cut, lone continuation */
    static const char *const bad[] = {
        "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",        "\xf4\x90\x80\x80",
        "\xe2\x82", "\x80",         "\xf8\x88\x80\x80\x80"};
    struct cs_buf buf = CS_BUF_INIT(100);

    (void)state;
    for (size_t i = 0; i < CS_COUNT(bad); i++)
        assert_int_equal(cs_utf8_fault(cs_view_cstr(bad[i])), 0);
    cs_utf8_add(&buf, 'a');
    cs_utf8_add(&buf, 0xe9);
    cs_utf8_add(&buf, 0x20ac);
    cs_utf8_add(&buf, 0x1f600);
    assert_view(cs_buf_view(&buf), "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_int_equal(cs_utf8_fault(cs_buf_view(&buf)), SIZE_MAX);
    assert_int_equal(cs_utf8_fault(CS_LIT("ab\xff")), 2);
    cs_buf_clear(&buf);
}

/* ---- digests ---- */

static void test_digests(void **state)
{
    uint8_t digest[CS_SHA256_LEN];
    char hex[CS_SHA256_HEX_LEN + 1];
    struct cs_sha256 *running = cs_sha256_new();

    (void)state;
    assert_non_null(running);
    /* FIPS 180-4's own example */
    assert_ok(cs_sha256_hex_of(hex, CS_LIT("abc"), err));
    assert_string_equal(
        hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (int round = 0; round < 2; round++) {
        assert_ok(cs_sha256_add(running, CS_LIT("a"), err));
        assert_ok(cs_sha256_add(running, CS_LIT("bc"), err));
        assert_ok(cs_sha256_end_hex(running, hex, err));
        assert_string_equal(
            hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_ok(cs_sha256_reset(running, err));
    }
    /* RFC 4231 test case 2 */
    assert_ok(cs_hmac_sha256(digest, CS_LIT("Jefe"),
                             CS_LIT("what do ya want for nothing?"), err));
    cs_sha256_hex(hex, digest);
    assert_string_equal(
        hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    cs_sha256_free(running);
}

/* ---- time ---- */

static void test_time_text(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
        const char *canonical;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000000Z"},
        {"2024-12-01T12:00:00.123Z", 1733054400123000, "2024-12-01T12:00:00.123000Z"},
        {"2024-12-01T12:00:00", 1733054400000000, "2024-12-01T12:00:00.000000Z"},
        {"2024-12-01 07:00:00-05:00", 1733054400000000, "2024-12-01T12:00:00.000000Z"},
        {"2024-02-29T23:59:60Z", 1709251200000000, "2024-03-01T00:00:00.000000Z"},
        {"1969-12-31T23:59:59.999999999Z", -1, "1969-12-31T23:59:59.999999Z"},
        {"0000-01-01T00:00:00Z", -62167219200000000, "0000-01-01T00:00:00.000000Z"},
        {"9999-12-31T23:59:59Z", 253402300799000000, "9999-12-31T23:59:59.000000Z"},
    };
    static const char *const bad[] = {"",
                                      "2024-12-01",
                                      "2024-13-01T00:00:00Z",
                                      "2023-02-29T00:00:00Z",
                                      "yesterday",
                                      "2024-12-01T24:00:00Z",
                                      "2024-12-01T12:00:00.Z",
                                      "2024-12-01T12:00:00+5",
                                      "2024-12-01T12:00:00Zx"};
    char text[CS_TIME_TEXT_LEN + 1];
    int64_t us;

    (void)state;
    for (size_t i = 0; i < CS_COUNT(good); i++) {
        assert_ok(cs_time_parse(&us, cs_view_cstr(good[i].text), err));
        assert_true(us == good[i].us);
        cs_time_text(text, us);
        assert_string_equal(text, good[i].canonical);
    }
    for (size_t i = 0; i < CS_COUNT(bad); i++)
        assert_int_equal(cs_time_parse(&us, cs_view_cstr(bad[i]), NULL), CS_EINVAL);
    cs_time_text(text, INT64_MAX);
    assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
}

static void test_time_other_forms(void **state)
{
    char compact[16];
    char http[CS_HTTP_DATE_LEN + 1];

    (void)state;
    cs_time_compact(compact, 1733054400123000);
    assert_string_equal(compact, "20241201_120000");
    cs_time_http_date(http, 784111777000000); /* RFC 9110's own example */
    assert_string_equal(http, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_int_equal(cs_deadline_left_ms((struct cs_deadline){0}), 0);
    assert_in_range(cs_deadline_left_ms(cs_deadline_in_ms(60000)), 30000, 60000);
}

/* ---- files and log ---- */

static void make_folder(char path[64])
{
    (void)snprintf(path, 64, "/tmp/cs-base-XXXXXX");
    assert_non_null(mkdtemp(path));
}

static void test_file_write_and_read(void **state)
{
    char folder[64];
    char path[96];
    struct cs_buf buf = CS_BUF_INIT(10);
    struct stat info;

    (void)state;
    make_folder(folder);
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    assert_int_equal(cs_file_read(&buf, path, 10, NULL), CS_ENOTFOUND);
    assert_ok(cs_file_write(path, CS_LIT("0123456789"), 0600, err));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_ok(cs_file_read(&buf, path, 10, err)); /* exactly the ceiling */
    assert_view(cs_buf_view(&buf), "0123456789");
    cs_buf_reset(&buf);
    assert_int_equal(cs_file_read(&buf, path, 9, NULL), CS_ETOOBIG);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    cs_buf_clear(&buf);
}

struct blocks {
    struct cs_buf bytes;
    size_t count;
    size_t stop_at; /* the block that is refused, counted from 1; 0: none */
};

static enum cs_code take_block(void *payload, struct cs_view block, struct cs_err *err)
{
    struct blocks *blocks = payload;

    cs_buf_add(&blocks->bytes, block);
    return ++blocks->count == blocks->stop_at ? cs_err_set(err, CS_EBUSY, "enough")
                                              : CS_OK;
}

static void test_file_part_block_by_block(void **state)
{
    static char bytes[200000];
    struct blocks blocks = {.bytes = CS_BUF_INIT(sizeof(bytes))};
    struct cs_file_part part = {.fd = cs_file_memory("part"), .offset = 1};
    char of_part[CS_SHA256_HEX_LEN + 1];
    char of_bytes[CS_SHA256_HEX_LEN + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 % 251);
    assert_true(part.fd >= 0);
    assert_int_equal(cs_file_write_all(part.fd, cs_view_of(bytes, sizeof(bytes))), 0);
    part.size = sizeof(bytes) - 2;
    assert_ok(cs_file_each_block(&part, take_block, &blocks, err));
    assert_true(
        cs_view_eq(cs_buf_view(&blocks.bytes), cs_view_of(bytes + 1, sizeof(bytes) - 2)));
    assert_true(blocks.count > 1);
    assert_ok(cs_file_sha256(&part, of_part, err));
    assert_ok(cs_sha256_hex_of(of_bytes, cs_buf_view(&blocks.bytes), err));
    assert_string_equal(of_part, of_bytes);

    part.size = sizeof(bytes); /* one byte more than there is behind the first */
    assert_int_equal(cs_file_sha256(&part, of_part, NULL), CS_ESHORT);
    assert_string_equal(of_part, "");
    blocks.stop_at = blocks.count + 1;
    cs_buf_reset(&blocks.bytes);
    assert_int_equal(cs_file_each_block(&part, take_block, &blocks, NULL), CS_EBUSY);
    assert_int_equal(blocks.count, blocks.stop_at);
    cs_buf_clear(&blocks.bytes);
    assert_int_equal(close(part.fd), 0);
}

static void test_file_open_below_follows_nothing(void **state)
{
    static const char *const bad[] = {"../x", "/etc/passwd", "link/x", "link",
                                      "a/../../x"};
    char folder[64];
    char path[96];
    int root;
    int fd;

    (void)state;
    make_folder(folder);
    root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(root >= 0);
    assert_ok(cs_file_make_folders(root, "a/b", 0700, err));
    assert_int_equal(cs_file_make_folders(root, "a/../b", 0700, NULL), CS_EIO);
    assert_int_equal(symlinkat("/tmp", root, "link"), 0);
    assert_int_equal(cs_file_make_folders(root, "link/x", 0700, NULL), CS_EIO);
    for (size_t i = 0; i < CS_COUNT(bad); i++)
        assert_int_equal(cs_file_open_below(root, bad[i], O_RDONLY, 0), -1);
    fd = cs_file_open_below(root, "a/b/file", O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    (void)snprintf(path, sizeof(path), "%s/a/b/file", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlinkat(root, "a/b", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(root, "a", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(root, "link", 0), 0);
    assert_int_equal(close(root), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void test_log_lines_can_not_be_forged(void **state)
{
    char folder[64];
    char path[96];
    char moved[96];
    struct cs_buf text = CS_BUF_INIT(4096);
    struct cs_log *log;

    (void)state;
    make_folder(folder);
    (void)snprintf(path, sizeof(path), "%s/log", folder);
    (void)snprintf(moved, sizeof(moved), "%s/log.1", folder);
    log = cs_log_new(path, CS_LOG_INFO, NULL);
    assert_non_null(log);
    cs_log_put(log, CS_LOG_INFO, "event", CS_LOG_TEXT("a", CS_LIT("x y\n\"z\"")),
               CS_LOG_NUM("n", -5));
    cs_log_put(log, CS_LOG_DEBUG, "not wanted", CS_LOG_NUM("n", 1));
    assert_ok(cs_file_read(&text, path, 4096, err));
    assert_int_equal(cs_view_find_byte(cs_buf_view(&text), '\n'), text.len - 1);
    assert_true(cs_view_ends(cs_buf_view(&text),
                             CS_LIT(" event a=\"x y\\x0a\\\"z\\\"\" n=-5\n")));
    assert_int_equal(rename(path, moved), 0);
    assert_ok(cs_log_reopen(log, err));
    assert_int_equal(access(path, F_OK), 0);
    cs_log_free(log);
    assert_null(cs_log_new("/nonexistent/folder/log", CS_LOG_INFO, NULL));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(moved), 0);
    assert_int_equal(rmdir(folder), 0);
    cs_buf_clear(&text);
}

static void test_crc32(void **state)
{
    (void)state;
    assert_int_equal(cs_crc32(CS_LIT("")), 0);
    assert_int_equal(cs_crc32(CS_LIT("123456789")), 0xcbf43926); /* the usual check */
}

static void test_inflate_gzip(void **state)
{
    struct cs_buf packed = CS_BUF_INIT(65536), read = CS_BUF_INIT(4096);
    struct cs_gzip *gzip = cs_gzip_new(6);
    struct cs_inflate *work = cs_inflate_new();
    char text[3000];
    struct cs_view whole;

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_non_null(gzip);
    assert_non_null(work);
    assert_ok(cs_gzip_add(gzip, &packed, cs_view_of(text, sizeof(text)), true, err));
    cs_gzip_free(gzip);
    whole = cs_buf_view(&packed);
    assert_ok(cs_inflate_gzip(work, &read, whole, err));
    assert_true(cs_view_eq(cs_buf_view(&read), cs_view_of(text, sizeof(text))));
    /* no room for a second one */
    assert_int_equal(cs_inflate_gzip(work, &read, whole, NULL), CS_ETOOBIG);
    for (size_t len = 0; len < whole.len; len++) {
        cs_buf_clear(&read);
        assert_int_not_equal(
            cs_inflate_gzip(work, &read, cs_view_sub(whole, 0, len), NULL), CS_OK);
        assert_int_equal(read.len, 0);
    }
    for (size_t i = whole.len - 8; i < whole.len; i++) { /* checksum and size */
        packed.ptr[i] ^= 1;
        cs_buf_clear(&read);
        assert_int_not_equal(cs_inflate_gzip(work, &read, whole, NULL), CS_OK);
        packed.ptr[i] ^= 1;
    }
    cs_buf_add_byte(&packed, 'x');
    cs_buf_clear(&read);
    assert_int_not_equal(cs_inflate_gzip(work, &read, cs_buf_view(&packed), NULL), CS_OK);
    cs_inflate_free(work);
    cs_buf_clear(&read);
    cs_buf_clear(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err_first_wins),
        cmocka_unit_test(test_err_is_handed_on_where_none_is_set),
        cmocka_unit_test(test_err_is_one_line_and_cut_visibly),
        cmocka_unit_test(test_every_code_has_a_name),
        cmocka_unit_test(test_view_compare_and_find),
        cmocka_unit_test(test_view_is_among_a_list),
        cmocka_unit_test(test_view_split),
        cmocka_unit_test(test_view_to_u64),
        cmocka_unit_test(test_view_secret_comparison),
        cmocka_unit_test(test_buf_ceiling_is_exact),
        cmocka_unit_test(test_buf_numbers_and_formats),
        cmocka_unit_test(test_buf_refuses_absurd_sizes),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_base64_bytes),
        cmocka_unit_test(test_hex_of_every_byte),
        cmocka_unit_test(test_hex_and_percent),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_time_text),
        cmocka_unit_test(test_time_other_forms),
        cmocka_unit_test(test_file_write_and_read),
        cmocka_unit_test(test_file_part_block_by_block),
        cmocka_unit_test(test_file_open_below_follows_nothing),
        cmocka_unit_test(test_log_lines_can_not_be_forged),
        cmocka_unit_test(test_crc32),
        cmocka_unit_test(test_inflate_gzip),
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
