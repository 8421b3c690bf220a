#include "config.h"

#include <poll.h>

#include "aws/dynamodb.h"

#define BODY_MAX      65536u
#define POLL_MS       500
#define RETRY_AFTER_S 10
/* Keys of a table and all indexes that it may have. */
#define ATTRIBUTES_MAX (1u + 2u * CS_DYNAMODB_INDEXES_MAX)

/* ---- requests ---- */

static void add_key(struct cs_json_writer *w, const char *hash, const char *range)
{
    cs_json_key(w, "KeySchema");
    cs_json_array(w);
    cs_json_object(w);
    cs_json_member_cstr(w, "AttributeName", hash);
    cs_json_member_cstr(w, "KeyType", "HASH");
    cs_json_object_end(w);
    if (range != NULL) {
        cs_json_object(w);
        cs_json_member_cstr(w, "AttributeName", range);
        cs_json_member_cstr(w, "KeyType", "RANGE");
        cs_json_object_end(w);
    }
    cs_json_array_end(w);
}

/* On a table with provisioned capacity an index needs its own: as the table has. */
static void add_throughput(struct cs_json_writer *w, const struct cs_json *described)
{
    static const char *const names[] = {"ReadCapacityUnits", "WriteCapacityUnits"};
    const struct cs_json *table = cs_json_get(described, "ProvisionedThroughput");
    int64_t units[CS_COUNT(names)];

    for (size_t i = 0; i < CS_COUNT(names); i++)
        if (!cs_json_integer(cs_json_get(table, names[i]), &units[i]) || units[i] < 1)
            return;
    cs_json_key(w, "ProvisionedThroughput");
    cs_json_object(w);
    for (size_t i = 0; i < CS_COUNT(names); i++)
        cs_json_member_u64(w, names[i], (uint64_t)units[i]);
    cs_json_object_end(w);
}

/* described: of the table that gets the index; NULL for one that is yet to be made. */
static void add_index(struct cs_json_writer *w, const struct cs_dynamodb_index *index,
                      const struct cs_json *described)
{
    cs_json_object(w);
    cs_json_member_cstr(w, "IndexName", index->name);
    add_key(w, index->hash, index->range);
    cs_json_key(w, "Projection");
    cs_json_object(w);
    cs_json_member_cstr(w, "ProjectionType", "INCLUDE");
    cs_json_key(w, "NonKeyAttributes");
    cs_json_array(w);
    for (const char *const *name = index->include; *name != NULL; name++)
        cs_json_cstr(w, *name);
    cs_json_array_end(w);
    cs_json_object_end(w);
    add_throughput(w, described);
    cs_json_object_end(w);
}

struct names {
    const char *items[ATTRIBUTES_MAX];
    size_t count;
};

static void note_name(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return;
    if (names->count < ATTRIBUTES_MAX)
        names->items[names->count++] = name;
}

static void add_attributes(struct cs_json_writer *w, const struct names *names)
{
    cs_json_key(w, "AttributeDefinitions");
    cs_json_array(w);
    for (size_t i = 0; i < names->count; i++) {
        cs_json_object(w);
        cs_json_member_cstr(w, "AttributeName", names->items[i]);
        cs_json_member_cstr(w, "AttributeType", "S");
        cs_json_object_end(w);
    }
    cs_json_array_end(w);
}

static void write_create(struct cs_buf *body, const struct cs_dynamodb_table *table)
{
    struct cs_json_writer w;
    struct names names = {.count = 0};

    note_name(&names, table->hash);
    for (size_t i = 0; i < table->index_count; i++) {
        note_name(&names, table->indexes[i].hash);
        note_name(&names, table->indexes[i].range);
    }
    cs_json_writer_init(&w, body);
    cs_json_object(&w);
    cs_json_member_str(&w, "TableName", table->name);
    cs_json_member_cstr(&w, "BillingMode", "PAY_PER_REQUEST");
    add_attributes(&w, &names);
    add_key(&w, table->hash, NULL);
    if (table->index_count > 0) {
        cs_json_key(&w, "GlobalSecondaryIndexes");
        cs_json_array(&w);
        for (size_t i = 0; i < table->index_count; i++)
            add_index(&w, &table->indexes[i], NULL);
        cs_json_array_end(&w);
    }
    cs_json_object_end(&w);
}

