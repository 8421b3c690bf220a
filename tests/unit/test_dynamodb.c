#include "config.h"

#include "unit.h"

#include <signal.h>

#include "aws/dynamodb.h"
#include "base/encoding.h"
#include "fake_aws.h"

/* ---- attribute values ---- */

static struct cs_json *load(const char *name)
{
    struct cs_json *root;
    struct cs_buf text;

    unit_read_vector(&text, name);
    assert_ok(cs_json_parse(&root, cs_buf_view(&text), NULL, err));
    cs_buf_clear(&text);
    return root;
}

static void node_text(struct cs_buf *out, const struct cs_json *object, const char *name)
{
    cs_buf_reset(out);
    cs_json_write_node(out, cs_json_get(object, name));
}

/* Binary has no plain JSON form of its own: the vector gives it as base64. */
static void check_binary(const struct cs_json *c, const struct cs_json *value)
{
    struct cs_buf bytes = CS_BUF_INIT(100);
    struct cs_buf item = CS_BUF_INIT(200);
    struct cs_json_writer w;
    struct cs_json *read;

    assert_ok(cs_base64_decode(
        &bytes, cs_json_get_string(cs_json_get(c, "plain"), "base64"), err));
    cs_json_writer_init(&w, &item);
    cs_json_object(&w);
    cs_item_add_binary(&w, "b", cs_buf_view(&bytes));
    cs_item_add_integer(&w, "n", -5);
    cs_json_object_end(&w);
    assert_ok(cs_json_parse(&read, cs_buf_view(&item), NULL, err));
    assert_true(cs_view_eq(cs_json_get_string(cs_json_get(read, "b"), "B"),
                           cs_json_get_string(value, "B")));
    cs_json_free(read);
    cs_buf_clear(&item);
    cs_buf_clear(&bytes);
}

static void check_value(const struct cs_json *c)
{
    const struct cs_json *value = cs_json_get(c, "attribute_value");
    struct cs_buf plain = CS_BUF_INIT(4096);
    struct cs_buf expected = CS_BUF_INIT(4096);
    struct cs_buf got = CS_BUF_INIT(4096);
    bool both = cs_view_eq(cs_json_get_string(c, "direction"), CS_LIT("both"));
    bool binary = cs_json_has(value, "B");

    node_text(&plain, c, "plain");
    if (cs_json_get(c, "plain") == NULL)
        cs_buf_reset(&plain), cs_buf_add_cstr(&plain, "null");
    node_text(&expected, c, "attribute_value");
    if (both && !binary) {
        assert_ok(cs_attribute_from_json(&got, cs_buf_view(&plain), err));
        assert_view(cs_buf_view(&got), cs_buf_cstr(&expected));
    }
    if (binary) {
        check_binary(c, value);
    } else {
        cs_buf_reset(&got);
        assert_ok(cs_attribute_to_json(&got, value, err));
        assert_view(cs_buf_view(&got), cs_buf_cstr(&plain));
    }
    cs_buf_reset(&got);
    assert_ok(cs_attribute_rewrite(&got, value, err));
    assert_view(cs_buf_view(&got), cs_buf_cstr(&expected));
    cs_buf_clear(&plain);
    cs_buf_clear(&expected);
    cs_buf_clear(&got);
}

static void test_attribute_vectors(void **state)
{
    struct cs_json *root = load("dynamodb/attribute-values.json");
    const struct cs_json *cases = cs_json_get(root, "cases");
    const struct cs_json *reject = cs_json_get(root, "reject");

    (void)state;
    assert_int_equal(cs_json_length(cases), 16);
    for (size_t i = 0; i < cs_json_length(cases); i++)
        check_value(cs_json_at(cases, i));
    assert_int_equal(cs_json_length(reject), 4);
    for (size_t i = 0; i < cs_json_length(reject); i++) {
        struct cs_buf got = CS_BUF_INIT(4096);
        const struct cs_json *value =
            cs_json_get(cs_json_at(reject, i), "attribute_value");

        assert_int_equal(cs_attribute_to_json(&got, value, NULL), CS_EUPSTREAM);
        assert_int_equal(cs_attribute_rewrite(&got, value, NULL), CS_EUPSTREAM);
        cs_buf_clear(&got);
    }
    cs_json_free(root);
}

