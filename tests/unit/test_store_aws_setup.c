/* Bucket, table and indexes appear at first need, also when many need them at once. */
#include "config.h"

#include <sys/wait.h>
#include <unistd.h>

#include "aws_server.h"

#define MANY 6u

static const char *const no_making[] = {"AWS_CREATE_MISSING=false", NULL};

static int empty(void **state)
{
    (void)state;
    aws_server_empty();
    return 0;
}

static size_t listed(struct cs_store *store, enum cs_list_index index, const char *value)
{
    const struct cs_list_query query = {
        .index = index, .value = text(value), .limit = 10};
    struct cs_record_page page;
    size_t count;

    assert_ok(store->ops->list(store, &query, &page, soon(), err));
    count = page.count;
    cs_record_page_clear(&page);
    return count;
}

/* What is not there yet holds nothing, and is not made by looking. */
static void test_reads(void **state)
{
    struct cs_store *store = aws_server_store(NULL);
    struct aws_server server;
    struct cs_store_health health;
    struct cs_record *record;
    struct cs_log_page log;
    struct cs_delete_report report;
    struct cs_object_reader *reader;
    uint64_t deleted;
    uint64_t size;

    (void)state;
    assert_int_equal(store->ops->get(store, text("a"), &record, soon(), NULL),
                     CS_ENOTFOUND);
    assert_int_equal(listed(store, CS_LIST_USER, "ann"), 0);
    assert_int_equal(listed(store, CS_LIST_STATUS, "running"), 0);
    assert_int_equal(counter(store, "stats", "running"), 0);
    assert_ok(store->ops->log_read(store, text("a"), text(""), 10, &log, soon(), err));
    assert_int_equal(log.count, 0);
    cs_log_page_clear(&log);
    assert_ok(store->ops->log_delete(store, text("a"), &deleted, soon(), err));
    assert_ok(store->ops->delete_prefix(store, text("a/"), &report, soon(), err));
    assert_int_equal(report.objects_deleted + report.left, 0);
    /* who asks for an object has a record that names it, so this is a fault */
    assert_int_equal(store->ops->open(store, text("a/b"), text(""), NULL, &reader, &size,
                                      soon(), NULL),
                     CS_EUPSTREAM);
    store->ops->health(store, &health, soon());
    assert_true(health.objects_ok && health.records_ok);
    aws_server_open(&server);
    assert_int_equal(cs_s3_check(server.s3, soon(), NULL), CS_ENOTFOUND);
    aws_server_close(&server);
    store->ops->free(store);
}

/* A walk over all records acts on those that are not there: no table is no answer. */
static void test_walk(void **state)
{
    const struct cs_list_query query = {.index = CS_LIST_ALL, .limit = 10};
    struct cs_store *store = aws_server_store(NULL);
    struct cs_record_page page;

    (void)state;
    assert_int_equal(store->ops->list(store, &query, &page, soon(), NULL), CS_EUPSTREAM);
    store->ops->free(store);
}

static void test_writes(void **state)
{
    static const char *const tagged[] = {"S3_BUCKET_TAGS=team=marketing,stage=test",
                                         NULL};
    struct cs_store *store = aws_server_store(tagged);
    struct cs_object object;

    (void)state;
    create(store, "a", "ann", "running", "2026-01-01T00:00:00.000000Z");
    assert_int_equal(listed(store, CS_LIST_USER, "ann"), 1);
    assert_int_equal(listed(store, CS_LIST_STATUS, "running"), 1);
    assert_ok(put_bytes(store, "a/b", text("hello"), &object, err));
    assert_true(object.version[0] != '\0');
    assert_object(store, "a/b", object.version, "hello");
    cs_object_clear(&object);
    store->ops->free(store);
}

static void test_pieces(void **state)
{
    struct cs_store *store = aws_server_store(NULL);
    const struct cs_object_info info = {.key = CS_LIT("a/b")};
    struct cs_object_writer *writer;
    struct cs_object object;

    (void)state;
    assert_ok(store->ops->put_begin(store, &info, 5, &writer, soon(), err));
    assert_ok(store->ops->put_add(store, writer, text("hello"), err));
    assert_ok(store->ops->put_commit(store, writer, &object, err));
    assert_object(store, "a/b", object.version, "hello");
    cs_object_clear(&object);
    store->ops->free(store);
}

