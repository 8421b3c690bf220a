/* What every store must do with objects and their versions. */
#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "store_suite.h"

/* ---- objects ---- */

#define HELLO_SHA "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static void test_object_versions(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_object first;
    struct cs_object second;

    assert_no_object(store, "campaigns/x/pdf/report.pdf", "");
    assert_ok(
        put_bytes(store, "campaigns/x/pdf/report.pdf", CS_LIT("hello"), &first, err));
    assert_string_equal(first.key, "campaigns/x/pdf/report.pdf");
    assert_int_equal(first.size, 5);
    assert_string_equal(first.sha256, HELLO_SHA);
    assert_object(store, first.key, "", "hello");
    assert_object(store, first.key, first.version, "hello");

    assert_ok(put_bytes(store, first.key, CS_LIT("hello again"), &second, err));
    assert_string_not_equal(first.version, second.version);
    assert_object(store, first.key, "", "hello again");
    assert_object(store, first.key, first.version, "hello");
    assert_object(store, first.key, second.version, "hello again");

    assert_ok(store->ops->delete_version(store, text(second.key), text(second.version),
                                         soon(), err));
    assert_ok(store->ops->delete_version(store, text(second.key), text(second.version),
                                         soon(), err));
    assert_no_object(store, second.key, second.version);
    assert_object(store, first.key, "", "hello");
    assert_ok(store->ops->delete_version(store, text(first.key), text(first.version),
                                         soon(), err));
    assert_no_object(store, first.key, "");
    cs_object_clear(&first);
    cs_object_clear(&second);
}

static void test_object_neighbours(void **state)
{
    struct cs_store *store = store_of(state);

    /* a key may be the beginning of another, as a name or as a folder */
    put_text(store, "a", "1");
    put_text(store, "a/b", "2");
    put_text(store, "ab", "3");
    put_text(store, "a@b", "4");
    put_text(store, "a%40b", "5");
    put_text(store, "a b/é?#&+", "6");
    put_text(store, ".hidden", "7");
    put_text(store, "empty", "");
    assert_object(store, "a", "", "1");
    assert_object(store, "a/b", "", "2");
    assert_object(store, "ab", "", "3");
    assert_object(store, "a@b", "", "4");
    assert_object(store, "a%40b", "", "5");
    assert_object(store, "a b/é?#&+", "", "6");
    assert_object(store, ".hidden", "", "7");
    assert_object(store, "empty", "", "");
    assert_no_object(store, "A", "");
    assert_no_object(store, "a/b/c", "");
}

static void test_hostile_object_keys(void **state)
{
    struct cs_store *store = store_of(state);
    static char many_parts[2 * 40];
    static char long_part[300];
    static char too_long[CS_STORE_KEY_MAX + 1];
    const struct cs_view bad[] = {CS_LIT(""),
                                  CS_LIT("/"),
                                  CS_LIT("/etc/passwd"),
                                  CS_LIT("a/"),
                                  CS_LIT("a//b"),
                                  CS_LIT("."),
                                  CS_LIT(".."),
                                  CS_LIT("../a"),
                                  CS_LIT("a/../b"),
                                  CS_LIT("a/.."),
                                  CS_LIT("a/./b"),
                                  CS_LIT("a\0b"),
                                  CS_LIT("a\nb"),
                                  CS_LIT("\x7f"),
                                  CS_LIT("\xff\xfe"),
                                  CS_LIT("\xc0\xae/a"),
                                  CS_LIT("a/\x1b[m"),
                                  cs_view_of(many_parts, sizeof(many_parts) - 1),
                                  cs_view_of(long_part, sizeof(long_part)),
                                  cs_view_of(too_long, sizeof(too_long))};
    struct cs_object_reader *reader;
    uint64_t size;

    memset(long_part, 'x', sizeof(long_part));
    for (size_t i = 0; i < sizeof(many_parts); i++)
        many_parts[i] = i % 2 == 0 ? 'x' : '/';
    for (size_t i = 0; i < sizeof(too_long); i++)
        too_long[i] = i % 64 == 63 ? '/' : 'x';
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        struct cs_object_source source = {
            .info = {.key = bad[i]}, .bytes = CS_LIT("x"), .fd = -1};
        struct cs_object object;

        if (bad[i].len == CS_STORE_KEY_MAX + 1)
            assert_int_equal(bad[i].len, 513);
        assert_int_not_equal(store->ops->put(store, &source, 1, &object, soon(), NULL),
                             CS_OK);
        assert_null(object.key);
        assert_int_not_equal(store->ops->open(store, bad[i], CS_LIT(""), NULL, &reader,
                                              &size, soon(), NULL),
                             CS_OK);
        assert_null(reader);
        assert_int_not_equal(
            store->ops->delete_version(store, bad[i], CS_LIT("0"), soon(), NULL), CS_OK);
    }
}