static void test_malformed_values(void **state)
{
    static const char *const values[] = {
        "null",
        "[]",
        "\"S\"",
        "{\"S\":null}",
        "{\"N\":\"\"}",
        "{\"N\":\"x\"}",
        "{\"N\":\"1 \"}",
        "{\"N\":\"NaN\"}",
        "{\"N\":\"1,2\"}",
        "{\"BOOL\":\"true\"}",
        "{\"L\":{}}",
        "{\"M\":[]}",
        "{\"NS\":[\"x\"]}",
        "{\"SS\":[1]}",
        "{\"L\":[1]}",
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(values); i++) {
        struct cs_buf got = CS_BUF_INIT(4096);
        struct cs_json *value;

        assert_ok(cs_json_parse(&value, cs_view_cstr(values[i]), NULL, err));
        assert_int_equal(cs_attribute_to_json(&got, value, NULL), CS_EUPSTREAM);
        cs_json_free(value);
        cs_buf_clear(&got);
    }
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        bool taken;
        bool kept;
    } cases[] = {
        {"0", true, true},
        {"-0", true, false},
        {"0.0", true, false},
        {"0e9999", true, false},
        {"200.5", true, true},
        {"30.40", true, false},
        {"0.000001", true, true},
        {"9007199254740993", true, true},
        {"12345678901234567890123456789012345678", true, true},
        {"123456789012345678901234567890123456789", false, false},
        {"1234567890123456789012345678901234567800", true, true},
        {"0.1234567890123456789012345678901234567", true, true},
        {"1e3", true, false},
        {"9.99e125", true, false},
        {"1e126", false, false},
        {"1e-130", true, false},
        {"1e-131", false, false},
        {"1e308", false, false},
        {"100e124", false, false},
        {"0.01e-128", true, false},
        {"0.01e-129", false, false},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_view text = cs_view_cstr(cases[i].text);
        struct cs_buf got = CS_BUF_INIT(4096);

        if ((cs_attribute_from_json(&got, text, NULL) == CS_OK) != cases[i].taken ||
            cs_attribute_keeps_number(text) != cases[i].kept)
            fail_msg("%s", cases[i].text);
        cs_buf_clear(&got);
    }
}

static void test_deep_values(void **state)
{
    struct cs_buf text = CS_BUF_INIT(4096);
    struct cs_buf got = CS_BUF_INIT(65536);

    (void)state;
    for (int i = 0; i < 40; i++)
        cs_buf_add_byte(&text, '[');
    for (int i = 0; i < 40; i++)
        cs_buf_add_byte(&text, ']');
    assert_int_equal(cs_attribute_from_json(&got, cs_buf_view(&text), NULL), CS_EINVAL);
    cs_buf_clear(&text);
    cs_buf_clear(&got);
}

/* ---- calls ---- */

struct bench {
    struct fake_aws fake;
    struct cs_dynamodb *db;
};

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    struct cs_dynamodb_options options = {.region = "eu-central-1"};

    assert_non_null(b);
    fake_aws_init(&b->fake, NULL);
    options.aws = b->fake.aws;
    options.url = b->fake.url;
    b->db = cs_dynamodb_new(&options, NULL);
    assert_non_null(b->db);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    cs_dynamodb_free(b->db);
    fake_aws_clear(&b->fake);
    free(b);
    return 0;
}

static void test_call(void **state)
{
    static const struct fake_answer script[] = {
        {200, "",
         "{\"Item\":{\"id\":{\"S\":\"x\"}},\"ConsumedCapacity\":{\"TableName\":\"t\","
         "\"CapacityUnits\":0.5}}",
         FAKE_KEEP, 0},
        {400, "",
         "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\","
         "\"message\":\"no table\"}",
         FAKE_KEEP, 0},
        {200, "", "{\"half", FAKE_KEEP, 0},
        {0}};
    struct bench *b = *state;
    struct cs_err why = CS_ERR_NONE;
    struct cs_json *answer;

    fake_aws_play(&b->fake, script);
    assert_ok(cs_dynamodb_call(b->db, "GetItem", CS_LIT("t"),
                               CS_LIT("{\"TableName\":\"t\"}"), &answer,
                               cs_deadline_in_ms(60000), err));
    assert_view(cs_item_text(cs_json_get(answer, "Item"), "id"), "x");
    assert_int_equal(b->fake.counts.milliunits, 500);
    cs_json_free(answer);
    assert_int_equal(
        fake_aws_saw(&b->fake, "X-Amz-Target: DynamoDB_20120810.GetItem\r\n"), 1);
    assert_int_equal(
        fake_aws_saw(&b->fake, "Content-Type: application/x-amz-json-1.0\r\n"), 1);
    assert_int_equal(fake_aws_saw(&b->fake, "/eu-central-1/dynamodb/aws4_request"), 1);
    assert_int_equal(cs_dynamodb_call(b->db, "GetItem", CS_LIT("t"), CS_LIT("{}"),
                                      &answer, cs_deadline_in_ms(60000), &why),
                     CS_ENOTFOUND);
    assert_null(answer);
    assert_string_equal(why.reason, "ResourceNotFoundException");
    assert_int_equal(cs_dynamodb_call(b->db, "GetItem", CS_LIT("t"), CS_LIT("{}"),
                                      &answer, cs_deadline_in_ms(60000), NULL),
                     CS_EUPSTREAM);
    assert_null(answer);
}

