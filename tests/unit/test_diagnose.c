/* The diagnosis of the AWS store against a stand-in that does what it is asked, but
 * for one operation, which fails as the case says. */
#include "config.h"

#include "unit.h"

#include <signal.h>

#include "base/clock.h"
#include "fake_http.h"
#include "store/store_aws.h"

#define STEPS_MAX 64u

/* ---- services that do as they are told ---- */

struct fault {
    const char *operation; /* "*": every one */
    const char *with;      /* in head or body of the request; NULL: any */
    int status;
    const char *headers;
    const char *body;
};

struct services {
    const struct fault *fault;
    int64_t clock_offset_us;
    const char *bucket_region; /* other regions are sent there */
    bool region_in_body;       /* by 400 and not by 301 */
    struct cs_buf object;      /* of the last put */
    unsigned objects;          /* versions and markers there are */
    unsigned uploads;
    unsigned items;
};

static bool has(struct cs_view text, const char *part)
{
    return cs_view_find(text, cs_view_cstr(part)) != SIZE_MAX;
}

static const char *s3_operation(const struct fake_request *request)
{
    static const struct {
        const char *method;
        const char *query;
        const char *operation;
    } table[] = {
        {"GET", "list-type=2", "ListObjectsV2"},
        {"GET", "versioning=", "GetBucketVersioning"},
        {"GET", "publicAccessBlock=", "GetPublicAccessBlock"},
        {"GET", "encryption=", "GetBucketEncryption"},
        {"GET", "versions=", "ListObjectVersions"},
        {"GET", "uploads=", "ListMultipartUploads"},
        {"POST", "uploads=", "CreateMultipartUpload"},
        {"PUT", "partNumber=", "UploadPart"},
        {"POST", "uploadId=", "CompleteMultipartUpload"},
        {"DELETE", "uploadId=", "AbortMultipartUpload"},
        {"POST", "delete=", "DeleteObjects"},
        {"PUT", "/doctor/", "PutObject"},
        {"GET", "/doctor/", "GetObject"},
        {"DELETE", "/doctor/", "DeleteObject"},
    };

    for (size_t i = 0; i < CS_COUNT(table); i++)
        if (cs_view_eq_cstr(request->method, table[i].method) &&
            has(request->target, table[i].query))
            return table[i].operation;
    return "?";
}

static struct cs_view operation_of(const struct fake_request *request)
{
    static const struct cs_view prefix = CS_LIT_INIT("DynamoDB_20120810.");
    struct cs_view target = fake_header(request, "x-amz-target");

    if (cs_view_starts(target, prefix))
        return cs_view_from(target, prefix.len);
    if (has(request->body, "Action=GetCallerIdentity"))
        return CS_LIT("GetCallerIdentity");
    return cs_view_cstr(s3_operation(request));
}

static const char table_text[] =
    "{\"Table\":{\"TableStatus\":\"ACTIVE\",\"KeySchema\":[{\"AttributeName\":"
    "\"campaign_id\",\"KeyType\":\"HASH\"}],\"GlobalSecondaryIndexes\":["
    "{\"IndexName\":\"user_campaigns_index\",\"IndexStatus\":\"ACTIVE\",\"KeySchema\":["
    "{\"AttributeName\":\"user_id\",\"KeyType\":\"HASH\"},"
    "{\"AttributeName\":\"created_at\",\"KeyType\":\"RANGE\"}],"
    "\"Projection\":{\"ProjectionType\":\"ALL\"}},"
    "{\"IndexName\":\"status_created_index\",\"IndexStatus\":\"ACTIVE\",\"KeySchema\":["
    "{\"AttributeName\":\"status\",\"KeyType\":\"HASH\"},"
    "{\"AttributeName\":\"created_at\",\"KeyType\":\"RANGE\"}],"
    "\"Projection\":{\"ProjectionType\":\"ALL\"}}]}}";

