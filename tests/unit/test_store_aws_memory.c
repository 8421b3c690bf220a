/* Every allocation that the AWS store and its clients make fails once: the call says
 * so, and the same call succeeds afterwards. */
#include "config.h"

#include <sys/mman.h>
#include <unistd.h>

#include "aws_server.h"
#include "failing_malloc.h"
#include "store_calls.h"

static const char *const settings[] = {"DYNAMODB_STATUS_SHARDS=2", "S3_GZIP=true", NULL};

static enum cs_code do_replace(struct cs_store *store, struct cs_err *err)
{
    struct cs_record *record;
    enum cs_code rc = store->ops->get(store, CS_LIT("a"), &record, soon(), err);

    if (rc != CS_OK) {
        assert_null(record);
        return rc;
    }
    record->detail = CS_LIT("{\"files\":{\"pdf\":{\"key\":\"k\"}}}");
    rc = write_one(store, CS_WRITE_REPLACE, record, err);
    cs_record_free(record);
    return rc;
}

static enum cs_code do_foreign(struct cs_store *store, struct cs_err *err)
{
    struct cs_record *record;
    enum cs_code rc = store->ops->get(store, CS_LIT("old"), &record, soon(), err);

    if (rc != CS_OK)
        return rc;
    rc = write_one(store, CS_WRITE_REPLACE, record, err);
    cs_record_free(record);
    return rc;
}

static enum cs_code do_count(struct cs_store *store, struct cs_err *err)
{
    return add_to(store, "stats", "running", 0, err);
}

static enum cs_code list(struct cs_store *store, enum cs_list_index index,
                         const char *value, struct cs_err *err)
{
    const struct cs_list_query query = {index, text(value), CS_LIT(""), 1};
    struct cs_record_page page;
    enum cs_code rc = store->ops->list(store, &query, &page, soon(), err);

    cs_record_page_clear(&page);
    return rc;
}

static enum cs_code do_list_user(struct cs_store *store, struct cs_err *err)
{
    return list(store, CS_LIST_USER, "ann", err);
}

static enum cs_code do_list_status(struct cs_store *store, struct cs_err *err)
{
    return list(store, CS_LIST_STATUS, "running", err);
}

static enum cs_code do_list_all(struct cs_store *store, struct cs_err *err)
{
    return list(store, CS_LIST_ALL, "", err);
}

static enum cs_code do_log_delete(struct cs_store *store, struct cs_err *err)
{
    uint64_t deleted;

    return store->ops->log_delete(store, CS_LIT("a"), &deleted, soon(), err);
}

static size_t count_record(void *payload, const struct cs_record *record,
                           struct cs_delta *out)
{
    (void)payload;
    out[0] = (struct cs_delta){CS_LIT("stats"), record->status, 1};
    return 1;
}

static enum cs_code do_recount(struct cs_store *store, struct cs_err *err)
{
    return store->ops->recount(store, count_record, NULL, soon(), err);
}

static struct cs_view page_text(void)
{
    static char bytes[20000];

    memset(bytes, 'x', sizeof(bytes));
    return cs_view_of(bytes, sizeof(bytes));
}

static enum cs_code do_put(struct cs_store *store, struct cs_err *err)
{
    const struct cs_object_source sources[] = {
        {.info = {.key = CS_LIT("a/x"), .compressible = true},
         .bytes = page_text(),
         .fd = -1},
        {.info = {.key = CS_LIT("a/y")}, .bytes = CS_LIT("plain"), .fd = -1}};
    struct cs_object objects[CS_COUNT(sources)];
    enum cs_code rc =
        store->ops->put(store, sources, CS_COUNT(sources), objects, soon(), err);

    for (size_t i = 0; i < CS_COUNT(objects); i++)
        cs_object_clear(&objects[i]);
    return rc;
}