/* Every attribute value in it is read, and written again as it was. */
static size_t check_values(const struct cs_json *node)
{
    static const char *const types[] = {"S", "N", "B", "BOOL", "NULL", "M", "L", "SS"};
    struct cs_json_iter iter = {0};
    size_t count = 0;

    for (size_t i = 0; i < CS_COUNT(types) && cs_json_type(node) == CS_JSON_OBJECT; i++)
        if (cs_json_length(node) == 1 && cs_json_has(node, types[i])) {
            struct cs_buf text = CS_BUF_INIT(4096);
            struct cs_buf got = CS_BUF_INIT(4096);

            cs_json_write_node(&text, node);
            assert_ok(cs_attribute_rewrite(&got, node, err));
            assert_view(cs_buf_view(&got), cs_buf_cstr(&text));
            cs_buf_reset(&got);
            assert_ok(cs_attribute_to_json(&got, node, err));
            cs_buf_clear(&text);
            cs_buf_clear(&got);
            return 1;
        }
    if (cs_json_type(node) == CS_JSON_ARRAY)
        for (size_t i = 0; i < cs_json_length(node); i++)
            count += check_values(cs_json_at(node, i));
    while (cs_json_type(node) == CS_JSON_OBJECT && cs_json_next(&iter, node))
        count += check_values(iter.value);
    return count;
}

/* One example of AWS's own: the request goes out as it is there, the answer comes in. */
static void check_example(struct bench *b, const char *operation,
                          const struct cs_json *example)
{
    struct cs_buf texts[4] = {CS_BUF_INIT(1u << 16), CS_BUF_INIT(1u << 16),
                              CS_BUF_INIT(1u << 16), CS_BUF_INIT(256)};
    struct fake_answer script[2] = {{.status = 200, .headers = ""}};
    struct cs_json *answer;

    cs_json_write_node(&texts[0], cs_json_get(example, "input"));
    cs_json_write_node(&texts[1], cs_json_get(example, "output"));
    cs_buf_add_fmt(&texts[3], "X-Amz-Target: DynamoDB_20120810.%s\r\n", operation);
    script[0].body = cs_buf_cstr(&texts[1]);
    fake_aws_play(&b->fake, script);
    assert_ok(cs_dynamodb_call(b->db, operation, CS_LIT("Music"), cs_buf_view(&texts[0]),
                               &answer, cs_deadline_in_ms(60000), err));
    assert_int_equal(fake_aws_saw(&b->fake, "POST / HTTP/1.1\r\n"), 1);
    assert_int_equal(fake_aws_saw(&b->fake, cs_buf_cstr(&texts[3])), 1);
    assert_int_equal(
        fake_aws_saw(&b->fake, "Content-Type: application/x-amz-json-1.0\r\n"), 1);
    assert_int_equal(fake_aws_saw(&b->fake, cs_buf_cstr(&texts[0])), 1);
    cs_json_write_node(&texts[2], answer);
    assert_view(cs_buf_view(&texts[2]), cs_buf_cstr(&texts[1]));
    cs_json_free(answer);
    for (size_t i = 0; i < CS_COUNT(texts); i++)
        cs_buf_clear(&texts[i]);
}