static void write_add_index(struct cs_buf *body, const struct cs_dynamodb_table *table,
                            const struct cs_dynamodb_index *index,
                            const struct cs_json *described)
{
    struct cs_json_writer w;
    struct names names = {.count = 0};

    note_name(&names, table->hash);
    note_name(&names, index->hash);
    note_name(&names, index->range);
    cs_json_writer_init(&w, body);
    cs_json_object(&w);
    cs_json_member_str(&w, "TableName", table->name);
    add_attributes(&w, &names);
    cs_json_key(&w, "GlobalSecondaryIndexUpdates");
    cs_json_array(&w);
    cs_json_object(&w);
    cs_json_key(&w, "Create");
    add_index(&w, index, described);
    cs_json_object_end(&w);
    cs_json_array_end(&w);
    cs_json_object_end(&w);
}

/* ---- the state of things ---- */

/* A call that names the table and nothing else. */
static enum cs_code ask(struct cs_dynamodb *db, const char *operation,
                        struct cs_view table, struct cs_json **out,
                        struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(BODY_MAX);
    struct cs_json_writer w;
    enum cs_code rc;

    *out = NULL;
    cs_json_writer_init(&w, &body);
    cs_json_object(&w);
    cs_json_member_str(&w, "TableName", table);
    cs_json_object_end(&w);
    if ((rc = cs_buf_check(&body, err)) == CS_OK)
        rc = cs_dynamodb_call(db, operation, table, cs_buf_view(&body), out, deadline,
                              err);
    cs_buf_clear(&body);
    return rc;
}

struct task {
    struct cs_dynamodb *db;
    const struct cs_dynamodb_table *table;
    struct cs_buf *report;
    struct cs_deadline deadline;
    struct cs_buf body;
    bool found; /* set by check_usable() */
};

/* *out NULL: there is no such table. */
static enum cs_code describe(const struct task *task, struct cs_json **out,
                             struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc =
        ask(task->db, "DescribeTable", task->table->name, out, task->deadline, &why);

    if (rc == CS_ENOTFOUND)
        return CS_OK;
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}

static const struct cs_json *find_index(const struct cs_json *table, const char *name)
{
    const struct cs_json *indexes = cs_json_get(table, "GlobalSecondaryIndexes");

    for (size_t i = 0; i < cs_json_length(indexes); i++) {
        const struct cs_json *index = cs_json_at(indexes, i);

        if (cs_view_eq_cstr(cs_json_get_string(index, "IndexName"), name))
            return index;
    }
    return NULL;
}

static bool has_key(const struct cs_json *described, const char *hash, const char *range)
{
    const struct cs_json *schema = cs_json_get(described, "KeySchema");
    bool hashed = false;
    size_t ranges = 0;
    bool ranged = false;

    for (size_t i = 0; i < cs_json_length(schema); i++) {
        const struct cs_json *key = cs_json_at(schema, i);
        struct cs_view name = cs_json_get_string(key, "AttributeName");

        if (cs_view_eq(cs_json_get_string(key, "KeyType"), CS_LIT("HASH"))) {
            hashed = cs_view_eq_cstr(name, hash);
        } else {
            ranges++;
            ranged = range != NULL && cs_view_eq_cstr(name, range);
        }
    }
    return hashed && (range == NULL ? ranges == 0 : ranged);
}

static bool is_active(const struct cs_json *described, const char *member)
{
    return cs_view_eq(cs_json_get_string(described, member), CS_LIT("ACTIVE"));
}

