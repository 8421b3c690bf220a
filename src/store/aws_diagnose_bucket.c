#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/aws_diagnose.h"

/* No campaign's objects are here: those are below "campaigns/". */
#define PREFIX "doctor/"

#define BODY_MAX  65536u
#define NAMES_MAX 32u

static const char body_text[] = "campaignctl doctor wrote this and takes it away again\n";

static void add_prefix(struct cs_buf *out, const struct cs_aws_diagnosis *d)
{
    cs_buf_add_fmt(out, PREFIX "%s/", d->id);
}

static enum cs_code make_key(struct cs_buf *out, const struct cs_aws_diagnosis *d,
                             const char *name, struct cs_err *err)
{
    add_prefix(out, d);
    cs_buf_add_cstr(out, name);
    return cs_buf_check(out, err);
}

/* ---- the bucket ---- */

static bool ignore_entry(void *payload, const struct cs_s3_entry *entry)
{
    (void)payload;
    (void)entry;
    return true;
}

/* A list and not HeadBucket, whose answers can't carry an error's code. */
static enum cs_code find_bucket(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    enum cs_code rc = cs_s3_list(d->store->s3, CS_S3_LIST_OBJECTS, CS_LIT(PREFIX),
                                 ignore_entry, NULL, d->deadline, err);

    if (rc == CS_OK)
        cs_buf_add_fmt(&d->text, "%s answers", d->store->bucket);
    return rc;
}

static enum cs_code check_region(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct cs_view found = cs_s3_region(d->store->s3);

    if (cs_view_eq_cstr(found, d->store->bucket_region)) {
        cs_buf_add(&d->text, found);
        return CS_OK;
    }
    cs_buf_add_fmt(&d->fix,
                   "set S3_BUCKET_REGION=%.*s: until then the first call of each worker "
                   "goes the wrong way",
                   CS_FMT(found));
    return cs_err_set(err, CS_ECONFLICT,
                      "the bucket is in %.*s, and by the settings in %s", CS_FMT(found),
                      d->store->bucket_region);
}

static enum cs_code check_versioning(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    bool wanted = cs_aws_store_bucket(d->store).versioning;
    bool enabled;
    enum cs_code rc;

    if ((rc = cs_s3_look_versioning(d->store->s3, &enabled, d->deadline, err)) != CS_OK)
        return rc;
    if (wanted && !enabled)
        return cs_err_set(err, CS_ECONFLICT, "versioning is off");
    cs_buf_add_cstr(&d->text, enabled ? "on" : "off, as set");
    return CS_OK;
}

static enum cs_code check_private(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    bool is_private;
    enum cs_code rc;

    if ((rc = cs_s3_look_private(d->store->s3, &is_private, d->deadline, err)) != CS_OK)
        return rc;
    if (cs_aws_store_bucket(d->store).block_public_access && !is_private)
        return cs_err_set(err, CS_ECONFLICT,
                          "the bucket does not block all public access");
    cs_buf_add_cstr(&d->text, "all public access is blocked");
    return CS_OK;
}

static enum cs_code check_encryption(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    enum cs_code rc = cs_s3_look_encryption(d->store->s3, &d->text, d->deadline, err);

    if (rc == CS_OK && d->text.len == 0)
        return cs_err_set(err, CS_ECONFLICT, "the bucket has no default encryption");
    return rc;
}

/* ---- objects ---- */

static enum cs_code put_object(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_view body = cs_view_cstr(body_text);
    char sha256[CS_SHA256_HEX_LEN + 1];
    struct cs_s3_put put = {
        .info = {.content_type = CS_LIT("text/plain"), .sha256 = sha256},
        .body = {.kind = CS_NET_BODY_BYTES, .bytes = body},
        .payload_sha256 = sha256};
    enum cs_code rc;

    if ((rc = make_key(&key, d, "put", err)) == CS_OK &&
        (rc = cs_sha256_hex_of(sha256, body, err)) == CS_OK) {
        put.info.key = cs_buf_view(&key);
        rc = cs_s3_put_many(d->store->s3, &put, 1, d->deadline, err);
    }
    d->version = put.version_out;
    cs_buf_clear(&key);
    return rc;
}