static void test_examples(void **state)
{
    struct bench *b = *state;
    struct cs_json *root = load("dynamodb/api-examples.json");
    struct cs_json_iter iter = {0};
    size_t operations = 0;

    while (cs_json_next(&iter, cs_json_get(root, "examples"))) {
        char *operation = cs_view_dup(iter.name);

        assert_non_null(operation);
        assert_true(cs_json_length(iter.value) > 0);
        for (size_t i = 0; i < cs_json_length(iter.value); i++) {
            const struct cs_json *example = cs_json_at(iter.value, i);

            /* what this service has no use for is not called */
            if (strcmp(operation, "ListTables") == 0)
                assert_int_equal(cs_dynamodb_call(b->db, operation, CS_LIT("Music"),
                                                  CS_LIT("{}"), NULL,
                                                  cs_deadline_in_ms(60000), NULL),
                                 CS_EINTERNAL);
            else
                check_example(b, operation, example);
            if (strstr(operation, "Item") != NULL || strcmp(operation, "Query") == 0)
                assert_true(check_values(example) > 0);
        }
        operations++;
        free(operation);
    }
    assert_int_equal(operations, 7);
    cs_json_free(root);
}

/* The same answers, taken as text. */
static void test_answer_as_text(void **state)
{
    static const struct fake_answer script[] = {
        {200, "", "{\"Item\":{\"id\":{\"S\":\"x\"}}}", FAKE_KEEP, 0},
        {200, "", "{\"half}", FAKE_KEEP, 0},
        {200, "", "{\"Item\":1,\"Item\":2}", FAKE_KEEP, 0},
        {0}};
    struct bench *b = *state;
    struct cs_view answer;

    fake_aws_play(&b->fake, script);
    for (size_t i = 0; script[i].status != 0; i++) {
        assert_ok(cs_dynamodb_call(b->db, "GetItem", CS_LIT("t"), CS_LIT("{}"), NULL,
                                   cs_deadline_in_ms(60000), err));
        if (i == 0) {
            assert_ok(cs_dynamodb_answer(b->db, &answer, err));
            assert_view(answer, script[i].body);
        } else {
            assert_int_equal(cs_dynamodb_answer(b->db, &answer, NULL), CS_EUPSTREAM);
            assert_null(answer.ptr);
        }
    }
}

/* By the checksum that goes along; without one there is nothing to compare. */
static void test_damaged_answers(void **state)
{
    static const struct fake_answer script[] = {
        {200, "x-amz-crc32: 2745614146\r\n", "{}", FAKE_KEEP, 0},
        {200, "x-amz-crc32: 2745614147\r\n", "{}", FAKE_KEEP, 0},
        {200, "x-amz-crc32: none\r\n", "{}", FAKE_KEEP, 0},
        {200, "x-amz-crc32: 2745614147\r\n", "{ }", FAKE_KEEP, 4},
        {0}};
    struct bench *b = *state;
    struct cs_err why = CS_ERR_NONE;

    fake_aws_play(&b->fake, script);
    for (int i = 0; i < 2; i++)
        assert_ok(cs_dynamodb_call(b->db, "GetItem", CS_LIT("campaigns"), CS_LIT("{}"),
                                   NULL, cs_deadline_in_ms(10000), err));
    assert_int_equal(fake_aws_saw(&b->fake, "DynamoDB_20120810.GetItem"), 3);
    assert_int_equal(cs_dynamodb_call(b->db, "GetItem", CS_LIT("campaigns"), CS_LIT("{}"),
                                      NULL, cs_deadline_in_ms(10000), &why),
                     CS_EUPSTREAM);
    assert_string_equal(why.reason, "answer_damaged");
    assert_int_equal(fake_aws_saw(&b->fake, "DynamoDB_20120810.GetItem"), 7);
}

/* A write is not done because something on the way says 200. */
static void test_answers_of_others(void **state)
{
    static const struct fake_answer passing[] = {
        {200, "", "", FAKE_KEEP, 0},
        {200, "Content-Type: text/html\r\n", "<html>Welcome</html>", FAKE_KEEP, 0},
        {200, "", "{\"half", FAKE_KEEP, 0},
        {200, "", " {}\r\n", FAKE_KEEP, 0},
        {0}};
    static const struct fake_answer lasting[] = {
        {200, "", "<html>Welcome</html>", FAKE_KEEP, 9}, {0}};
    struct bench *b = *state;
    struct cs_err why = CS_ERR_NONE;

    fake_aws_play(&b->fake, passing);
    assert_ok(cs_dynamodb_call(b->db, "PutItem", CS_LIT("t"), CS_LIT("{}"), NULL,
                               cs_deadline_in_ms(60000), err));
    assert_true(cs_dynamodb_was_repeated(b->db));
    assert_int_equal(fake_aws_saw(&b->fake, "DynamoDB_20120810.PutItem"), 4);
    fake_aws_play(&b->fake, lasting);
    assert_int_equal(cs_dynamodb_call(b->db, "PutItem", CS_LIT("t"), CS_LIT("{}"), NULL,
                                      cs_deadline_in_ms(60000), &why),
                     CS_EUPSTREAM);
    assert_string_equal(why.reason, "answer_damaged");
}

