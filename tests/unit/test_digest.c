#include "config.h"

#include "unit.h"

#include "base/digest.h"

static void check_hex(const uint8_t digest[CS_SHA256_LEN], const char *expected)
{
    char hex[CS_SHA256_HEX_LEN + 1];

    cs_sha256_hex(hex, digest);
    assert_string_equal(hex, expected);
}

/* FIPS 180-4, examples of SHA-256. */
static void test_sha256(void **state)
{
    static const struct {
        struct cs_view bytes;
        const char *hex;
    } cases[] = {
        {CS_LIT_INIT(""),
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {CS_LIT_INIT("abc"),
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {CS_LIT_INIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    struct cs_sha256 *digest = cs_sha256_new();
    uint8_t out[CS_SHA256_LEN];

    (void)state;
    assert_non_null(digest);
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        assert_ok(cs_sha256_of(out, cases[i].bytes, err));
        check_hex(out, cases[i].hex);
        /* byte by byte, on one digest started anew each time */
        assert_ok(cs_sha256_reset(digest, err));
        for (size_t k = 0; k < cases[i].bytes.len; k++)
            assert_ok(cs_sha256_add(digest, cs_view_sub(cases[i].bytes, k, 1), err));
        assert_ok(cs_sha256_end(digest, out, err));
        check_hex(out, cases[i].hex);
    }
    assert_ok(cs_sha256_of(out, cs_view_of(NULL, 0), err));
    check_hex(out, cases[0].hex);
    cs_sha256_free(digest);
}

/* RFC 4231, test cases 1 to 4, 6 and 7. */
static void test_hmac(void **state)
{
    char bytes[256];
    uint8_t out[CS_SHA256_LEN];
    static const char long_key[] =
        "This is a test using a larger than block-size key and a "
        "larger than block-size data. The key needs to be hashed "
        "before being used by the HMAC algorithm.";

    (void)state;
    memset(bytes, 0x0b, 20);
    assert_ok(cs_hmac_sha256(out, cs_view_of(bytes, 20), CS_LIT("Hi There"), err));
    check_hex(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_ok(
        cs_hmac_sha256(out, CS_LIT("Jefe"), CS_LIT("what do ya want for nothing?"), err));
    check_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(bytes, 0xaa, 20);
    memset(bytes + 20, 0xdd, 50);
    assert_ok(
        cs_hmac_sha256(out, cs_view_of(bytes, 20), cs_view_of(bytes + 20, 50), err));
    check_hex(out, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    for (int i = 0; i < 25; i++)
        bytes[i] = (char)(i + 1);
    memset(bytes + 25, 0xcd, 50);
    assert_ok(
        cs_hmac_sha256(out, cs_view_of(bytes, 25), cs_view_of(bytes + 25, 50), err));
    check_hex(out, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    memset(bytes, 0xaa, 131);
    assert_ok(cs_hmac_sha256(
        out, cs_view_of(bytes, 131),
        CS_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), err));
    check_hex(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_ok(cs_hmac_sha256(out, cs_view_of(bytes, 131), cs_view_cstr(long_key), err));
    check_hex(out, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

/* A key that was made ready signs as often as it is asked to; RFC 4231, case 2. */
static void test_hmac_key(void **state)
{
    struct cs_hmac_key key;
    uint8_t out[CS_SHA256_LEN];

    (void)state;
    assert_ok(cs_hmac_key_init(&key, CS_LIT("Jefe"), err));
    for (int i = 0; i < 2; i++) {
        assert_ok(
            cs_hmac_key_sign(out, &key, CS_LIT("what do ya want for nothing?"), err));
        check_hex(out,
                  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_ok(cs_hmac_key_sign(out, &key, CS_LIT(""), err));
        check_hex(out,
                  "923598ca6d64af2a5dba79dcd021a8a0fe5c5f557519adaaf0ad532d4506dd30");
    }
    cs_wipe(&key, sizeof(key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sha256),
                                       cmocka_unit_test(test_hmac),
                                       cmocka_unit_test(test_hmac_key)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