/* Answers whose text is always the same; the rest is "{}" or nothing. */
static const struct {
    const char *operation;
    const char *body;
} good[] = {
    {"GetCallerIdentity",
     "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/probe"
     "</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"},
    {"ListObjectsV2", "<ListBucketResult></ListBucketResult>"},
    {"GetBucketVersioning", "<VersioningConfiguration><Status>Enabled</Status>"
                            "</VersioningConfiguration>"},
    {"GetPublicAccessBlock",
     "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>"
     "<IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</"
     "BlockPublicPolicy>"
     "<RestrictPublicBuckets>true</RestrictPublicBuckets>"
     "</PublicAccessBlockConfiguration>"},
    {"GetBucketEncryption",
     "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
     "<SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>"
     "</ServerSideEncryptionConfiguration>"},
    {"CreateMultipartUpload", "<InitiateMultipartUploadResult><UploadId>u1</UploadId>"
                              "</InitiateMultipartUploadResult>"},
    {"CompleteMultipartUpload", "<CompleteMultipartUploadResult/>"},
    {"ListMultipartUploads", "<ListMultipartUploadsResult></ListMultipartUploadsResult>"},
    {"DeleteObjects", "<DeleteResult></DeleteResult>"},
    {"DescribeTable", table_text},
    {"DescribeTimeToLive",
     "{\"TimeToLiveDescription\":{\"TimeToLiveStatus\":\"DISABLED\"}}"},
    {"GetItem", "{\"Item\":{\"campaign_id\":{\"S\":\"x\"}}}"},
    {"BatchGetItem", "{\"Responses\":{},\"UnprocessedKeys\":{}}"},
    {"BatchWriteItem", "{\"UnprocessedItems\":{}}"},
};

static void note(struct services *s, struct cs_view operation,
                 const struct fake_request *request)
{
    if (cs_view_eq(operation, CS_LIT("PutObject"))) {
        cs_buf_reset(&s->object);
        cs_buf_add(&s->object, request->body);
        s->objects++;
    } else if (cs_view_eq(operation, CS_LIT("CreateMultipartUpload"))) {
        s->uploads++;
    } else if (cs_view_eq(operation, CS_LIT("AbortMultipartUpload"))) {
        s->uploads--;
    } else if (cs_view_eq(operation, CS_LIT("CompleteMultipartUpload"))) {
        s->uploads--;
        s->objects++;
    } else if (cs_view_eq(operation, CS_LIT("DeleteObject"))) {
        s->objects++; /* a marker */
    } else if (cs_view_eq(operation, CS_LIT("DeleteObjects"))) {
        s->objects = 0;
    } else if (cs_view_eq(operation, CS_LIT("TransactWriteItems"))) {
        if (has(request->body, "\"Put\""))
            s->items = 2;
        else if (has(request->body, "\"Delete\""))
            s->items = 0;
    }
}

static void add_good(struct services *s, struct cs_view operation, struct cs_buf *out)
{
    for (size_t i = 0; i < CS_COUNT(good); i++)
        if (cs_view_eq_cstr(operation, good[i].operation))
            cs_buf_add_cstr(out, good[i].body);
    if (cs_view_eq(operation, CS_LIT("GetObject")))
        cs_buf_add(out, cs_buf_view(&s->object));
    if (cs_view_eq(operation, CS_LIT("ListObjectVersions"))) {
        cs_buf_add_cstr(out, "<ListVersionsResult>");
        for (unsigned i = 0; i < s->objects; i++)
            cs_buf_add_fmt(out,
                           "<Version><Key>doctor/x/%u</Key><VersionId>v%u</VersionId>"
                           "</Version>",
                           i, i);
        cs_buf_add_cstr(out, "</ListVersionsResult>");
    }
    if (out->len == 0 && !cs_view_ends(operation, CS_LIT("Object")) &&
        !cs_view_eq(operation, CS_LIT("UploadPart")))
        cs_buf_add_cstr(out, "{}");
}

static void add_headers(const struct services *s, struct cs_buf *out)
{
    char date[CS_HTTP_DATE_LEN + 1];

    cs_time_http_date(date, cs_clock_now_us() + s->clock_offset_us);
    cs_buf_add_fmt(out, "Date: %s\r\nETag: \"e\"\r\nx-amz-version-id: v9\r\n", date);
}