static enum cs_code check_body(struct cs_aws_diagnosis *d,
                               const struct cs_net_response *response, struct cs_err *err)
{
    struct cs_view algorithm =
        cs_net_response_header(response, "x-amz-server-side-encryption");

    (void)snprintf(d->algorithm, sizeof(d->algorithm), "%.*s", CS_FMT(algorithm));
    if (!cs_view_eq_cstr(cs_buf_view(&response->body), body_text))
        return cs_err_set(err, CS_ECONFLICT,
                          "the object came back with other bytes than were put");
    cs_buf_add_cstr(&d->text, "the bytes that were put");
    return CS_OK;
}

static enum cs_code get_body(struct cs_aws_diagnosis *d, struct cs_view version,
                             struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_s3_get get = {.version = version};
    struct cs_net_response response;
    enum cs_code rc;

    cs_net_response_init(&response, BODY_MAX);
    if ((rc = make_key(&key, d, "put", err)) == CS_OK) {
        get.key = cs_buf_view(&key);
        rc = cs_s3_get(d->store->s3, &get, &response, d->deadline, err);
    }
    if (rc == CS_OK)
        rc = check_body(d, &response, err);
    cs_net_response_clear(&response);
    cs_buf_clear(&key);
    return rc;
}

static enum cs_code get_object(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    return get_body(d, CS_LIT(""), err);
}

static enum cs_code get_version(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    if (d->version == NULL || d->version[0] == '\0')
        return cs_err_set(err, CS_EUNSUPPORTED, "the bucket keeps no versions");
    return get_body(d, cs_view_cstr(d->version), err);
}

/* Putting and getting the object has used the key; this says whether it was the one. */
static enum cs_code check_key(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    const char *key = cs_aws_store_setting(d->store, "S3_KMS_KEY_ID");

    if (key == NULL) {
        cs_buf_add_fmt(&d->text,
                       "S3_KMS_KEY_ID is not set; the object is encrypted by %s",
                       d->algorithm[0] != '\0' ? d->algorithm : "what S3 does not say");
        return CS_OK;
    }
    if (!cs_view_starts(cs_view_cstr(d->algorithm), CS_LIT("aws:kms")))
        return cs_err_set(err, CS_ECONFLICT,
                          "the object is not encrypted with the key of S3_KMS_KEY_ID");
    cs_buf_add_fmt(&d->text, "%.200s encrypts and decrypts (%s)", key, d->algorithm);
    return CS_OK;
}

static enum cs_code begin_upload(struct cs_aws_diagnosis *d, const char *name,
                                 struct cs_s3_upload **out, struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_s3_info info = {.content_type = CS_LIT("text/plain")};
    enum cs_code rc;

    *out = NULL;
    if ((rc = make_key(&key, d, name, err)) == CS_OK) {
        info.key = cs_buf_view(&key);
        rc = cs_s3_upload_begin(d->store->s3, &info, out, d->deadline, err);
    }
    cs_buf_clear(&key);
    return rc;
}

static enum cs_code put_in_parts(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    const struct cs_net_body part = {.kind = CS_NET_BODY_BYTES,
                                     .bytes = cs_view_cstr(body_text)};
    struct cs_s3_upload *upload;
    char *version = NULL;
    enum cs_code rc;

    if ((rc = begin_upload(d, "parts", &upload, err)) != CS_OK)
        return rc;
    if ((rc = cs_s3_upload_parts(upload, &part, 1, d->deadline, err)) == CS_OK)
        rc = cs_s3_upload_complete(upload, &version, d->deadline, err);
    if (rc == CS_OK)
        cs_s3_upload_free(upload);
    else
        cs_s3_upload_abort(upload, cs_deadline_in_ms(5000));
    free(version);
    return rc;
}

/* ---- lists, and taking away ---- */

struct names {
    struct cs_buf texts; /* key NUL version NUL ... */
    size_t count;
};

static bool note_name(void *payload, const struct cs_s3_entry *entry)
{
    struct names *names = payload;

    cs_buf_add(&names->texts, entry->key);
    cs_buf_add_byte(&names->texts, '\0');
    cs_buf_add(&names->texts, entry->version);
    cs_buf_add_byte(&names->texts, '\0');
    return ++names->count < NAMES_MAX;
}

