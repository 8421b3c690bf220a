#include "config.h"

#include <stdlib.h>

#include "aws/operations.h"
#include "store/aws_internal.h"

#define ARN_MAX     2048u
#define ACTIONS_MAX 32u /* of one statement */

void cs_aws_store_add_arn(struct cs_buf *out, const struct cs_aws_store *store,
                          enum cs_aws_service service, const char *account)
{
    bool s3 = service == CS_AWS_S3;
    struct cs_view region = cs_view_cstr(s3 ? store->bucket_region : store->table_region);

    cs_buf_add_cstr(out, "arn:");
    cs_buf_add(out, cs_aws_partition(region));
    if (s3)
        cs_buf_add_fmt(out, ":s3:::%s", store->bucket);
    else
        cs_buf_add_fmt(out, ":dynamodb:%.*s:%s:table/%s", CS_FMT(region), account,
                       store->table);
}

/* ---- actions ---- */

struct actions {
    const char *names[ACTIONS_MAX];
    size_t count;
};

static int compare_names(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;

    return strcmp(*left, *right);
}

static void add_name(struct actions *actions, const char *name)
{
    for (size_t i = 0; i < actions->count; i++)
        if (strcmp(actions->names[i], name) == 0)
            return;
    if (actions->count < ACTIONS_MAX)
        actions->names[actions->count++] = name;
}

static void add_names(struct actions *actions, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count && names[i] != NULL; i++)
        add_name(actions, names[i]);
}

/* Every action of a purpose. */
static struct actions actions_for(enum cs_aws_purpose purpose)
{
    struct actions actions = {.count = 0};
    const struct cs_aws_operation *all;
    size_t count;

    all = cs_aws_operations(&count);
    for (size_t i = 0; i < count; i++) {
        if (all[i].purpose != purpose)
            continue;
        add_names(&actions, all[i].actions, CS_AWS_ACTIONS_MAX);
        add_names(&actions, &all[i].with_version, 1);
    }
    return actions;
}

/* Every action on the key that encrypts objects. */
static struct actions key_actions(void)
{
    struct actions actions = {.count = 0};
    const struct cs_aws_operation *all;
    size_t count;

    all = cs_aws_operations(&count);
    for (size_t i = 0; i < count; i++)
        add_names(&actions, all[i].with_key, CS_COUNT(all[i].with_key));
    return actions;
}

/* ---- statements ---- */

struct policy {
    struct cs_buf *out;
    const struct cs_aws_store *store;
    const char *account;
    bool begun;
};

static void add_list(struct cs_buf *out, const char *name, const char *const *texts,
                     size_t count)
{
    cs_buf_add_fmt(out, ",\n      \"%s\": [", name);
    for (size_t i = 0; i < count; i++) {
        cs_buf_add_cstr(out, i > 0 ? ",\n        " : "\n        ");
        cs_json_quote(out, cs_view_cstr(texts[i]));
    }
    cs_buf_add_cstr(out, "\n      ]");
}

/* What can't be written whole is not to be written at all. */
static void carry_failure(struct policy *p, const struct cs_buf *part)
{
    if (part->failed != CS_OK)
        p->out->failed = part->failed;
}

/* condition: JSON text, or NULL. */
static void add_statement(struct policy *p, const char *sid, struct actions *actions,
                          const char *const *resources, size_t count,
                          const char *condition)
{
    qsort(actions->names, actions->count, sizeof(actions->names[0]), compare_names);
    cs_buf_add_cstr(p->out, p->begun ? ",\n    {" : "\n    {");
    p->begun = true;
    cs_buf_add_fmt(p->out, "\n      \"Sid\": \"%s\",\n      \"Effect\": \"Allow\"", sid);
    add_list(p->out, "Action", actions->names, actions->count);
    add_list(p->out, "Resource", resources, count);
    if (condition != NULL)
        cs_buf_add_fmt(p->out, ",\n      \"Condition\": %s", condition);
    cs_buf_add_cstr(p->out, "\n    }");
}

/* One purpose, on the bucket's or table's ARN with something behind. */
static void add_purpose(struct policy *p, const char *sid, enum cs_aws_purpose purpose,
                        enum cs_aws_service service, const char *behind)
{
    struct cs_buf arn = CS_BUF_INIT(ARN_MAX);
    struct actions actions = actions_for(purpose);
    const char *resource;

    cs_aws_store_add_arn(&arn, p->store, service, p->account);
    cs_buf_add_cstr(&arn, behind);
    resource = cs_buf_cstr(&arn);
    add_statement(p, sid, &actions, &resource, 1, NULL);
    carry_failure(p, &arn);
    cs_buf_clear(&arn);
}