static int send_elsewhere(const struct services *s, struct cs_buf *headers,
                          struct cs_buf *body)
{
    if (s->region_in_body) {
        cs_buf_add_fmt(body,
                       "<Error><Code>AuthorizationHeaderMalformed</Code>"
                       "<Region>%s</Region></Error>",
                       s->bucket_region);
        return 400;
    }
    cs_buf_add_fmt(headers, "x-amz-bucket-region: %s\r\n", s->bucket_region);
    cs_buf_add_cstr(body, "<Error><Code>PermanentRedirect</Code></Error>");
    return 301;
}

static void answer(void *payload, const struct fake_request *request,
                   struct fake_reply *reply)
{
    struct services *s = payload;
    struct cs_view operation = operation_of(request);
    struct cs_buf headers = CS_BUF_INIT(65536);
    struct cs_buf body = CS_BUF_INIT(65536);
    const struct fault *fault = s->fault;
    int status = 200;

    add_headers(s, &headers);
    if (s->bucket_region != NULL && has(request->head, "/s3/aws4_request") &&
        !has(request->head, s->bucket_region)) {
        status = send_elsewhere(s, &headers, &body);
    } else if (fault != NULL &&
               (strcmp(fault->operation, "*") == 0 ||
                cs_view_eq_cstr(operation, fault->operation)) &&
               (fault->with == NULL || has(request->body, fault->with))) {
        cs_buf_add_cstr(&headers, fault->headers != NULL ? fault->headers : "");
        cs_buf_add_cstr(&body, fault->body);
        status = fault->status;
    } else {
        note(s, operation, request);
        add_good(s, operation, &body);
    }
    fake_reply_with(reply, status, cs_buf_cstr(&headers), cs_buf_view(&body));
    cs_buf_clear(&headers);
    cs_buf_clear(&body);
}

/* ---- one run ---- */

struct step {
    char *name;
    char *text;
    char *fix;
    char *missing;
    enum cs_store_aws_result result;
};

struct run {
    struct services services;
    char url[64];
    const char *access_key;
    const char *kms_key;
    struct step steps[STEPS_MAX];
    size_t count;
};

static const char *setting(const void *payload, const char *name)
{
    const struct run *run = payload;

    if (strcmp(name, "AWS_ENDPOINT_URL") == 0)
        return run->url;
    if (strcmp(name, "AWS_ACCESS_KEY_ID") == 0)
        return run->access_key;
    if (strcmp(name, "S3_KMS_KEY_ID") == 0)
        return run->kms_key;
    if (strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0)
        return run->access_key != NULL ? "test-secret" : NULL;
    if (strcmp(name, "AWS_REGION") == 0)
        return "ca-central-1";
    if (strcmp(name, "AWS_MAX_ATTEMPTS") == 0)
        return "1";
    return strcmp(name, "AWS_EC2_METADATA_DISABLED") == 0 ? "true" : NULL;
}

static void on_step(void *payload, const struct cs_store_aws_step *step)
{
    struct run *run = payload;
    struct step *kept = &run->steps[run->count++];

    assert_true(run->count < STEPS_MAX);
    kept->name = cs_view_dup(cs_view_cstr(step->name));
    kept->text = cs_view_dup(step->text);
    kept->fix = cs_view_dup(step->fix);
    kept->missing = cs_view_dup(step->missing);
    kept->result = step->result;
}

static void diagnose(struct run *run)
{
    const struct cs_store_aws_options options = {.bucket_name = "outputs",
                                                 .table_name = "campaigns",
                                                 .setting = setting,
                                                 .payload = run};
    struct fake_http *server = NULL;
    struct cs_store *store;

    cs_buf_init(&run->services.object, 65536);
    if (run->url[0] == '\0') {
        server = fake_http_new(answer, &run->services);
        assert_true(snprintf(run->url, sizeof(run->url), "http://127.0.0.1:%u",
                             fake_http_port(server)) > 0);
    }
    store = cs_store_aws_new(&options, NULL);
    assert_non_null(store);
    cs_store_aws_diagnose(store, on_step, run, cs_deadline_in_ms(60000));
    store->ops->free(store);
    if (server != NULL)
        fake_http_free(server);
    cs_buf_clear(&run->services.object);
}

static void run_clear(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        free(run->steps[i].name);
        free(run->steps[i].text);
        free(run->steps[i].fix);
        free(run->steps[i].missing);
    }
}