static void test_batch_write(void **state)
{
    static const struct fake_answer script[] = {
        {200, "",
         "{\"UnprocessedItems\":{\"t\":[{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":"
         "\"left\"}}}}]}}",
         FAKE_KEEP, 2},
        {200, "", "{\"UnprocessedItems\":{}}", FAKE_KEEP, 9},
        {0}};
    static const struct fake_answer never[] = {
        {200, "", "{\"UnprocessedItems\":{\"t\":[{}]}}", FAKE_KEEP, 9999}, {0}};
    struct bench *b = *state;
    struct cs_view requests[60];

    for (size_t i = 0; i < CS_COUNT(requests); i++)
        requests[i] = CS_LIT("{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"k\"}}}}");
    fake_aws_play(&b->fake, script);
    assert_ok(cs_dynamodb_batch_write(b->db, CS_LIT("t"), requests, 60,
                                      cs_deadline_in_ms(60000), err));
    assert_int_equal(fake_aws_saw(&b->fake, "\"k\""), 60);
    assert_int_equal(fake_aws_saw(&b->fake, "\"left\""), 2);
    assert_int_equal(fake_aws_saw(&b->fake, "POST / "), 3 + 2);
    /* until the next wait, of 2.9 s, is longer than the time that is left */
    b->fake.random = 0.9;
    fake_aws_play(&b->fake, never);
    assert_int_equal(cs_dynamodb_batch_write(b->db, CS_LIT("t"), requests, 1,
                                             cs_deadline_in_ms(5000), NULL),
                     CS_EBUSY);
}

/* What is left over waits by chance, from nothing to a bound that doubles each time. */
static void test_batch_waits(void **state)
{
    static const struct fake_answer script[] = {
        {200, "",
         "{\"UnprocessedItems\":{\"t\":[{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":"
         "\"left\"}}}}]}}",
         FAKE_KEEP, 3},
        {200, "", "{\"UnprocessedItems\":{}}", FAKE_KEEP, 9},
        {0}};
    const struct cs_view request =
        CS_LIT("{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"k\"}}}}");
    struct bench *b = *state;
    int64_t start_us;

    b->fake.random = 0.9;
    b->fake.draws = 0;
    fake_aws_play(&b->fake, script);
    start_us = cs_clock_monotonic_us();
    assert_ok(cs_dynamodb_batch_write(b->db, CS_LIT("t"), &request, 1,
                                      cs_deadline_in_ms(60000), err));
    assert_int_equal(b->fake.draws, 3);
    assert_true(cs_clock_monotonic_us() - start_us >= (50000 + 100000 + 200000) * 9 / 10);
    /* a wait of nothing needs no time that is left */
    b->fake.random = 0;
    fake_aws_play(&b->fake, script);
    assert_ok(cs_dynamodb_batch_write(b->db, CS_LIT("t"), &request, 1,
                                      cs_deadline_in_ms(60000), err));
    assert_int_equal(b->fake.draws, 6);
    assert_int_equal(fake_aws_saw(&b->fake, "\"left\""), 3);
}

static enum cs_code count_item(void *payload, const struct cs_json *item,
                               struct cs_err *err)
{
    unsigned *count = payload;

    (void)err;
    assert_view(cs_item_text(item, "id"), "x");
    ++*count;
    return CS_OK;
}