static bool is_settled(const struct cs_json *table)
{
    const struct cs_json *indexes = cs_json_get(table, "GlobalSecondaryIndexes");

    for (size_t i = 0; i < cs_json_length(indexes); i++)
        if (!is_active(cs_json_at(indexes, i), "IndexStatus"))
            return false;
    return is_active(table, "TableStatus");
}

static enum cs_code check_keys(const struct cs_dynamodb_table *table,
                               const struct cs_json *described, struct cs_err *err)
{
    if (!has_key(described, table->hash, NULL))
        return cs_err_set(
            err, CS_ECONFLICT,
            "the table %.*s exists with another key than %s: name another one",
            CS_FMT(table->name), table->hash);
    for (size_t i = 0; i < table->index_count; i++) {
        const struct cs_dynamodb_index *wanted = &table->indexes[i];
        const struct cs_json *index = find_index(described, wanted->name);

        if (index != NULL && !has_key(index, wanted->hash, wanted->range))
            return cs_err_set(err, CS_ECONFLICT,
                              "the index %s of table %.*s has another key than %s and %s",
                              wanted->name, CS_FMT(table->name), wanted->hash,
                              wanted->range);
    }
    return CS_OK;
}

/* ---- steps ---- */

/* Somebody else doing the same thing first, or right now, is as good: the next look at
 * the table shows how far it got. */
static bool is_being_done(const struct cs_aws_error *error)
{
    return cs_aws_error_is(error, "ResourceInUseException") ||
           /* one index at a time */
           cs_aws_error_is(error, "LimitExceededException") ||
           (cs_aws_error_is(error, "ValidationException") &&
            cs_view_find(cs_aws_error_text(error, CS_AWS_ERROR_MESSAGE),
                         CS_LIT("already exists")) != SIZE_MAX);
}

static enum cs_code change(struct task *task, const char *operation, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = cs_buf_check(&task->body, &why);

    if (rc == CS_OK)
        rc = cs_dynamodb_call(task->db, operation, task->table->name,
                              cs_buf_view(&task->body), NULL, task->deadline, &why);
    if (rc == CS_OK || is_being_done(cs_dynamodb_error(task->db)))
        return CS_OK;
    cs_err_hand_on(err, &why);
    return rc;
}

static enum cs_code create(struct task *task, struct cs_err *err)
{
    cs_buf_add_fmt(task->report, "DynamoDB table %.*s created\n",
                   CS_FMT(task->table->name));
    cs_buf_reset(&task->body);
    write_create(&task->body, task->table);
    return change(task, "CreateTable", err);
}

/* One index at a time, as the service wants it; *added_out false: none is missing. */
static enum cs_code add_missing(struct task *task, const struct cs_json *described,
                                bool *added_out, struct cs_err *err)
{
    *added_out = false;
    for (size_t i = 0; i < task->table->index_count; i++) {
        const struct cs_dynamodb_index *index = &task->table->indexes[i];

        if (find_index(described, index->name) != NULL)
            continue;
        *added_out = true;
        cs_buf_add_fmt(task->report, "DynamoDB index %s of table %.*s added\n",
                       index->name, CS_FMT(task->table->name));
        cs_buf_reset(&task->body);
        write_add_index(&task->body, task->table, index, described);
        return change(task, "UpdateTable", err);
    }
    return CS_OK;
}

static enum cs_code step(struct task *task, bool *done_out, struct cs_err *err)
{
    const struct cs_json *described;
    struct cs_json *answer = NULL;
    bool added;
    enum cs_code rc;

    *done_out = false;
    if ((rc = describe(task, &answer, err)) != CS_OK)
        return rc;
    described = cs_json_get(answer, "Table");
    if (answer == NULL)
        rc = create(task, err);
    else if ((rc = check_keys(task->table, described, err)) == CS_OK &&
             is_settled(described)) {
        rc = add_missing(task, described, &added, err);
        *done_out = !added;
    }
    cs_json_free(answer);
    return rc;
}