static void test_switched_off(void **state)
{
    const struct cs_record record =
        record_of("a", "ann", "running", "2026-01-01T00:00:00.000000Z");
    struct cs_store *store = aws_server_store(no_making);
    struct cs_store_health health;
    struct cs_err why = CS_ERR_NONE;
    struct cs_record *got;
    struct cs_object object;

    (void)state;
    assert_int_equal(write_one(store, CS_WRITE_CREATE, &record, &why), CS_EUPSTREAM);
    assert_string_equal(why.field, "DYNAMODB_TABLE_NAME");
    assert_non_null(strstr(why.text, "campaignctl init"));
    why = CS_ERR_NONE;
    assert_int_equal(put_bytes(store, "a/b", text("x"), &object, &why), CS_EUPSTREAM);
    assert_string_equal(why.field, "S3_BUCKET_NAME");
    assert_int_equal(store->ops->get(store, text("a"), &got, soon(), NULL), CS_EUPSTREAM);
    store->ops->health(store, &health, soon());
    assert_false(health.objects_ok || health.records_ok);
    store->ops->free(store);
}

/* One of many that start at once on nothing; its exit status. */
static int first_need(unsigned number)
{
    struct cs_store *store = aws_server_store(NULL);
    struct cs_object object = {.size = 0};
    struct cs_err why = CS_ERR_NONE;
    char key[32];
    struct cs_record record;
    bool good;

    if (snprintf(key, sizeof(key), "c%u/x", number) < 0)
        return 1;
    good = put_bytes(store, key, text(key), &object, &why) == CS_OK;
    key[2] = '\0';
    record = record_of(key, "ann", "running", "2026-01-01T00:00:00.000000Z");
    good = good && write_one(store, CS_WRITE_CREATE, &record, &why) == CS_OK;
    good = good && add_to(store, "stats", "running", 1, &why) == CS_OK;
    if (!good)
        print_error("%s\n", why.text);
    cs_object_clear(&object);
    store->ops->free(store);
    return good ? 0 : 1;
}

static void test_many_at_once(void **state)
{
    pid_t children[MANY];
    struct cs_store *store;

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit(first_need(i));
    }
    for (unsigned i = 0; i < MANY; i++) {
        int status = -1;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    store = aws_server_store(no_making);
    assert_int_equal(listed(store, CS_LIST_USER, "ann"), MANY);
    assert_int_equal(counter(store, "stats", "running"), MANY);
    assert_object(store, "c3/x", "", "c3/x");
    store->ops->free(store);
}

static const char bare_table[] =
    "{\"TableName\":\"campaigns\",\"BillingMode\":\"PAY_PER_REQUEST\","
    "\"AttributeDefinitions\":[{\"AttributeName\":\"campaign_id\",\"AttributeType\":"
    "\"S\"}],\"KeySchema\":[{\"AttributeName\":\"campaign_id\",\"KeyType\":\"HASH\"}]}";

/* A table without our indexes gets them when a list asks for one. */
static void test_missing_index(void **state)
{
    struct cs_store *store = aws_server_store(NULL);
    struct aws_server server;

    (void)state;
    aws_server_open(&server);
    aws_server_do(&server, "CreateTable", bare_table);
    aws_server_close(&server);
    create(store, "a", "ann", "running", "2026-01-01T00:00:00.000000Z");
    assert_int_equal(listed(store, CS_LIST_STATUS, "running"), 1);
    assert_int_equal(listed(store, CS_LIST_USER, "ann"), 1);
    store->ops->free(store);
}

static void test_missing_index_switched_off(void **state)
{
    const struct cs_list_query query = {
        .index = CS_LIST_USER, .value = CS_LIT("ann"), .limit = 10};
    struct cs_store *store = aws_server_store(no_making);
    struct cs_err why = CS_ERR_NONE;
    struct cs_record_page page;
    struct aws_server server;

    (void)state;
    aws_server_open(&server);
    aws_server_do(&server, "CreateTable", bare_table);
    aws_server_close(&server);
    assert_int_equal(store->ops->list(store, &query, &page, soon(), &why), CS_EUPSTREAM);
    assert_non_null(strstr(why.text, "campaignctl init"));
    store->ops->free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_reads, empty),
        cmocka_unit_test_setup(test_walk, empty),
        cmocka_unit_test_setup(test_writes, empty),
        cmocka_unit_test_setup(test_pieces, empty),
        cmocka_unit_test_setup(test_switched_off, empty),
        cmocka_unit_test_setup(test_many_at_once, empty),
        cmocka_unit_test_setup(test_missing_index, empty),
        cmocka_unit_test_setup(test_missing_index_switched_off, empty),
    };
    int missing = aws_server_missing();

    return missing != 0 ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