static enum cs_code list(struct cs_aws_diagnosis *d, enum cs_s3_list kind,
                         struct names *out, struct cs_err *err)
{
    struct cs_buf prefix = CS_BUF_INIT(CS_STORE_KEY_MAX);
    enum cs_code rc;

    add_prefix(&prefix, d);
    if ((rc = cs_buf_check(&prefix, err)) == CS_OK)
        rc = cs_s3_list(d->store->s3, kind, cs_buf_view(&prefix), note_name, out,
                        d->deadline, err);
    cs_buf_clear(&prefix);
    return rc == CS_OK ? cs_buf_check(&out->texts, err) : rc;
}

/* The nth pair of names->texts. */
static struct cs_s3_name name_at(const struct names *names, size_t index)
{
    struct cs_view rest = cs_buf_view(&names->texts);
    struct cs_s3_name name = {.key = {NULL, 0}};

    for (size_t i = 0; i <= index; i++)
        if (!cs_view_split(&rest, '\0', &name.key) ||
            !cs_view_split(&rest, '\0', &name.version))
            break;
    return name;
}

static enum cs_code list_versions(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct names names = {CS_BUF_INIT(BODY_MAX), 0};
    enum cs_code rc = list(d, CS_S3_LIST_VERSIONS, &names, err);

    if (rc == CS_OK && names.count == 0 && (d->have & CS_NEEDS_OBJECT) != 0)
        rc = cs_err_set(err, CS_ECONFLICT,
                        "the list does not show the object that was put");
    cs_buf_clear(&names.texts);
    return rc;
}

static enum cs_code list_uploads(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct names names = {CS_BUF_INIT(BODY_MAX), 0};
    enum cs_code rc = list(d, CS_S3_LIST_UPLOADS, &names, err);

    cs_buf_clear(&names.texts);
    return rc;
}

static enum cs_code abort_upload(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_s3_upload *upload;
    enum cs_code rc;

    if ((rc = begin_upload(d, "aborted", &upload, err)) != CS_OK)
        return rc;
    if ((rc = make_key(&key, d, "aborted", err)) == CS_OK)
        rc = cs_s3_upload_drop(d->store->s3, cs_buf_view(&key), cs_s3_upload_id(upload),
                               d->deadline, err);
    cs_s3_upload_free(upload);
    cs_buf_clear(&key);
    return rc;
}

/* The newest version, which leaves a marker where the bucket keeps versions. */
static enum cs_code delete_object(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);
    enum cs_code rc;

    if ((rc = make_key(&key, d, "put", err)) == CS_OK)
        rc = cs_s3_delete(d->store->s3, cs_buf_view(&key), CS_LIT(""), d->deadline, err);
    cs_buf_clear(&key);
    return rc;
}

static enum cs_code sweep(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct names names = {CS_BUF_INIT(BODY_MAX), 0};
    struct cs_s3_name found[NAMES_MAX];
    enum cs_code rc = list(d, CS_S3_LIST_VERSIONS, &names, err);

    for (size_t i = 0; i < names.count; i++)
        found[i] = name_at(&names, i);
    if (rc == CS_OK)
        rc = cs_s3_delete_many(d->store->s3, found, names.count, d->deadline, err);
    cs_buf_clear(&names.texts);
    names.count = 0;
    if (rc == CS_OK && (rc = list(d, CS_S3_LIST_VERSIONS, &names, err)) == CS_OK &&
        names.count > 0)
        rc = cs_err_set(err, CS_ECONFLICT, "what was deleted is listed still");
    cs_buf_clear(&names.texts);
    return rc;
}

/* All versions and markers of what this run put, as a campaign's are. */
static enum cs_code delete_versions(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = sweep(d, &why);

    if (rc == CS_OK || err == NULL)
        return rc;
    *err = why;
    err->text[0] = '\0';
    (void)snprintf(err->text, sizeof(err->text),
                   "left behind s3://%.63s/" PREFIX "%s/: %.*s", d->store->bucket, d->id,
                   (int)(sizeof(err->text) - 110), why.text);
    return rc;
}

/* ---- the steps ---- */