static void test_hostile_versions(void **state)
{
    struct cs_store *store = store_of(state);
    static const char *const bad[] = {"x",
                                      "../../secret",
                                      "/",
                                      ".",
                                      "0",
                                      "%00",
                                      "00000000000000000000000000000000",
                                      "0000000000000000000000000000000/"};
    struct cs_object_reader *reader;
    uint64_t size;

    put_text(store, "a/b", "hello");
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        assert_int_equal(store->ops->open(store, CS_LIT("a/b"), text(bad[i]), NULL,
                                          &reader, &size, soon(), NULL),
                         CS_ENOTFOUND);
        assert_ok(
            store->ops->delete_version(store, CS_LIT("a/b"), text(bad[i]), soon(), err));
    }
    assert_object(store, "a/b", "", "hello");
}

static void test_ranges(void **state)
{
    struct cs_store *store = store_of(state);
    static const struct {
        struct cs_byte_range range;
        const char *expected; /* NULL: CS_ERANGE */
    } cases[] = {
        {{0, 0}, "0"},    {{0, 9}, "0123456789"},
        {{3, 5}, "345"},  {{9, 9}, "9"},
        {{8, 100}, "89"}, {{9, UINT64_MAX}, "9"},
        {{10, 10}, NULL}, {{10, UINT64_MAX}, NULL},
        {{5, 4}, NULL},   {{UINT64_MAX, UINT64_MAX}, NULL},
    };

    put_text(store, "digits", "0123456789");
    put_text(store, "empty", "");
    for (size_t i = 0; i < CS_COUNT(cases); i++)
        for (size_t piece = 1; piece < 20; piece += 3) {
            struct cs_buf bytes = CS_BUF_INIT(100);
            uint64_t size;
            enum cs_code rc = read_object(store, CS_LIT("digits"), CS_LIT(""),
                                          &cases[i].range, piece, &bytes, &size, NULL);

            assert_int_equal(size, 10);
            assert_int_equal(rc, cases[i].expected == NULL ? CS_ERANGE : CS_OK);
            if (rc == CS_OK)
                assert_view(cs_buf_view(&bytes), cases[i].expected);
            cs_buf_clear(&bytes);
        }
    {
        const struct cs_byte_range any = {0, 5};
        struct cs_buf bytes = CS_BUF_INIT(100);
        uint64_t size;

        assert_int_equal(read_object(store, CS_LIT("empty"), CS_LIT(""), &any, 10, &bytes,
                                     &size, NULL),
                         CS_ERANGE);
        cs_buf_clear(&bytes);
    }
}

/* Memory and files side by side, and sizes around the block that a store copies by. */
static void test_put_of_several(void **state)
{
    struct cs_store *store = store_of(state);
    struct fixture *fixture = *state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 300000};
    struct cs_object_source sources[CS_COUNT(sizes) * 2];
    struct cs_object objects[CS_COUNT(sizes) * 2];
    char keys[CS_COUNT(sizes) * 2][16];
    static char bytes[300000];
    char *path = unit_folder_path(fixture->folder, "source");
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 31 + i / 251);
    assert_int_equal(cs_file_write_all(fd, cs_view_of(bytes, sizeof(bytes))), 0);
    for (size_t i = 0; i < CS_COUNT(sources); i++) {
        size_t size = sizes[i / 2];

        (void)snprintf(keys[i], sizeof(keys[i]), "many/%zu", i);
        sources[i] = (struct cs_object_source){
            .info = {.key = text(keys[i])},
            .bytes = i % 2 == 0 ? cs_view_of(bytes, size) : cs_view_of(NULL, 0),
            .fd = i % 2 == 0 ? -1 : fd,
            .size = size};
    }
    assert_ok(store->ops->put(store, sources, CS_COUNT(sources), objects, soon(), err));
    for (size_t i = 0; i < CS_COUNT(sources); i++) {
        struct cs_buf read = CS_BUF_INIT(1u << 20);
        uint8_t digest[CS_SHA256_LEN];
        char hex[CS_SHA256_HEX_LEN + 1];
        uint64_t size;

        assert_ok(read_object(store, text(keys[i]), text(objects[i].version), NULL, 65536,
                              &read, &size, err));
        assert_int_equal(size, sizes[i / 2]);
        assert_int_equal(objects[i].size, size);
        assert_true(cs_view_eq(cs_buf_view(&read), cs_view_of(bytes, sizes[i / 2])));
        assert_ok(cs_sha256_of(digest, cs_buf_view(&read), err));
        cs_sha256_hex(hex, digest);
        assert_string_equal(objects[i].sha256, hex);
        cs_buf_clear(&read);
        cs_object_clear(&objects[i]);
    }
    /* a file that is shorter than it was said to be */
    sources[1].size = sizeof(bytes) + 1;
    assert_int_equal(store->ops->put(store, sources, 2, objects, soon(), NULL),
                     CS_ESHORT);
    assert_null(objects[0].key);
    assert_null(objects[1].key);
    (void)close(fd);
    free(path);
}