/* The service lists the campaigns of one user at a time. */
static void add_indexes(struct policy *p, bool by_status)
{
    const struct cs_dynamodb_table table = cs_aws_store_table(p->store);
    struct cs_buf arns = CS_BUF_INIT(CS_DYNAMODB_INDEXES_MAX * ARN_MAX);
    struct actions actions = actions_for(CS_AWS_FOR_INDEXES);
    const char *resources[CS_DYNAMODB_INDEXES_MAX];
    size_t starts[CS_DYNAMODB_INDEXES_MAX];
    size_t count = 0;

    for (size_t i = 0; i < table.index_count && i < CS_DYNAMODB_INDEXES_MAX; i++) {
        if (!by_status && strcmp(table.indexes[i].name, CS_AWS_STATUS_INDEX) == 0)
            continue;
        starts[count++] = arns.len;
        cs_aws_store_add_arn(&arns, p->store, CS_AWS_DYNAMODB, p->account);
        cs_buf_add_fmt(&arns, "/index/%s", table.indexes[i].name);
        cs_buf_add_byte(&arns, '\0');
    }
    for (size_t i = 0; i < count; i++)
        resources[i] = arns.failed == CS_OK ? arns.ptr + starts[i] : "";
    add_statement(p, "QueryIndexes", &actions, resources, count, NULL);
    carry_failure(p, &arns);
    cs_buf_clear(&arns);
}

/* The key by its ARN where the setting has it; an alias allows no key by itself, so
 * that any key of that alias is meant. */
static void add_key(struct policy *p, const char *key)
{
    struct cs_view region = cs_view_cstr(p->store->bucket_region);
    struct cs_view partition = cs_aws_partition(region);
    struct cs_view name = cs_view_cstr(key);
    size_t alias_at = cs_view_find(name, CS_LIT("alias/"));
    struct cs_buf arn = CS_BUF_INIT(ARN_MAX);
    struct cs_buf condition = CS_BUF_INIT(ARN_MAX);
    struct actions actions = key_actions();
    const char *resource;

    if (alias_at == SIZE_MAX && cs_view_starts(name, CS_LIT("arn:")))
        cs_buf_add(&arn, name);
    else
        cs_buf_add_fmt(&arn, "arn:%.*s:kms:%.*s:%s:key/%s", CS_FMT(partition),
                       CS_FMT(region), p->account, alias_at == SIZE_MAX ? key : "*");
    cs_buf_add_fmt(&condition,
                   "{\"StringEquals\": {\"kms:ViaService\": "
                   "\"s3.%.*s.amazonaws.com%s\"}",
                   CS_FMT(region), cs_view_eq(partition, CS_LIT("aws-cn")) ? ".cn" : "");
    if (alias_at != SIZE_MAX) {
        cs_buf_add_cstr(&condition,
                        ", \"ForAnyValue:StringEquals\": {\"kms:ResourceAliases\": ");
        cs_json_quote(&condition, cs_view_from(name, alias_at));
        cs_buf_add_byte(&condition, '}');
    }
    cs_buf_add_byte(&condition, '}');
    resource = cs_buf_cstr(&arn);
    add_statement(p, "EncryptObjects", &actions, &resource, 1, cs_buf_cstr(&condition));
    carry_failure(p, &arn);
    carry_failure(p, &condition);
    cs_buf_clear(&arn);
    cs_buf_clear(&condition);
}

enum cs_code cs_store_aws_policy(struct cs_store *store,
                                 const struct cs_store_aws_grants *grants,
                                 struct cs_buf *out, struct cs_err *err)
{
    struct cs_aws_store *aws = cs_aws_store_of(store);
    const char *key = cs_aws_store_setting(aws, "S3_KMS_KEY_ID");
    struct policy p = {.out = out,
                       .store = aws,
                       .account = grants->account != NULL ? grants->account : "*"};

    cs_buf_add_cstr(out, "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [");
    add_purpose(&p, "ReadAndWriteObjects", CS_AWS_FOR_OBJECTS, CS_AWS_S3, "/*");
    add_purpose(&p, "ListObjects", CS_AWS_FOR_LISTS, CS_AWS_S3, "");
    if (grants->create) {
        add_purpose(&p, "MakeBucket", CS_AWS_FOR_NEW_BUCKET, CS_AWS_S3, "");
        if (cs_aws_store_bucket(aws).versioning)
            add_purpose(&p, "KeepVersions", CS_AWS_FOR_VERSIONING, CS_AWS_S3, "");
        if (cs_aws_store_setting(aws, "S3_BUCKET_TAGS") != NULL)
            add_purpose(&p, "TagBucket", CS_AWS_FOR_BUCKET_TAGS, CS_AWS_S3, "");
    }
    if (key != NULL)
        add_key(&p, key);
    add_purpose(&p, "ReadAndWriteItems", CS_AWS_FOR_ITEMS, CS_AWS_DYNAMODB, "");
    add_indexes(&p, grants->operate);
    add_purpose(&p, "SeeTable", CS_AWS_FOR_TABLE_STATE, CS_AWS_DYNAMODB, "");
    if (grants->create)
        add_purpose(&p, "MakeTable", CS_AWS_FOR_NEW_TABLE, CS_AWS_DYNAMODB, "");
    if (grants->operate) {
        add_purpose(&p, "GoThroughItems", CS_AWS_FOR_ALL_ITEMS, CS_AWS_DYNAMODB, "");
        add_purpose(&p, "DoctorBucket", CS_AWS_FOR_BUCKET_LOOK, CS_AWS_S3, "");
        add_purpose(&p, "DoctorTable", CS_AWS_FOR_TABLE_LOOK, CS_AWS_DYNAMODB, "");
    }
    cs_buf_add_cstr(out, "\n  ]\n}");
    return cs_buf_check(out, err);
}