static enum cs_code do_write(struct cs_store *store, struct cs_err *err)
{
    const struct cs_object_info info = {.key = CS_LIT("a/x"), .compressible = true};
    struct cs_object_writer *writer = NULL;
    struct cs_object object;
    enum cs_code rc =
        store->ops->put_begin(store, &info, UINT64_MAX, &writer, soon(), err);

    if (rc != CS_OK)
        return rc;
    if ((rc = store->ops->put_add(store, writer, page_text(), err)) != CS_OK) {
        store->ops->put_abort(store, writer);
        return rc;
    }
    rc = store->ops->put_commit(store, writer, &object, err);
    cs_object_clear(&object);
    return rc;
}

static enum cs_code read_all(struct cs_store *store, const struct cs_byte_range *range,
                             size_t expected, struct cs_err *err)
{
    struct cs_object_reader *reader;
    char block[4096];
    size_t sum = 0;
    size_t got = 1;
    uint64_t size;
    enum cs_code rc = store->ops->open(store, CS_LIT("a/x"), CS_LIT(""), range, &reader,
                                       &size, soon(), err);

    if (rc != CS_OK) {
        assert_null(reader);
        return rc;
    }
    while (rc == CS_OK && got > 0) {
        rc = store->ops->read(store, reader, block, sizeof(block), &got, err);
        sum += got;
    }
    store->ops->close(store, reader);
    if (rc == CS_OK)
        assert_int_equal(sum, expected);
    return rc;
}

static enum cs_code do_read(struct cs_store *store, struct cs_err *err)
{
    return read_all(store, NULL, 20000, err);
}

static enum cs_code do_read_range(struct cs_store *store, struct cs_err *err)
{
    const struct cs_byte_range range = {10000, 10099};

    return read_all(store, &range, 100, err);
}

static enum cs_code do_fetch(struct cs_store *store, struct cs_err *err)
{
    const struct cs_object_name names[2] = {{CS_LIT("a/x"), CS_LIT("")},
                                            {CS_LIT("a/x"), CS_LIT("")}};
    struct cs_buf outs[2] = {CS_BUF_INIT(1u << 20), CS_BUF_INIT(1u << 20)};
    enum cs_code rc = store->ops->fetch(store, names, 2, outs, soon(), err);

    for (size_t i = 0; i < 2; i++) {
        if (rc == CS_OK)
            assert_int_equal(outs[i].len, 20000);
        cs_buf_clear(&outs[i]);
    }
    return rc;
}

static enum cs_code do_url(struct cs_store *store, struct cs_err *err)
{
    const struct cs_object_info info = {
        .key = CS_LIT("a/x"), .content_type = CS_LIT("a/b"), .file_name = CS_LIT("x")};
    struct cs_buf url = CS_BUF_INIT(16384);
    int64_t expires_us;
    enum cs_code rc =
        store->ops->url(store, &info, CS_LIT(""), 60, &url, &expires_us, err);

    cs_buf_clear(&url);
    return rc;
}

static bool go_on(void *payload, const struct cs_object_entry *entry)
{
    (void)payload;
    (void)entry;
    return true;
}

static enum cs_code do_each_object(struct cs_store *store, struct cs_err *err)
{
    return store->ops->each_object(store, CS_LIT("a/"), go_on, NULL, soon(), err);
}

static enum cs_code do_delete_version(struct cs_store *store, struct cs_err *err)
{
    return store->ops->delete_version(store, CS_LIT("a/none"), CS_LIT("v"), soon(), err);
}

static enum cs_code do_delete_prefix(struct cs_store *store, struct cs_err *err)
{
    struct cs_delete_report report;

    return store->ops->delete_prefix(store, CS_LIT("a/"), &report, soon(), err);
}

static enum cs_code do_delete_folder(struct cs_store *store, struct cs_err *err)
{
    const struct cs_object_entry known = {CS_LIT("a/none"), CS_LIT(""), 1, 0};
    struct cs_delete_report report;

    return store->ops->delete_folder(store, CS_LIT("a/"), &known, 1, &report, soon(),
                                     err);
}