static struct cs_object_writer *begin_put(struct cs_store *store, const char *key,
                                          uint64_t size)
{
    const struct cs_object_info info = {.key = text(key)};
    struct cs_object_writer *writer;

    assert_ok(store->ops->put_begin(store, &info, size, &writer, soon(), err));
    assert_non_null(writer);
    return writer;
}

static void test_fetch(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_object objects[CS_FETCH_MAX] = {{.size = 0}};
    struct cs_object_name names[CS_FETCH_MAX];
    struct cs_buf outs[CS_FETCH_MAX];
    char large[200000];
    char key[32];

    for (size_t i = 0; i < CS_FETCH_MAX; i++) {
        assert_true(snprintf(key, sizeof(key), "f/%zu", i) > 0);
        assert_ok(put_bytes(store, key, text(key), &objects[i], err));
        names[i] = (struct cs_object_name){text(objects[i].key),
                                           text(i % 2 == 0 ? objects[i].version : "")};
        cs_buf_init(&outs[i], 1u << 20);
        cs_buf_add_cstr(&outs[i], "from ");
    }
    assert_ok(store->ops->fetch(store, names, CS_FETCH_MAX, outs, soon(), err));
    for (size_t i = 0; i < CS_FETCH_MAX; i++) {
        assert_true(snprintf(key, sizeof(key), "from f/%zu", i) > 0);
        assert_string_equal(cs_buf_cstr(&outs[i]), key);
    }
    assert_ok(store->ops->fetch(store, names, 0, outs, soon(), err));
    names[3].key = CS_LIT("f/none");
    assert_int_equal(store->ops->fetch(store, names, CS_FETCH_MAX, outs, soon(), NULL),
                     CS_ENOTFOUND);
    for (size_t i = 0; i < CS_FETCH_MAX; i++) {
        cs_object_clear(&objects[i]);
        cs_buf_clear(&outs[i]);
    }
    /* one that is larger than the room for it */
    memset(large, 'x', sizeof(large));
    assert_ok(
        put_bytes(store, "f/large", cs_view_of(large, sizeof(large)), &objects[0], err));
    cs_object_clear(&objects[0]);
    names[0] = (struct cs_object_name){CS_LIT("f/large"), CS_LIT("")};
    cs_buf_init(&outs[0], sizeof(large) / 2);
    assert_int_not_equal(store->ops->fetch(store, names, 1, outs, soon(), NULL), CS_OK);
    cs_buf_clear(&outs[0]);
}