static const struct step *find(const struct run *run, const char *name)
{
    for (size_t i = 0; i < run->count; i++)
        if (strcmp(run->steps[i].name, name) == 0)
            return &run->steps[i];
    fail_msg("there is no step %s", name);
    return NULL;
}

static unsigned count(const struct run *run, enum cs_store_aws_result result)
{
    unsigned found = 0;

    for (size_t i = 0; i < run->count; i++)
        found += run->steps[i].result == result ? 1 : 0;
    return found;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* ---- the tests ---- */

static void test_all_is_well(void **state)
{
    struct run run = {.access_key = "AKIDEXAMPLETEST"};

    (void)state;
    diagnose(&run);
    for (size_t i = 0; i < run.count; i++)
        if (run.steps[i].result != CS_STORE_AWS_OK)
            fail_msg("%s: %s", run.steps[i].name, run.steps[i].text);
    assert_true(run.count > 25);
    assert_has(find(&run, "credentials")->text, "from environment, access key ...TEST");
    assert_has(find(&run, "identity")->text, "arn:aws:iam::1:user/probe");
    assert_has(find(&run, "clock against AWS")->text, "agrees");
    assert_int_equal(run.services.objects, 0);
    assert_int_equal(run.services.uploads, 0);
    assert_int_equal(run.services.items, 0);
    run_clear(&run);
}

#define XML_DENIED \
    "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
#define DB_ERROR(code, message)                                                        \
    "{\"__type\":\"com.amazonaws.dynamodb.v20120810#" code "\",\"message\":\"" message \
    "\"}"
#define DB_DENIED(action)             \
    DB_ERROR("AccessDeniedException", \
             "User: arn:aws:iam::1:user/u is not authorized to perform: " action)

static const char bucket_arn[] = "arn:aws:s3:::outputs";
static const char table_arn[] = "arn:aws:dynamodb:ca-central-1:*:table/campaigns";

static const struct {
    struct fault fault;
    const char *step;
    const char *action;
    const char *arn;
    const char *behind;
} denials[] = {
    {{"ListObjectsV2", NULL, 403, NULL, XML_DENIED},
     "bucket",
     "s3:ListBucket",
     bucket_arn,
     ""},
    {{"GetBucketVersioning", NULL, 403, NULL, XML_DENIED},
     "bucket: versioning",
     "s3:GetBucketVersioning",
     bucket_arn,
     ""},
    {{"GetPublicAccessBlock", NULL, 403, NULL, XML_DENIED},
     "bucket: public access",
     "s3:GetBucketPublicAccessBlock",
     bucket_arn,
     ""},
    {{"GetBucketEncryption", NULL, 403, NULL, XML_DENIED},
     "bucket: encryption",
     "s3:GetEncryptionConfiguration",
     bucket_arn,
     ""},
    {{"PutObject", NULL, 403, NULL, XML_DENIED},
     "object: put",
     "s3:PutObject",
     bucket_arn,
     "/*"},
    {{"GetObject", NULL, 403, NULL, XML_DENIED},
     "object: get",
     "s3:GetObject",
     bucket_arn,
     "/*"},
    {{"CreateMultipartUpload", NULL, 403, NULL, XML_DENIED},
     "object: put in parts",
     "s3:PutObject",
     bucket_arn,
     "/*"},
    {{"UploadPart", NULL, 403, NULL, XML_DENIED},
     "object: put in parts",
     "s3:PutObject",
     bucket_arn,
     "/*"},
    {{"AbortMultipartUpload", NULL, 403, NULL, XML_DENIED},
     "object: give up parts",
     "s3:AbortMultipartUpload",
     bucket_arn,
     "/*"},
    {{"ListObjectVersions", NULL, 403, NULL, XML_DENIED},
     "bucket: list versions",
     "s3:ListBucketVersions",
     bucket_arn,
     ""},
    {{"ListMultipartUploads", NULL, 403, NULL, XML_DENIED},
     "bucket: list unfinished uploads",
     "s3:ListBucketMultipartUploads",
     bucket_arn,
     ""},
    {{"DeleteObject", NULL, 403, NULL, XML_DENIED},
     "object: delete",
     "s3:DeleteObject",
     bucket_arn,
     "/*"},
    {{"DeleteObjects", NULL, 403, NULL, XML_DENIED},
     "object: delete versions",
     "s3:DeleteObjectVersion",
     bucket_arn,
     "/*"},
    {{"DeleteObjects", NULL, 200, NULL,
      "<DeleteResult><Error><Key>doctor/x/0</Key><Code>AccessDenied</Code></Error>"
      "</DeleteResult>"},
     "object: delete versions",
     "s3:DeleteObjectVersion",
     bucket_arn,
     "/*"},
    {{"DescribeTable", NULL, 400, NULL, DB_DENIED("dynamodb:DescribeTable")},
     "table",
     "dynamodb:DescribeTable",
     table_arn,
     ""},
    {{"DescribeTimeToLive", NULL, 400, NULL, DB_DENIED("dynamodb:DescribeTimeToLive")},
     "table: expiry",
     "dynamodb:DescribeTimeToLive",
     table_arn,
     ""},
    {{"TransactWriteItems", "\"Put\"", 400, NULL, DB_DENIED("dynamodb:PutItem")},
     "item: put",
     "dynamodb:PutItem",
     table_arn,
     ""},
    {{"TransactWriteItems", "\"Update\"", 400, NULL, DB_DENIED("dynamodb:UpdateItem")},
     "item: update",
     "dynamodb:UpdateItem",
     table_arn,
     ""},
    {{"TransactWriteItems", "\"Delete\"", 400, NULL, DB_DENIED("dynamodb:DeleteItem")},
     "item: delete",
     "dynamodb:DeleteItem",
     table_arn,
     ""},
    {{"GetItem", NULL, 400, NULL, DB_ERROR("AccessDeniedException", "no")},
     "item: get",
     "dynamodb:GetItem",
     table_arn,
     ""},
    {{"BatchGetItem", NULL, 400, NULL, DB_DENIED("dynamodb:BatchGetItem")},
     "item: get in a batch",
     "dynamodb:BatchGetItem",
     table_arn,
     ""},
    {{"BatchWriteItem", NULL, 400, NULL, DB_DENIED("dynamodb:BatchWriteItem")},
     "item: write in a batch",
     "dynamodb:BatchWriteItem",
     table_arn,
     ""},
    {{"Query", "user_campaigns_index", 400, NULL, DB_DENIED("dynamodb:Query")},
     "query: user_campaigns_index",
     "dynamodb:Query",
     table_arn,
     "/index/user_campaigns_index"},
    {{"Query", "status_created_index", 400, NULL, DB_DENIED("dynamodb:Query")},
     "query: status_created_index",
     "dynamodb:Query",
     table_arn,
     "/index/status_created_index"},
    {{"Scan", NULL, 400, NULL, DB_DENIED("dynamodb:Scan")},
     "scan",
     "dynamodb:Scan",
     table_arn,
     ""},
};

/* What the service can do without: its denial is no failure. */
static bool is_spared(const char *step)
{
    static const char *const steps[] = {
        "bucket: versioning", "bucket: public access",       "bucket: encryption",
        "table: expiry",      "query: status_created_index", "scan"};

    for (size_t i = 0; i < CS_COUNT(steps); i++)
        if (strcmp(steps[i], step) == 0)
            return true;
    return false;
}

static void assert_told(const struct step *step, const char *missing)
{
    assert_string_equal(step->missing, missing);
    if (is_spared(step->name)) {
        assert_int_equal(step->result, CS_STORE_AWS_SKIPPED);
        assert_has(step->text, missing);
        assert_has(step->text, "campaignctl policy --for=operator");
        return;
    }
    assert_int_equal(step->result, CS_STORE_AWS_FAILED);
    assert_has(step->fix, missing);
    assert_has(step->fix, "for arn:aws:iam::1:user/probe");
    assert_has(step->fix, "campaignctl policy");
}

/* A denial of each operation: the step that fails, and the permission it names. Every
 * other step is tried nevertheless. */
static void test_denials(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_COUNT(denials); i++) {
        struct run run = {.access_key = "AKIDEXAMPLE",
                          .services.fault = &denials[i].fault};
        const struct step *step;
        char missing[256];

        diagnose(&run);
        step = find(&run, denials[i].step);
        assert_true(snprintf(missing, sizeof(missing), "%s on %s%s", denials[i].action,
                             denials[i].arn, denials[i].behind) > 0);
        assert_told(step, missing);
        /* what stands on the step may be skipped, nothing else */
        assert_true(count(&run, CS_STORE_AWS_SKIPPED) <= 3);
        if (strstr(denials[i].step, "delete") == NULL &&
            strcmp(denials[i].action, "s3:ListBucketVersions") != 0)
            assert_int_equal(run.services.objects, 0);
        if (strcmp(denials[i].step, "object: delete versions") == 0)
            assert_has(step->text, "left behind s3://outputs/doctor/");
        if (strcmp(denials[i].step, "item: delete") == 0)
            assert_has(step->text, "left behind #store/doctor/");
        else
            assert_int_equal(run.services.items, 0);
        if (strcmp(denials[i].step, "object: give up parts") != 0)
            assert_int_equal(run.services.uploads, 0);
        run_clear(&run);
    }
}