static void ignore_leftover(void *payload, struct cs_view name, bool removed)
{
    (void)payload;
    (void)name;
    (void)removed;
}

static enum cs_code do_leftovers(struct cs_store *store, struct cs_err *err)
{
    return store->ops->leftovers(store, true, ignore_leftover, NULL, soon(), err);
}

/* Whatever else it finds, the record is made anew before. */
static enum cs_code do_erase(struct cs_store *store, struct cs_err *err)
{
    struct cs_record record = record_of("erased", "alice", "running", "2024");
    const struct cs_view entry = CS_LIT("{}");
    uint64_t deleted;
    enum cs_code rc = write_one(store, CS_WRITE_CREATE, &record, err);

    record.revision = 1;
    if (rc != CS_OK && rc != CS_EEXISTS)
        return rc;
    cs_err_clear(err);
    rc = store->ops->log_append(store, record.key, &entry, 1, CS_LIT(""), soon(), err);
    return rc != CS_OK ? rc : erase_one(store, &record, &deleted, err);
}

/* Where it was withdrawn, and memory lacked for the answer, it is read. */
static enum cs_code do_withdraw(struct cs_store *store, struct cs_err *err)
{
    const struct cs_record record = record_of("withdrawn", "alice", "running", "2024");
    const struct cs_withdrawal withdrawal = {.key = record.key,
                                             .user_id = record.user_id,
                                             .status = CS_LIT("deleting"),
                                             .now_us = 1};
    const struct cs_delta delta = {CS_LIT("user/alice"), CS_LIT("total"), -1};
    struct cs_record *found = NULL;
    struct cs_record after;
    const struct cs_write write = {CS_WRITE_DELETE, &after};
    const struct cs_transaction erasure = {&write, 1, &delta, 1};
    uint64_t deleted;
    enum cs_code rc = write_one(store, CS_WRITE_CREATE, &record, err);

    if (rc != CS_OK && rc != CS_EEXISTS)
        return rc;
    cs_err_clear(err);
    rc = store->ops->withdraw(store, &withdrawal, &found, soon(), err);
    if (rc == CS_OK) {
        after = cs_record_withdrawn(found, withdrawal.status);
    } else if (rc == CS_ECONFLICT) {
        cs_err_clear(err);
        rc = store->ops->get(store, record.key, &found, soon(), err);
        if (rc == CS_OK)
            after = *found;
    }
    if (rc == CS_OK)
        rc = store->ops->erase(store, &erasure, &deleted, soon(), err);
    cs_record_free(found);
    return rc;
}

static const struct {
    const char *name;
    call_fn *call;
} calls[] = {
    {"init", do_init},
    {"put", do_put},
    {"put in pieces", do_write},
    {"read", do_read},
    {"read a range", do_read_range},
    {"fetch", do_fetch},
    {"url", do_url},
    {"each object", do_each_object},
    {"delete version", do_delete_version},
    {"replace", do_replace},
    {"replace another program's", do_foreign},
    {"count", do_count},
    {"list by user", do_list_user},
    {"list by status", do_list_status},
    {"list all", do_list_all},
    {"log append", do_log_append},
    {"log read", do_log_read},
    {"leftovers", do_leftovers},
    {"log delete", do_log_delete},
    {"counters", do_counters},
    {"recount", do_recount},
    {"delete prefix", do_delete_prefix},
    {"delete folder", do_delete_folder},
    {"erase", do_erase},
    {"withdraw", do_withdraw},
};

struct attempt {
    struct cs_store *store; /* NULL: a new one each time, so that it opens, too */
    call_fn *call;
};