static void test_put_in_pieces(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_object_writer *writer;
    struct cs_object object;

    writer = begin_put(store, "pieces", UINT64_MAX);
    assert_ok(store->ops->put_add(store, writer, CS_LIT("hel"), err));
    assert_ok(store->ops->put_add(store, writer, CS_LIT(""), err));
    assert_no_object(store, "pieces", "");
    assert_ok(store->ops->put_add(store, writer, CS_LIT("lo"), err));
    assert_no_object(store, "pieces", "");
    assert_ok(store->ops->put_commit(store, writer, &object, err));
    assert_string_equal(object.sha256, HELLO_SHA);
    assert_int_equal(object.size, 5);
    assert_object(store, "pieces", object.version, "hello");
    cs_object_clear(&object);

    /* of an announced size */
    writer = begin_put(store, "exact", 5);
    assert_ok(store->ops->put_add(store, writer, CS_LIT("hello"), err));
    assert_ok(store->ops->put_commit(store, writer, &object, err));
    assert_object(store, "exact", "", "hello");
    cs_object_clear(&object);
    writer = begin_put(store, "none", 0);
    assert_ok(store->ops->put_commit(store, writer, &object, err));
    assert_object(store, "none", "", "");
    cs_object_clear(&object);

    writer = begin_put(store, "short", 6);
    assert_ok(store->ops->put_add(store, writer, CS_LIT("hello"), err));
    assert_int_equal(store->ops->put_commit(store, writer, &object, NULL), CS_ESHORT);
    assert_null(object.key);
    assert_no_object(store, "short", "");

    writer = begin_put(store, "long", 4);
    assert_int_equal(store->ops->put_add(store, writer, CS_LIT("hello"), NULL),
                     CS_EINVAL);
    store->ops->put_abort(store, writer);
    assert_no_object(store, "long", "");

    writer = begin_put(store, "gone", UINT64_MAX);
    assert_ok(store->ops->put_add(store, writer, CS_LIT("hello"), err));
    store->ops->put_abort(store, writer);
    assert_no_object(store, "gone", "");
}

struct seen {
    struct cs_buf text; /* "key=size " of each */
    size_t stop_after;
    size_t count;
};

static bool see(void *payload, const struct cs_object_entry *entry)
{
    struct seen *seen = payload;

    assert_true(entry->modified_us > 1600000000 * CS_SECOND_US);
    cs_buf_add(&seen->text, entry->key);
    cs_buf_add_byte(&seen->text, '=');
    cs_buf_add_u64(&seen->text, entry->size);
    cs_buf_add_byte(&seen->text, ' ');
    return ++seen->count != seen->stop_after;
}

static void assert_objects(struct cs_store *store, const char *prefix, size_t count,
                           const char *const *each)
{
    struct seen seen = {.text = CS_BUF_INIT(65536)};

    assert_ok(store->ops->each_object(store, text(prefix), see, &seen, soon(), err));
    assert_int_equal(seen.count, count);
    for (size_t i = 0; i < count && each != NULL; i++)
        if (cs_view_find(cs_buf_view(&seen.text), text(each[i])) == SIZE_MAX)
            fail_msg("%s is not in \"%s\"", each[i], cs_buf_cstr(&seen.text));
    cs_buf_clear(&seen.text);
}

static void test_each_object(void **state)
{
    struct cs_store *store = store_of(state);
    static const char *const all[] = {"c/x/pdf/r=1 ", "c/x/web/i=2 ", "c/x/web/i=3 ",
                                      "c/xy/web/i=4 ", "é/@=5 "};
    struct seen seen = {.text = CS_BUF_INIT(65536), .stop_after = 2};

    assert_objects(store, "", 0, NULL);
    put_text(store, "c/x/pdf/r", "1");
    put_text(store, "c/x/web/i", "22");
    put_text(store, "c/x/web/i", "333");
    put_text(store, "c/xy/web/i", "4444");
    put_text(store, "é/@", "55555");
    assert_objects(store, "", 5, all);
    assert_objects(store, "c/", 4, all);
    assert_objects(store, "c/x", 4, all);
    assert_objects(store, "c/x/", 3, all);
    assert_objects(store, "c/x/w", 2, all + 1);
    assert_objects(store, "c/x/web/i", 2, all + 1);
    assert_objects(store, "c/x/web/i/", 0, NULL);
    assert_objects(store, "c/xyz", 0, NULL);
    assert_objects(store, "z/", 0, NULL);
    assert_objects(store, "\xc3", 1, all + 4);
    assert_ok(store->ops->each_object(store, CS_LIT(""), see, &seen, soon(), err));
    assert_int_equal(seen.count, 2);
    cs_buf_clear(&seen.text);
    assert_int_equal(
        store->ops->each_object(store, CS_LIT("../"), see, &seen, soon(), NULL),
        CS_EINVAL);
}