/* clang-format off */
static const struct cs_aws_probe probes[] = {
    {.name = "bucket", .run = find_bucket, .needs = CS_NEEDS_KEYS, .loses = CS_NEEDS_BUCKET,
     .operation = "ListObjectsV2",
     .fix = "check S3_BUCKET_NAME, S3_BUCKET_REGION and AWS_ENDPOINT_URL_S3",
     .or_else = "; where the bucket is another account's, as names are shared by all, set "
                "S3_BUCKET_NAME to another name"},
    {.name = "clock against AWS", .run = cs_aws_probe_clock, .needs = CS_NEEDS_KEYS,
     .fix = "timedatectl set-ntp true; until then the first call of each worker is "
            "refused and repeated"},
    {.name = "bucket: region", .run = check_region, .needs = CS_NEEDS_KEYS | CS_NEEDS_BUCKET},
    {.name = "bucket: versioning", .run = check_versioning,
     .needs = CS_NEEDS_KEYS | CS_NEEDS_BUCKET, .operation = "GetBucketVersioning",
     .only_for = "this step",
     .fix = "campaignctl init switches it on"},
    {.name = "bucket: public access", .run = check_private,
     .needs = CS_NEEDS_KEYS | CS_NEEDS_BUCKET, .operation = "GetPublicAccessBlock",
     .only_for = "this step",
     .fix = "aws s3api put-public-access-block, or in the console: Permissions, Block public "
            "access"},
    {.name = "bucket: encryption", .run = check_encryption,
     .needs = CS_NEEDS_KEYS | CS_NEEDS_BUCKET, .operation = "GetBucketEncryption",
     .only_for = "this step",
     .fix = "aws s3api put-bucket-encryption, or in the console: Properties, Default "
            "encryption"},
    {.name = "object: put", .run = put_object, .needs = CS_NEEDS_KEYS | CS_NEEDS_BUCKET,
     .gives = CS_NEEDS_OBJECT, .operation = "PutObject", .resource = "/*"},
    {.name = "object: get", .run = get_object, .needs = CS_NEEDS_KEYS | CS_NEEDS_OBJECT,
     .operation = "GetObject", .resource = "/*", .gives = CS_NEEDS_BODY,
     .fix = "look at what stands between here and S3"},
    {.name = "KMS key", .run = check_key, .needs = CS_NEEDS_KEYS | CS_NEEDS_BODY,
     .fix = "name a key of the bucket's region; a stand-in for S3 may know no KMS"},
    {.name = "object: get a version", .run = get_version,
     .needs = CS_NEEDS_KEYS | CS_NEEDS_OBJECT, .operation = "GetObject", .resource = "/*",
     .versioned = true, .fix = "look at S3_VERSIONING"},
    {.name = "object: put in parts", .run = put_in_parts,
     .needs = CS_NEEDS_KEYS | CS_NEEDS_BUCKET, .operation = "CreateMultipartUpload",
     .resource = "/*"},
    {.name = "object: give up parts", .run = abort_upload,
     .needs = CS_NEEDS_KEYS | CS_NEEDS_BUCKET, .operation = "AbortMultipartUpload",
     .resource = "/*"},
    {.name = "bucket: list versions", .run = list_versions,
     .needs = CS_NEEDS_KEYS | CS_NEEDS_BUCKET, .operation = "ListObjectVersions"},
    {.name = "bucket: list unfinished uploads", .run = list_uploads,
     .needs = CS_NEEDS_KEYS | CS_NEEDS_BUCKET, .operation = "ListMultipartUploads"},
    {.name = "object: delete", .run = delete_object, .needs = CS_NEEDS_KEYS | CS_NEEDS_BUCKET,
     .operation = "DeleteObject", .resource = "/*"},
    {.name = "object: delete versions", .run = delete_versions,
     .needs = CS_NEEDS_KEYS | CS_NEEDS_BUCKET, .operation = "DeleteObjects",
     .resource = "/*", .versioned = true},
};
/* clang-format on */

void cs_aws_diagnose_bucket(struct cs_aws_diagnosis *d)
{
    cs_aws_probe_run(d, CS_AWS_S3, probes, CS_COUNT(probes));
}