/* Takes steps until one says that all is done. */
static enum cs_code run(struct task *task,
                        enum cs_code (*take)(struct task *task, bool *done_out,
                                             struct cs_err *err),
                        struct cs_err *err)
{
    int wait_ms = POLL_MS / 10; /* local stand-ins are done at once */
    bool done = false;
    enum cs_code rc;

    while ((rc = take(task, &done, err)) == CS_OK && !done) {
        if (cs_deadline_left_ms(task->deadline) <= wait_ms) {
            rc = cs_err_set(err, CS_EBUSY,
                            "the table %.*s is still being made: try again in a while",
                            CS_FMT(task->table->name));
            if (err != NULL && err->retry_after_s == 0)
                err->retry_after_s = RETRY_AFTER_S;
            break;
        }
        (void)poll(NULL, 0, wait_ms);
        wait_ms = POLL_MS;
    }
    cs_buf_clear(&task->body);
    return rc;
}

/* ---- expiry ---- */

/* Whether the call's failure means that the table keeps the expiry that it has: it is
 * on already, by this attribute or another one, somebody has just changed it, or a
 * stand-in for the service has none. */
static bool keeps_its_expiry(const struct cs_aws_error *error)
{
    struct cs_view message = cs_aws_error_text(error, CS_AWS_ERROR_MESSAGE);

    return cs_aws_error_is(error, "UnknownOperationException") || is_being_done(error) ||
           (cs_aws_error_is(error, "ValidationException") &&
            (cs_view_find(message, CS_LIT("TimeToLive")) != SIZE_MAX ||
             cs_view_find(message, CS_LIT("Time to live")) != SIZE_MAX));
}

static enum cs_code switch_expiry_on(struct cs_dynamodb *db,
                                     const struct cs_dynamodb_table *table,
                                     struct cs_buf *report, struct cs_deadline deadline,
                                     struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(BODY_MAX);
    struct cs_err why = CS_ERR_NONE;
    struct cs_json_writer w;
    enum cs_code rc;

    cs_json_writer_init(&w, &body);
    cs_json_object(&w);
    cs_json_member_str(&w, "TableName", table->name);
    cs_json_key(&w, "TimeToLiveSpecification");
    cs_json_object(&w);
    cs_json_member_cstr(&w, "AttributeName", table->expiry);
    cs_json_member_bool(&w, "Enabled", true);
    cs_json_object_end(&w);
    cs_json_object_end(&w);
    if ((rc = cs_buf_check(&body, &why)) == CS_OK)
        rc = cs_dynamodb_call(db, "UpdateTimeToLive", table->name, cs_buf_view(&body),
                              NULL, deadline, &why);
    cs_buf_clear(&body);
    if (rc == CS_OK)
        cs_buf_add_fmt(report, "DynamoDB table %.*s lets items expire by %s\n",
                       CS_FMT(table->name), table->expiry);
    else if (why.code != CS_ENOMEM && keeps_its_expiry(cs_dynamodb_error(db)))
        return CS_OK;
    else
        cs_err_hand_on(err, &why);
    return rc;
}

enum cs_code cs_dynamodb_ensure(struct cs_dynamodb *db,
                                const struct cs_dynamodb_table *table,
                                struct cs_buf *report, struct cs_deadline deadline,
                                struct cs_err *err)
{
    struct task task = {.db = db,
                        .table = table,
                        .report = report,
                        .deadline = deadline,
                        .body = CS_BUF_INIT(BODY_MAX)};
    size_t said = report->len;
    enum cs_code rc = run(&task, step, err);

    if (rc == CS_OK && table->expiry != NULL)
        rc = switch_expiry_on(db, table, report, deadline, err);
    if (rc == CS_OK && report->len == said)
        cs_buf_add_fmt(report, "DynamoDB table %.*s is there\n", CS_FMT(table->name));
    return rc;
}

/* A table whose indexes are still filled can be read and written. */
static bool is_usable(const struct cs_json *table)
{
    return is_active(table, "TableStatus") ||
           cs_view_eq(cs_json_get_string(table, "TableStatus"), CS_LIT("UPDATING"));
}