static void test_delete_prefix(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_delete_report report;
    static const char *const bad[] = {"", "c/x", "/", "../", "c/../", "c//"};

    put_text(store, "c/x/pdf/r", "1");
    put_text(store, "c/x/web/i", "22");
    put_text(store, "c/x/web/i", "333");
    put_text(store, "c/xy/web/i", "4444");
    put_text(store, "c/x", "55555");
    for (size_t i = 0; i < CS_COUNT(bad); i++)
        assert_int_equal(
            store->ops->delete_prefix(store, text(bad[i]), &report, soon(), NULL),
            CS_EINVAL);
    assert_ok(store->ops->delete_prefix(store, CS_LIT("c/x/"), &report, soon(), err));
    assert_int_equal(report.objects_deleted, 2);
    assert_int_equal(report.versions_deleted, 3);
    assert_true(report.bytes_deleted == 0 || report.bytes_deleted == 6);
    assert_int_equal(report.left, 0);
    assert_objects(store, "", 2, NULL);
    assert_object(store, "c/x", "", "55555");
    assert_object(store, "c/xy/web/i", "", "4444");
    assert_ok(store->ops->delete_prefix(store, CS_LIT("c/x/"), &report, soon(), err));
    assert_int_equal(report.objects_deleted + report.versions_deleted + report.left, 0);
    put_text(store, "c/x/web/i", "again");
    assert_object(store, "c/x/web/i", "", "again");
}

static void test_delete_folder(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_object web = {.size = 0};
    struct cs_object pdf = {.size = 0};
    struct cs_object_entry known[2];
    struct cs_delete_report report;

    assert_ok(put_bytes(store, "c/x/web/i", CS_LIT("1"), &web, err));
    assert_ok(put_bytes(store, "c/x/pdf/r", CS_LIT("22"), &pdf, err));
    put_text(store, "c/xy/web/i", "4444");
    known[0] = (struct cs_object_entry){text(web.key), text(web.version), 1, 0};
    known[1] = (struct cs_object_entry){text(pdf.key), text(pdf.version), 2, 0};
    assert_int_equal(store->ops->delete_folder(store, CS_LIT("c/xy/"), known, 2, &report,
                                               soon(), NULL),
                     CS_EINVAL);
    assert_objects(store, "", 3, NULL);
    assert_ok(
        store->ops->delete_folder(store, CS_LIT("c/x/"), known, 2, &report, soon(), err));
    assert_int_equal(report.objects_deleted, 2);
    assert_int_equal(report.versions_deleted, 2);
    assert_int_equal(report.left, 0);
    assert_objects(store, "", 1, NULL);
    /* one version is known of two, and one object not at all */
    put_text(store, "c/x/web/i", "1");
    cs_object_clear(&web);
    assert_ok(put_bytes(store, "c/x/web/i", CS_LIT("22"), &web, err));
    put_text(store, "c/x/pdf/r", "333");
    known[0] = (struct cs_object_entry){text(web.key), text(web.version), 2, 0};
    assert_ok(
        store->ops->delete_folder(store, CS_LIT("c/x/"), known, 1, &report, soon(), err));
    assert_int_equal(report.objects_deleted, 2);
    assert_int_equal(report.versions_deleted, 3);
    assert_int_equal(report.left, 0);
    assert_objects(store, "", 1, NULL);
    assert_object(store, "c/xy/web/i", "", "4444");
    cs_object_clear(&web);
    cs_object_clear(&pdf);
}

/* ---- deadlines ---- */

static void test_passed_deadline(void **state)
{
    struct cs_store *store = store_of(state);
    const struct cs_deadline past = {cs_clock_monotonic_us() - 1};
    const struct cs_object_source source = {
        .info = {.key = CS_LIT("late")}, .bytes = CS_LIT("x"), .fd = -1};
    struct cs_object object;

    assert_int_equal(store->ops->put(store, &source, 1, &object, past, NULL),
                     CS_ETIMEOUT);
    assert_null(object.key);
    assert_no_object(store, "late", "");
}

int store_suite_objects(const char *store, struct fixture *fixture)
{
    const struct CMUnitTest tests[] = {
        TEST(test_object_versions),
        TEST(test_object_neighbours),
        TEST(test_hostile_object_keys),
        TEST(test_hostile_versions),
        TEST(test_ranges),
        TEST(test_put_of_several),
        TEST(test_fetch),
        TEST(test_put_in_pieces),
        TEST(test_each_object),
        TEST(test_delete_prefix),
        TEST(test_delete_folder),
        TEST(test_passed_deadline),
    };

    return run_suite(store, "objects", tests);
}
