/* What every store must do with lists and their cursors. */
#include "config.h"

#include "store_suite.h"

/* ---- lists ---- */

/* Follows the cursors, `limit` at a time, and joins the keys with blanks. */
static void list_all(struct cs_store *store, enum cs_list_index index, const char *value,
                     size_t limit, struct cs_buf *keys)
{
    struct cs_list_query query = {
        .index = index, .value = text(value), .cursor = CS_LIT(""), .limit = limit};
    char *cursor = NULL;

    cs_buf_reset(keys);
    for (int pages = 0; pages < 1000; pages++) {
        struct cs_record_page page;

        assert_ok(store->ops->list(store, &query, &page, soon(), err));
        assert_true(page.count <= limit);
        for (size_t i = 0; i < page.count; i++) {
            if (keys->len > 0)
                cs_buf_add_byte(keys, ' ');
            cs_buf_add(keys, page.records[i]->key);
            assert_true(page.records[i]->summary.len > 0);
            assert_int_equal(page.records[i]->detail.len > 0, index == CS_LIST_ALL);
        }
        free(cursor);
        cursor = page.next_cursor;
        page.next_cursor = NULL;
        cs_record_page_clear(&page);
        if (cursor == NULL)
            return;
        query.cursor = text(cursor);
    }
    fail_msg("the list does not end");
}

static void assert_list(struct cs_store *store, enum cs_list_index index,
                        const char *value, const char *expected)
{
    struct cs_buf keys = CS_BUF_INIT(1u << 20);

    for (size_t limit = 1; limit <= 1000; limit = limit < 4 ? limit + 1 : limit * 10) {
        list_all(store, index, value, limit > 1000 ? 1000 : limit, &keys);
        assert_view(cs_buf_view(&keys), expected);
    }
    cs_buf_clear(&keys);
}

static void test_lists(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_record *read;

    assert_list(store, CS_LIST_USER, "alice", "");
    create(store, "a", "alice", "running", "2024-01-01");
    create(store, "b", "alice", "completed", "2024-01-03");
    create(store, "c", "bob", "completed", "2024-01-02");
    create(store, "d", "alice", "completed", "2024-01-02");
    create(store, "#hidden", "", "", "");
    assert_list(store, CS_LIST_USER, "alice", "b d a");
    assert_list(store, CS_LIST_USER, "bob", "c");
    assert_list(store, CS_LIST_USER, "carol", "");
    assert_list(store, CS_LIST_STATUS, "completed", "b d c");
    assert_list(store, CS_LIST_STATUS, "running", "a");

    assert_ok(store->ops->get(store, CS_LIT("a"), &read, soon(), err));
    read->status = CS_LIT("completed");
    assert_ok(write_one(store, CS_WRITE_REPLACE, read, err));
    assert_list(store, CS_LIST_STATUS, "running", "");
    assert_list(store, CS_LIST_STATUS, "completed", "b d c a");
    /* a record that leaves the lists */
    read->revision++;
    read->status = CS_LIT("");
    read->user_id = CS_LIT("");
    assert_ok(write_one(store, CS_WRITE_REPLACE, read, err));
    cs_record_free(read);
    assert_list(store, CS_LIST_STATUS, "completed", "b d c");
    assert_list(store, CS_LIST_USER, "alice", "b d");
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void test_list_of_everything(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_buf keys = CS_BUF_INIT(4096);
    struct cs_view rest;
    struct cs_view word;
    char *words[4];
    size_t count = 0;

    create(store, "c", "bob", "completed", "2024-01-02");
    create(store, "a", "alice", "running", "2024-01-01");
    create(store, "#hidden", "", "", "");
    for (size_t limit = 1; limit < 5; limit++) {
        list_all(store, CS_LIST_ALL, "", limit, &keys);
        rest = cs_buf_view(&keys);
        for (count = 0; count < 4 && cs_view_split(&rest, ' ', &word); count++)
            words[count] = cs_view_dup(word);
        assert_int_equal(count, 3);
        qsort(words, count, sizeof(words[0]), compare_words);
        assert_string_equal(words[0], "#hidden");
        assert_string_equal(words[1], "a");
        assert_string_equal(words[2], "c");
        while (count > 0)
            free(words[--count]);
    }
    cs_buf_clear(&keys);
}

/* Many of one moment: the key decides, and no page skips or repeats one. */
static void test_list_of_equal_times(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_buf expected = CS_BUF_INIT(4096);

    for (int i = 0; i < 40; i++) {
        char key[8];

        (void)snprintf(key, sizeof(key), "k%02d", (i * 17) % 40);
        create(store, key, "alice", "running", "2024-01-01T00:00:00.000000Z");
    }
    for (int i = 39; i >= 0; i--)
        cs_buf_add_fmt(&expected, i > 0 ? "k%02d " : "k%02d", i);
    assert_list(store, CS_LIST_USER, "alice", cs_buf_cstr(&expected));
    assert_list(store, CS_LIST_STATUS, "running", cs_buf_cstr(&expected));
    cs_buf_clear(&expected);
}

/* What is added or removed while one pages neither hides nor repeats others. */
static void test_list_while_it_changes(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_list_query query = {CS_LIST_USER, CS_LIT("alice"), CS_LIT(""), 2};
    struct cs_record_page page;
    struct cs_record gone = record_of("b", "", "", "");
    char *cursor;

    create(store, "a", "alice", "running", "2024-01-01");
    create(store, "b", "alice", "running", "2024-01-02");
    create(store, "c", "alice", "running", "2024-01-03");
    assert_ok(store->ops->list(store, &query, &page, soon(), err));
    assert_int_equal(page.count, 2);
    cursor = page.next_cursor;
    page.next_cursor = NULL;
    cs_record_page_clear(&page);
    create(store, "d", "alice", "running", "2024-01-04");
    gone.revision = 1;
    assert_ok(
        write_one(store, CS_WRITE_DELETE, &gone, err)); /* where the cursor stands */
    query.cursor = text(cursor);
    assert_ok(store->ops->list(store, &query, &page, soon(), err));
    assert_int_equal(page.count, 1);
    assert_view(page.records[0]->key, "a");
    assert_null(page.next_cursor);
    cs_record_page_clear(&page);
    free(cursor);
}

static void assert_bad_cursor(struct cs_store *store, const struct cs_list_query *query)
{
    struct cs_err err = CS_ERR_NONE;
    struct cs_record_page page;

    assert_int_equal(store->ops->list(store, query, &page, soon(), &err), CS_EINVAL);
    assert_string_equal(err.field, "cursor");
    assert_int_equal(page.count, 0);
    assert_null(page.next_cursor);
    cs_record_page_clear(&page);
}

static void test_hostile_cursors(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_list_query query = {CS_LIST_USER, CS_LIT("alice"), CS_LIT(""), 1};
    struct cs_record_page page;
    static const char *const bad[] = {
        "x", "AAAA", "!!!!", "MXUK", "' OR 1=1 --", "=", "bm90IGEgY3Vyc29y"};
    char *cursor;
    size_t len;

    create(store, "a", "alice", "running", "2024-01-01");
    create(store, "b", "alice", "running", "2024-01-02");
    create(store, "c", "bob", "running", "2024-01-02");
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        query.cursor = text(bad[i]);
        assert_bad_cursor(store, &query);
    }
    query.cursor = CS_LIT("");
    assert_ok(store->ops->list(store, &query, &page, soon(), err));
    cursor = page.next_cursor;
    page.next_cursor = NULL;
    cs_record_page_clear(&page);
    assert_non_null(cursor);
    len = strlen(cursor);
    for (size_t i = 0; i < len; i++)
        assert_true(
            cs_view_find_byte(CS_LIT("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
                                     "xyz0123456789-_"),
                              cursor[i]) != SIZE_MAX);

    /* another list's cursor is none of this one's */
    query.cursor = text(cursor);
    query.value = CS_LIT("bob");
    assert_bad_cursor(store, &query);
    query.index = CS_LIST_STATUS;
    query.value = CS_LIT("alice");
    assert_bad_cursor(store, &query);
    query.index = CS_LIST_ALL;
    query.value = CS_LIT("");
    assert_bad_cursor(store, &query);
    query.index = CS_LIST_USER;
    query.value = CS_LIT("alice");
    query.cursor.len = len / 2;
    assert_bad_cursor(store, &query);
    free(cursor);
}