static const struct {
    struct fault fault;
    const char *step;
    enum cs_store_aws_result result;
    const char *text; /* of a failure its fix, else its text */
    const char *then; /* this one is skipped, or NULL */
} faults[] = {
    {{"ListObjectsV2", NULL, 404, NULL, "<Error><Code>NoSuchBucket</Code></Error>"},
     "bucket",
     CS_STORE_AWS_FAILED,
     "campaignctl init makes the bucket",
     "object: put"},
    {{"GetBucketVersioning", NULL, 200, NULL, "<VersioningConfiguration/>"},
     "bucket: versioning",
     CS_STORE_AWS_FAILED,
     "campaignctl init switches it on",
     NULL},
    {{"GetPublicAccessBlock", NULL, 404, NULL,
      "<Error><Code>NoSuchPublicAccessBlockConfiguration</Code></Error>"},
     "bucket: public access",
     CS_STORE_AWS_FAILED,
     "put-public-access-block",
     NULL},
    {{"GetPublicAccessBlock", NULL, 501, NULL,
      "<Error><Code>NotImplemented</Code></Error>"},
     "bucket: public access",
     CS_STORE_AWS_SKIPPED,
     "NotImplemented",
     NULL},
    {{"GetBucketEncryption", NULL, 404, NULL,
      "<Error><Code>ServerSideEncryptionConfigurationNotFoundError</Code></Error>"},
     "bucket: encryption",
     CS_STORE_AWS_FAILED,
     "put-bucket-encryption",
     NULL},
    {{"PutObject", NULL, 400, NULL, "<Error><Code>KMS.DisabledException</Code></Error>"},
     "object: put",
     CS_STORE_AWS_FAILED,
     "the key is disabled",
     "object: get"},
    {{"PutObject", NULL, 400, NULL, "<Error><Code>KMS.NotFoundException</Code></Error>"},
     "object: put",
     CS_STORE_AWS_FAILED,
     "check S3_KMS_KEY_ID",
     "object: get"},
    {{"GetObject", NULL, 200, NULL, "something else"},
     "object: get",
     CS_STORE_AWS_FAILED,
     "what stands between here and S3",
     NULL},
    {{"GetCallerIdentity", NULL, 500, NULL, ""},
     "identity",
     CS_STORE_AWS_SKIPPED,
     "STS does not say",
     NULL},
    {{"GetCallerIdentity", NULL, 403, NULL,
      "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"},
     "identity",
     CS_STORE_AWS_SKIPPED,
     "STS does not say",
     NULL},
    {{"*", NULL, 403, NULL, "<Error><Code>ExpiredToken</Code></Error>"},
     "identity",
     CS_STORE_AWS_FAILED,
     "the credentials have expired",
     "bucket"},
    {{"*", NULL, 403, NULL, "<Error><Code>InvalidClientTokenId</Code></Error>"},
     "identity",
     CS_STORE_AWS_FAILED,
     "check AWS_ACCESS_KEY_ID",
     "scan"},
    {{"ListObjectsV2", NULL, 403, NULL,
      "<Error><Code>SignatureDoesNotMatch</Code></Error>"},
     "bucket",
     CS_STORE_AWS_FAILED,
     "check AWS_SECRET_ACCESS_KEY",
     "table"},
    {{"DescribeTable", NULL, 400, NULL, DB_ERROR("ResourceNotFoundException", "no")},
     "table",
     CS_STORE_AWS_FAILED,
     "campaignctl init makes the table",
     "item: put"},
    {{"DescribeTable", NULL, 500, NULL, "{}"},
     "table",
     CS_STORE_AWS_FAILED,
     "the service itself failed",
     "item: put"},
    {{"DescribeTable", NULL, 400, NULL, DB_ERROR("ExpiredTokenException", "no")},
     "table",
     CS_STORE_AWS_FAILED,
     "the credentials have expired",
     "item: put"},
    {{"DescribeTable", NULL, 200, NULL,
      "{\"Table\":{\"TableStatus\":\"ACTIVE\",\"KeySchema\":[{\"AttributeName\":"
      "\"id\","
      "\"KeyType\":\"HASH\"}]}}"},
     "table",
     CS_STORE_AWS_FAILED,
     "name another table",
     "item: put"},
    {{"DescribeTable", NULL, 200, NULL,
      "{\"Table\":{\"TableStatus\":\"CREATING\",\"KeySchema\":[{\"AttributeName\":"
      "\"campaign_id\",\"KeyType\":\"HASH\"}]}}"},
     "table",
     CS_STORE_AWS_FAILED,
     "wait until the table is made",
     "item: put"},
    {{"DescribeTable", NULL, 200, NULL,
      "{\"Table\":{\"TableStatus\":\"ACTIVE\",\"KeySchema\":[{\"AttributeName\":"
      "\"campaign_id\",\"KeyType\":\"HASH\"}]}}"},
     "table: index user_campaigns_index",
     CS_STORE_AWS_FAILED,
     "campaignctl init adds it",
     NULL},
    {{"DescribeTable", NULL, 200, NULL,
      "{\"Table\":{\"TableStatus\":\"ACTIVE\",\"KeySchema\":[{\"AttributeName\":"
      "\"campaign_id\",\"KeyType\":\"HASH\"}],\"GlobalSecondaryIndexes\":[{"
      "\"IndexName\":\"status_created_index\",\"IndexStatus\":\"CREATING\"}]}}"},
     "table: index status_created_index",
     CS_STORE_AWS_FAILED,
     "wait until it is filled",
     NULL},
    {{"DescribeTable", NULL, 200, NULL,
      "{\"Table\":{\"TableStatus\":\"ACTIVE\",\"KeySchema\":[{\"AttributeName\":"
      "\"campaign_id\",\"KeyType\":\"HASH\"}],\"GlobalSecondaryIndexes\":[{"
      "\"IndexName\":\"user_campaigns_index\",\"IndexStatus\":\"ACTIVE\","
      "\"KeySchema\":["
      "{\"AttributeName\":\"user_id\",\"KeyType\":\"HASH\"},{\"AttributeName\":"
      "\"created_at\",\"KeyType\":\"RANGE\"}],"
      "\"Projection\":{\"ProjectionType\":\"KEYS_ONLY\"}}]}}"},
     "table: index user_campaigns_index",
     CS_STORE_AWS_FAILED,
     "delete the index",
     NULL},
    {{"Query", NULL, 400, NULL,
      DB_ERROR("ProvisionedThroughputExceededException", "slow")},
     "query: user_campaigns_index",
     CS_STORE_AWS_FAILED,
     "switch it to on-demand",
     NULL},
};