static void test_batch_get(void **state)
{
    static const struct fake_answer script[] = {
        {200, "",
         "{\"Responses\":{\"t\":[{\"id\":{\"S\":\"x\"}}]},\"UnprocessedKeys\":{\"t\":{"
         "\"ConsistentRead\":true,\"Keys\":[{\"id\":{\"S\":\"left\"}}]}}}",
         FAKE_KEEP, 0},
        {200, "",
         "{\"Responses\":{\"t\":[{\"id\":{\"S\":\"x\"}},{\"id\":{\"S\":\"x\"}}]}}",
         FAKE_KEEP, 9},
        {0}};
    struct bench *b = *state;
    struct cs_view keys[150];
    unsigned count = 0;

    for (size_t i = 0; i < CS_COUNT(keys); i++)
        keys[i] = CS_LIT("{\"id\":{\"S\":\"k\"}}");
    fake_aws_play(&b->fake, script);
    assert_ok(cs_dynamodb_batch_get(b->db, CS_LIT("t"), keys, 150, count_item, &count,
                                    cs_deadline_in_ms(60000), err));
    assert_int_equal(count, 1 + 2 + 2);
    assert_int_equal(fake_aws_saw(&b->fake, "\"left\""), 1);
    assert_int_equal(fake_aws_saw(&b->fake, "\"k\""), 150);
    assert_int_equal(fake_aws_saw(&b->fake, "{\"t\":{\"ConsistentRead\":true,\"Keys\":["),
                     3);
}

/* ---- tables ---- */

static const char *const shown[] = {"summary", NULL};
static const struct cs_dynamodb_index indexes[] = {
    {"by_user", "user_id", "created_at", shown},
    {"by_status", "status", "created_at", shown}};
static const struct cs_dynamodb_table table = {CS_LIT_INIT("t"), "id", indexes, 2, NULL};

#define INDEX(name, hash)                                                               \
    "{\"IndexName\":\"" name                                                            \
    "\",\"IndexStatus\":\"ACTIVE\",\"KeySchema\":[{\"AttributeName\":"                  \
    "\"" hash "\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"created_at\",\"KeyType\":" \
    "\"RANGE\"}]}"
#define TABLE(status, key, indexes)               \
    "{\"Table\":{\"TableStatus\":\"" status       \
    "\",\"KeySchema\":[{\"AttributeName\":\"" key \
    "\",\"KeyType\":\"HASH\"}],\"GlobalSecondaryIndexes\":[" indexes "]}}"
#define BOTH    INDEX("by_user", "user_id") "," INDEX("by_status", "status")
#define MISSING "{\"__type\":\"ResourceNotFoundException\"}"
#define IN_USE  "{\"__type\":\"ResourceInUseException\"}"

static enum cs_code ensure(struct bench *b, const struct fake_answer *script,
                           struct cs_buf *report)
{
    cs_buf_reset(report);
    fake_aws_play(&b->fake, script);
    return cs_dynamodb_ensure(b->db, &table, report, cs_deadline_in_ms(60000), NULL);
}

static void test_ensure(void **state)
{
    static const struct fake_answer fresh[] = {
        {400, "", MISSING, FAKE_KEEP, 0},
        {200, "", "{}", FAKE_KEEP, 0},
        {200, "", TABLE("CREATING", "id", ""), FAKE_KEEP, 0},
        {200, "", TABLE("ACTIVE", "id", BOTH), FAKE_KEEP, 0},
        {0}};
    static const struct fake_answer raced[] = {
        {400, "", MISSING, FAKE_KEEP, 0},
        {400, "", IN_USE, FAKE_KEEP, 0},
        {200, "", TABLE("ACTIVE", "id", BOTH), FAKE_KEEP, 0},
        {0}};
    static const struct fake_answer lacking[] = {
        {200, "", TABLE("ACTIVE", "id", INDEX("by_user", "user_id")), FAKE_KEEP, 0},
        {200, "", "{}", FAKE_KEEP, 0},
        {200, "", TABLE("ACTIVE", "id", BOTH), FAKE_KEEP, 0},
        {0}};
    static const struct fake_answer other_key[] = {
        {200, "", TABLE("ACTIVE", "name", BOTH), FAKE_KEEP, 0}, {0}};
    static const struct fake_answer other_index[] = {
        {200, "", TABLE("ACTIVE", "id", INDEX("by_user", "owner")), FAKE_KEEP, 0}, {0}};
    static const struct fake_answer denied[] = {
        {400, "", "{\"__type\":\"AccessDeniedException\"}", FAKE_KEEP, 0}, {0}};
    struct bench *b = *state;
    struct cs_buf report = CS_BUF_INIT(4096);

    assert_int_equal(ensure(b, denied, &report), CS_EDENIED);
    assert_int_equal(ensure(b, other_key, &report), CS_ECONFLICT);
    assert_int_equal(ensure(b, other_index, &report), CS_ECONFLICT);
    assert_int_equal(ensure(b, fresh, &report), CS_OK);
    assert_view(cs_buf_view(&report), "DynamoDB table t created\n");
    assert_int_equal(fake_aws_saw(&b->fake, "PAY_PER_REQUEST"), 1);
    assert_int_equal(
        fake_aws_saw(&b->fake, "\"AttributeName\":\"created_at\",\"AttributeType\""), 1);
    assert_int_equal(ensure(b, raced, &report), CS_OK);
    assert_int_equal(ensure(b, lacking, &report), CS_OK);
    assert_view(cs_buf_view(&report), "DynamoDB index by_status of table t added\n");
    assert_int_equal(fake_aws_saw(&b->fake, "\"IndexName\":\"by_status\""), 1);
    cs_buf_clear(&report);
}