static enum cs_code check_usable(struct task *task, bool *done_out, struct cs_err *err)
{
    struct cs_json *answer;
    enum cs_code rc;

    *done_out = false;
    if ((rc = describe(task, &answer, err)) != CS_OK)
        return rc;
    task->found = answer != NULL;
    *done_out = !task->found || is_usable(cs_json_get(answer, "Table"));
    cs_json_free(answer);
    return CS_OK;
}

enum cs_code cs_dynamodb_find(struct cs_dynamodb *db, struct cs_view name,
                              bool *found_out, struct cs_deadline deadline,
                              struct cs_err *err)
{
    const struct cs_dynamodb_table table = {.name = name};
    struct task task = {
        .db = db, .table = &table, .deadline = deadline, .body = CS_BUF_INIT(BODY_MAX)};
    enum cs_code rc = run(&task, check_usable, err);

    *found_out = task.found;
    return rc;
}

/* ---- looking ---- */

static bool shows(const struct cs_json *index, const char *attribute)
{
    const struct cs_json *names =
        cs_json_get(cs_json_get(index, "Projection"), "NonKeyAttributes");

    for (size_t i = 0; i < cs_json_length(names); i++)
        if (cs_view_eq_cstr(cs_json_string(cs_json_at(names, i)), attribute))
            return true;
    return false;
}

static bool shows_all(const struct cs_json *index, const struct cs_dynamodb_index *wanted)
{
    struct cs_view kind =
        cs_json_get_string(cs_json_get(index, "Projection"), "ProjectionType");

    if (cs_view_eq(kind, CS_LIT("ALL")))
        return true;
    for (const char *const *name = wanted->include; *name != NULL; name++)
        if (!shows(index, *name))
            return false;
    return true;
}

static void look_at(const struct cs_dynamodb_table *table,
                    const struct cs_json *described, struct cs_dynamodb_look *out)
{
    out->keyed = has_key(described, table->hash, NULL);
    out->active = is_active(described, "TableStatus");
    for (size_t i = 0; i < table->index_count && i < CS_DYNAMODB_INDEXES_MAX; i++) {
        const struct cs_dynamodb_index *wanted = &table->indexes[i];
        const struct cs_json *index = find_index(described, wanted->name);

        out->indexes[i].there = index != NULL;
        out->indexes[i].keyed = has_key(index, wanted->hash, wanted->range);
        out->indexes[i].active = is_active(index, "IndexStatus");
        out->indexes[i].shows_all = shows_all(index, wanted);
    }
}

enum cs_code cs_dynamodb_look(struct cs_dynamodb *db,
                              const struct cs_dynamodb_table *table,
                              struct cs_dynamodb_look *out, struct cs_deadline deadline,
                              struct cs_err *err)
{
    struct cs_json *answer;
    enum cs_code rc;

    memset(out, 0, sizeof(*out));
    rc = ask(db, "DescribeTable", table->name, &answer, deadline, err);
    if (rc == CS_OK)
        look_at(table, cs_json_get(answer, "Table"), out);
    cs_json_free(answer);
    return rc;
}

enum cs_code cs_dynamodb_look_expiry(struct cs_dynamodb *db, struct cs_view table,
                                     struct cs_buf *attribute_out,
                                     struct cs_deadline deadline, struct cs_err *err)
{
    const struct cs_json *expiry;
    struct cs_json *answer;
    enum cs_code rc;

    rc = ask(db, "DescribeTimeToLive", table, &answer, deadline, err);
    expiry = cs_json_get(answer, "TimeToLiveDescription");
    if (cs_view_eq(cs_json_get_string(expiry, "TimeToLiveStatus"), CS_LIT("ENABLED")))
        cs_buf_add(attribute_out, cs_json_get_string(expiry, "AttributeName"));
    cs_json_free(answer);
    return rc == CS_OK ? cs_buf_check(attribute_out, err) : rc;
}