static void test_other_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_COUNT(faults); i++) {
        struct run run = {.access_key = "AKIDEXAMPLE",
                          .services.fault = &faults[i].fault};
        const struct step *step;

        diagnose(&run);
        step = find(&run, faults[i].step);
        assert_int_equal(step->result, faults[i].result);
        assert_has(faults[i].result == CS_STORE_AWS_FAILED ? step->fix : step->text,
                   faults[i].text);
        assert_string_equal(step->missing, "");
        if (faults[i].then != NULL) {
            assert_int_equal(find(&run, faults[i].then)->result, CS_STORE_AWS_SKIPPED);
            assert_true(find(&run, faults[i].then)->text[0] != '\0');
        }
        assert_int_equal(run.services.objects, 0);
        assert_int_equal(run.services.items, 0);
        run_clear(&run);
    }
}

static void test_wrong_region(void **state)
{
    (void)state;
    for (int in_body = 0; in_body < 2; in_body++) {
        struct run run = {.access_key = "AKIDEXAMPLE",
                          .services.bucket_region = "eu-west-1",
                          .services.region_in_body = in_body != 0};
        const struct step *step;

        diagnose(&run);
        step = find(&run, "bucket: region");
        assert_int_equal(step->result, CS_STORE_AWS_FAILED);
        assert_has(step->text, "in eu-west-1");
        assert_has(step->fix, "set S3_BUCKET_REGION=eu-west-1");
        assert_int_equal(count(&run, CS_STORE_AWS_FAILED), 1);
        assert_int_equal(count(&run, CS_STORE_AWS_SKIPPED), 0);
        run_clear(&run);
    }
}