static void test_expiry(void **state)
{
#define THERE                                              \
    {                                                      \
        200, "", TABLE("ACTIVE", "id", BOTH), FAKE_KEEP, 0 \
    }
#define INVALID(message)                                                             \
    {                                                                                \
        400, "", "{\"__type\":\"ValidationException\",\"message\":\"" message "\"}", \
            FAKE_KEEP, 0                                                             \
    }
    static const struct fake_answer off[] = {THERE, {200, "", "{}", FAKE_KEEP, 0}, {0}};
    static const struct fake_answer kept[][3] = {
        {THERE, INVALID("TimeToLive is already enabled"), {0}},
        {THERE,
         INVALID("TimeToLive is active on a different AttributeName: current "
                 "AttributeName is gone"),
         {0}},
        {THERE,
         INVALID("Time to live has been modified multiple times within a fixed interval"),
         {0}},
        {THERE,
         {400, "", "{\"__type\":\"UnknownOperationException\"}", FAKE_KEEP, 0},
         {0}},
        {THERE, {400, "", IN_USE, FAKE_KEEP, 0}, {0}},
    };
    static const struct fake_answer malformed[] = {
        THERE, INVALID("1 validation error detected"), {0}};
    static const struct fake_answer denied[] = {
        THERE, {400, "", "{\"__type\":\"AccessDeniedException\"}", FAKE_KEEP, 0}, {0}};
    struct bench *b = *state;
    struct cs_dynamodb_table expiring = table;
    struct cs_buf report = CS_BUF_INIT(4096);
    struct cs_err why = CS_ERR_NONE;

    expiring.expiry = "gone_at";
    fake_aws_play(&b->fake, denied);
    assert_int_equal(
        cs_dynamodb_ensure(b->db, &expiring, &report, cs_deadline_in_ms(60000), &why),
        CS_EDENIED);
    assert_non_null(strstr(why.text, "dynamodb:UpdateTimeToLive"));
    fake_aws_play(&b->fake, malformed);
    assert_int_equal(
        cs_dynamodb_ensure(b->db, &expiring, &report, cs_deadline_in_ms(60000), NULL),
        CS_EUPSTREAM);
    assert_int_equal(report.len, 0);
    for (size_t i = 0; i < CS_COUNT(kept); i++) {
        cs_buf_reset(&report);
        fake_aws_play(&b->fake, kept[i]);
        assert_ok(
            cs_dynamodb_ensure(b->db, &expiring, &report, cs_deadline_in_ms(60000), err));
        assert_view(cs_buf_view(&report), "DynamoDB table t is there\n");
    }
    cs_buf_reset(&report);
    fake_aws_play(&b->fake, off);
    assert_ok(
        cs_dynamodb_ensure(b->db, &expiring, &report, cs_deadline_in_ms(60000), err));
    assert_view(cs_buf_view(&report), "DynamoDB table t lets items expire by gone_at\n");
    assert_int_equal(fake_aws_saw(&b->fake,
                                  "{\"TableName\":\"t\",\"TimeToLiveSpecification\":"
                                  "{\"AttributeName\":\"gone_at\",\"Enabled\":true}}"),
                     1);
    cs_buf_clear(&report);
}

#define with_bench(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_values),
        cmocka_unit_test(test_deep_values),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_attribute_vectors),
        with_bench(test_call),
        with_bench(test_examples),
        with_bench(test_answer_as_text),
        with_bench(test_damaged_answers),
        with_bench(test_answers_of_others),
        with_bench(test_batch_write),
        with_bench(test_batch_waits),
        with_bench(test_batch_get),
        with_bench(test_ensure),
        with_bench(test_expiry),
    };

    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