static void test_list_limits(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_list_query query = {CS_LIST_USER, CS_LIT("alice"), CS_LIT(""), 0};
    struct cs_record_page page;

    assert_int_equal(store->ops->list(store, &query, &page, soon(), NULL), CS_EINVAL);
    query.limit = CS_LIST_LIMIT_MAX + 1;
    assert_int_equal(store->ops->list(store, &query, &page, soon(), NULL), CS_EINVAL);
    query.limit = 1;
    query.value = CS_LIT("");
    assert_int_equal(store->ops->list(store, &query, &page, soon(), NULL), CS_EINVAL);
}

/* Large details must not make one page of everything too large for memory. */
static void test_list_of_large_records(void **state)
{
    struct cs_store *store = store_of(state);
    static char big[CS_RECORD_BYTES_MAX - 100];
    struct cs_record record = record_of("", "alice", "running", "2024");
    struct cs_list_query query = {CS_LIST_ALL, CS_LIT(""), CS_LIT(""), 1000};
    char *cursor = NULL;
    size_t seen = 0;

    memset(big, 'x', sizeof(big));
    record.detail = cs_view_of(big, sizeof(big));
    for (int i = 0; i < 15; i++) {
        char key[8];

        (void)snprintf(key, sizeof(key), "k%02d", i);
        record.key = text(key);
        assert_ok(write_one(store, CS_WRITE_CREATE, &record, err));
    }
    do {
        struct cs_record_page page;
        size_t bytes = 0;

        assert_ok(store->ops->list(store, &query, &page, soon(), err));
        for (size_t i = 0; i < page.count; i++)
            bytes += page.records[i]->detail.len;
        assert_true(bytes <= 6u << 20);
        seen += page.count;
        free(cursor);
        cursor = page.next_cursor;
        page.next_cursor = NULL;
        cs_record_page_clear(&page);
        query.cursor = text(cursor);
    } while (cursor != NULL);
    assert_int_equal(seen, 15);
}

int store_suite_lists(const char *store, struct fixture *fixture)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lists),
        TEST(test_list_of_everything),
        TEST(test_list_of_equal_times),
        TEST(test_list_while_it_changes),
        TEST(test_hostile_cursors),
        TEST(test_list_limits),
        TEST(test_list_of_large_records),
    };

    return run_suite(store, "lists", tests);
}