static void test_skewed_clock(void **state)
{
    struct run run = {.access_key = "AKIDEXAMPLE",
                      .services.clock_offset_us = -600 * CS_SECOND_US};
    const struct step *step;

    (void)state;
    diagnose(&run);
    step = find(&run, "clock against AWS");
    assert_int_equal(step->result, CS_STORE_AWS_FAILED);
    assert_has(step->text, "s ahead of the service's");
    assert_has(step->fix, "timedatectl set-ntp true");
    assert_int_equal(count(&run, CS_STORE_AWS_FAILED), 1);
    run_clear(&run);
}

static void test_kms(void **state)
{
    static const char key[] = "arn:aws:kms:ca-central-1:1:key/k";
    static const struct fault denied = {
        "PutObject", NULL, 403, NULL,
        "<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/u is not "
        "authorized to perform: kms:GenerateDataKey on resource: "
        "\"arn:aws:kms:ca-central-1:1:key/k\" because no identity-based policy allows "
        "it</Message></Error>"};
    struct run run = {
        .access_key = "AKIDEXAMPLE", .kms_key = key, .services.fault = &denied};
    struct run plain = {.access_key = "AKIDEXAMPLE", .kms_key = key};

    (void)state;
    diagnose(&run);
    assert_string_equal(find(&run, "object: put")->missing,
                        "kms:GenerateDataKey on arn:aws:kms:ca-central-1:1:key/k");
    run_clear(&run);
    /* a server that takes the key's name and does not encrypt with it */
    diagnose(&plain);
    assert_int_equal(find(&plain, "KMS key")->result, CS_STORE_AWS_FAILED);
    assert_has(find(&plain, "KMS key")->text, "not encrypted with the key");
    run_clear(&plain);
}