static void try_call(void *payload, const bool *failed)
{
    const struct attempt *attempt = payload;
    const struct cs_store_aws_options options = {.bucket_name = "outputs",
                                                 .table_name = "campaigns",
                                                 .setting = aws_server_setting,
                                                 .payload = settings};
    struct cs_err why = CS_ERR_NONE;
    struct cs_store *store = attempt->store;
    enum cs_code rc = CS_ENOMEM;

    if (store == NULL)
        store = cs_store_aws_new(&options, &why);
    if (store != NULL)
        rc = attempt->call(store, &why);
    failing_armed = false;
    if (rc != CS_OK && !(*failed && rc == CS_ENOMEM))
        print_error("%s\n", why.text);
    assert_true(rc == CS_OK || (*failed && rc == CS_ENOMEM));
    if (*failed && store != NULL) {
        why = CS_ERR_NONE;
        rc = attempt->call(store, &why);
        if (rc != CS_OK)
            print_error("afterwards: %s\n", why.text);
        assert_int_equal(rc, CS_OK);
    }
    if (store != NULL && store != attempt->store)
        store->ops->free(store);
}

static void prepare(struct cs_store *store)
{
    struct aws_server server;

    assert_ok(do_init(store, err));
    create(store, "a", "ann", "running", "2026-01-01T00:00:00.000000Z");
    create(store, "b", "ann", "running", "2026-01-01T00:00:00.000000Z");
    aws_server_open(&server);
    aws_server_do(
        &server, "UpdateItem",
        "{\"TableName\":\"campaigns\",\"Key\":{\"campaign_id\":{\"S\":\"old\"}},"
        "\"UpdateExpression\":\"SET labels = :l, campaign_name = :n\","
        "\"ExpressionAttributeValues\":{\":l\":{\"SS\":[\"a\",\"b\"]},"
        "\":n\":{\"S\":\"x\"}}}");
    aws_server_close(&server);
}

static void test_calls(void **state)
{
    struct attempt attempt = {.store = NULL};

    (void)state;
    if (!failing_works())
        skip();
    aws_server_empty();
    attempt.store = aws_server_store(settings);
    prepare(attempt.store);
    for (size_t i = 0; i < CS_COUNT(calls); i++) {
        attempt.call = calls[i].call;
        print_message("%s: %zu allocations\n", calls[i].name,
                      failing_each(try_call, &attempt));
    }
    attempt.store->ops->free(attempt.store);
}

static enum cs_code do_put_file(struct cs_store *store, struct cs_err *err)
{
    struct cs_object_source source = {.info = {.key = CS_LIT("a/z")},
                                      .fd = memfd_create("z", MFD_CLOEXEC),
                                      .size = 20000};
    struct cs_object object;
    enum cs_code rc;

    assert_true(source.fd >= 0);
    assert_int_equal(write(source.fd, page_text().ptr, page_text().len), source.size);
    rc = store->ops->put(store, &source, 1, &object, soon(), err);
    cs_object_clear(&object);
    assert_int_equal(close(source.fd), 0);
    return rc;
}

/* Bodies that are encoded as the connection takes them. */
static void test_chunks(void **state)
{
    static const char *const chunked[] = {"S3_PAYLOAD=chunked", NULL};
    static call_fn *const puts[] = {do_put, do_put_file, do_write};
    struct attempt attempt = {.store = NULL};

    (void)state;
    if (!failing_works())
        skip();
    aws_server_empty();
    attempt.store = aws_server_store(chunked);
    assert_ok(do_init(attempt.store, err));
    for (size_t i = 0; i < CS_COUNT(puts); i++) {
        attempt.call = puts[i];
        assert_true(failing_each(try_call, &attempt) > 10);
    }
    attempt.store->ops->free(attempt.store);
}

static void test_opening(void **state)
{
    struct attempt attempt = {.call = do_replace};
    struct cs_store *store;

    (void)state;
    if (!failing_works())
        skip();
    aws_server_empty();
    store = aws_server_store(settings);
    prepare(store);
    store->ops->free(store);
    assert_true(failing_each(try_call, &attempt) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_opening),
    };
    int missing = aws_server_missing();

    return missing != 0 ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