static void test_nothing_to_start_from(void **state)
{
    struct run keyless = {.access_key = NULL};
    struct run alone = {.access_key = "AKIDEXAMPLE", .url = "http://127.0.0.1:1"};

    (void)state;
    diagnose(&keyless);
    assert_int_equal(find(&keyless, "credentials")->result, CS_STORE_AWS_FAILED);
    assert_has(find(&keyless, "credentials")->fix, "set AWS_ACCESS_KEY_ID");
    assert_int_equal(count(&keyless, CS_STORE_AWS_FAILED), 1);
    assert_int_equal(count(&keyless, CS_STORE_AWS_OK), 0);
    run_clear(&keyless);

    diagnose(&alone);
    assert_int_equal(find(&alone, "identity")->result, CS_STORE_AWS_SKIPPED);
    assert_has(find(&alone, "bucket")->fix, "AWS_ENDPOINT_URL");
    assert_has(find(&alone, "table")->fix, "AWS_ENDPOINT_URL");
    assert_int_equal(find(&alone, "clock against AWS")->result, CS_STORE_AWS_SKIPPED);
    assert_int_equal(count(&alone, CS_STORE_AWS_FAILED), 2);
    run_clear(&alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_well),           cmocka_unit_test(test_denials),
        cmocka_unit_test(test_other_faults),          cmocka_unit_test(test_wrong_region),
        cmocka_unit_test(test_skewed_clock),          cmocka_unit_test(test_kms),
        cmocka_unit_test(test_nothing_to_start_from),
    };

    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
