#include "config.h"

#include <stdlib.h>

#include "aws/caller.h"
#include "aws/operations.h"
#include "base/encoding.h"
#include "store/aws_diagnose.h"

#define STEP_MS        10000
#define IDENTITY_MS    5000
#define CLOCK_LIMIT_US (60 * CS_SECOND_US) /* services refuse from 5 minutes on */
#define TEXT_MAX       4096u

/* ---- what an error means ---- */

enum fault { FAULT_OTHER, FAULT_KEYS };

static const struct {
    const char *code;
    enum fault fault;
    const char *fix;
} known[] = {
    {"ExpiredToken", FAULT_KEYS,
     "the credentials have expired: get new ones, or use a profile or role that renews "
     "them by itself"},
    {"ExpiredTokenException", FAULT_KEYS,
     "the credentials have expired: get new ones, or use a profile or role that renews "
     "them by itself"},
    {"InvalidAccessKeyId", FAULT_KEYS,
     "AWS knows no such access key: check AWS_ACCESS_KEY_ID, and AWS_SESSION_TOKEN for a "
     "temporary one"},
    {"InvalidClientTokenId", FAULT_KEYS,
     "AWS knows no such access key: check AWS_ACCESS_KEY_ID, and AWS_SESSION_TOKEN for a "
     "temporary one"},
    {"UnrecognizedClientException", FAULT_KEYS,
     "AWS knows no such access key: check AWS_ACCESS_KEY_ID, and AWS_SESSION_TOKEN for a "
     "temporary one"},
    {"InvalidToken", FAULT_KEYS,
     "the session token does not belong to the access key: check AWS_SESSION_TOKEN"},
    {"SignatureDoesNotMatch", FAULT_KEYS,
     "the secret does not belong to the access key: check AWS_SECRET_ACCESS_KEY"},
    {"InvalidSignatureException", FAULT_KEYS,
     "the secret does not belong to the access key: check AWS_SECRET_ACCESS_KEY"},
    {"credentials_profile_missing", FAULT_KEYS,
     "check AWS_PROFILE; the files are AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, "
     "or ~/.aws/config and ~/.aws/credentials of the user that the program runs as"},
    {"credentials_profile_empty", FAULT_KEYS,
     "give the profile aws_access_key_id and aws_secret_access_key, or a role_arn with "
     "source_profile"},
    {"credentials_profile_unsupported", FAULT_KEYS,
     "aws configure export-credentials --format env-no-export --profile NAME prints "
     "settings that serve until the login ends; a server is better given a role"},
    {"credentials_source_missing", FAULT_KEYS,
     "name a profile that has keys as source_profile, or say credential_source = "
     "Ec2InstanceMetadata, EcsContainer or Environment"},
    {"RequestTimeTooSkewed", FAULT_OTHER, "set the clock: timedatectl set-ntp true"},
    {"NoSuchBucket", FAULT_OTHER,
     "campaignctl init makes the bucket; or check S3_BUCKET_NAME and S3_BUCKET_REGION"},
    {"PermanentRedirect", FAULT_OTHER, "set S3_BUCKET_REGION to the bucket's region"},
    {"AuthorizationHeaderMalformed", FAULT_OTHER,
     "set S3_BUCKET_REGION to the bucket's region"},
    {"IllegalLocationConstraintException", FAULT_OTHER,
     "set S3_BUCKET_REGION to the bucket's region"},
    {"ResourceNotFoundException", FAULT_OTHER,
     "campaignctl init makes the table; or check DYNAMODB_TABLE_NAME and the region "
     "(DYNAMODB_REGION, else AWS_REGION)"},
    {"KMS.NotFoundException", FAULT_OTHER,
     "there is no such key in the bucket's region: check S3_KMS_KEY_ID"},
    {"KMS.DisabledException", FAULT_OTHER,
     "the key is disabled: enable it in KMS, or name another in S3_KMS_KEY_ID"},
    {"KMS.KMSInvalidStateException", FAULT_OTHER,
     "the key can't be used as it is (perhaps it is to be deleted): look at it in KMS, "
     "or "
     "name another in S3_KMS_KEY_ID"},
    {"SlowDown", FAULT_OTHER, "the service is overloaded or throttles: try again later"},
    {"ThrottlingException", FAULT_OTHER,
     "the service is overloaded or throttles: try again later"},
    {"ProvisionedThroughputExceededException", FAULT_OTHER,
     "the table's capacity is used up: switch it to on-demand, or give it more"},
};

static const char unreachable_fix[] =
    "check region and AWS_ENDPOINT_URL settings, name resolution, the way out of this "
    "network (AWS_PROXY), and AWS_CA_BUNDLE for an authority of your own";

static const char service_fix[] =
    "the service itself failed: try again; where it lasts, check region and "
    "AWS_ENDPOINT_URL settings, and AWS's status page";

static bool is_key_fault(const struct cs_err *why)
{
    for (size_t i = 0; i < CS_COUNT(known); i++)
        if (strcmp(known[i].code, why->reason) == 0)
            return known[i].fault == FAULT_KEYS;
    return why->code == CS_EUNAUTH;
}

static bool is_unreachable(const struct cs_err *why)
{
    return why->upstream_status == 0 &&
           (why->code == CS_EUPSTREAM || why->code == CS_ETIMEOUT);
}

/* ---- the permission that lacks ---- */

/* The word behind a phrase of the message, without quotes and the final stop. */
static struct cs_view word_behind(struct cs_view message, struct cs_view phrase)
{
    size_t at = cs_view_find(message, phrase);
    struct cs_view word;

    if (at == SIZE_MAX)
        return cs_view_of("", 0);
    word = cs_view_from(message, at + phrase.len);
    word = cs_view_sub(word, 0, cs_view_find_byte(word, ' '));
    while (word.len > 0 && (word.ptr[0] == '"' || word.ptr[0] == '\''))
        word = cs_view_from(word, 1);
    while (word.len > 0 &&
           (word.ptr[word.len - 1] == '"' || word.ptr[word.len - 1] == '\'' ||
            word.ptr[word.len - 1] == '.'))
        word.len--;
    return word;
}

static void add_table_actions(struct cs_aws_diagnosis *d,
                              const struct cs_aws_probe *probe)
{
    const struct cs_aws_operation *operation =
        probe->operation != NULL ? cs_aws_operation_find(d->service, probe->operation)
                                 : NULL;

    if (probe->action != NULL) {
        cs_buf_add_cstr(&d->missing, probe->action);
        return;
    }
    if (operation != NULL)
        cs_aws_operation_add_actions(&d->missing, operation, probe->versioned);
}

/* What the service names goes before what the table says: it knows of keys of KMS,
 * and which part of a transaction it was. */
static void name_missing(struct cs_aws_diagnosis *d, const struct cs_aws_probe *probe,
                         const struct cs_err *why)
{
    struct cs_view message = cs_view_cstr(why->text);
    struct cs_view action =
        word_behind(message, CS_LIT("is not authorized to perform: "));
    struct cs_view resource = word_behind(message, CS_LIT(" on resource: "));

    if (cs_view_starts(action, CS_LIT("kms:")) || d->service == CS_AWS_STS) {
        cs_buf_add(&d->missing, action);
        if (cs_view_starts(resource, CS_LIT("arn:")))
            cs_buf_add_fmt(&d->missing, " on %.*s", CS_FMT(resource));
        return;
    }
    if (action.len > 0 && cs_view_find_byte(action, ':') != SIZE_MAX &&
        probe->action == NULL)
        cs_buf_add(&d->missing, action);
    else
        add_table_actions(d, probe);
    if (d->missing.len == 0)
        return;
    cs_buf_add(&d->missing, CS_LIT(" on "));
    cs_aws_store_add_arn(&d->missing, d->store, d->service, "*");
    cs_buf_add_cstr(&d->missing, probe->resource != NULL ? probe->resource : "");
}

static void explain_denial(struct cs_aws_diagnosis *d, const struct cs_aws_probe *probe,
                           const struct cs_err *why)
{
    bool forbidden = strstr(why->text, "explicit deny") != NULL;

    name_missing(d, probe, why);
    if (d->missing.len == 0)
        cs_buf_add_cstr(&d->fix, "allow it in the policy");
    else
        cs_buf_add_fmt(
            &d->fix, forbidden ? "a policy denies %s: take the denial away" : "allow %s",
            cs_buf_cstr(&d->missing));
    if (d->caller.len > 0)
        cs_buf_add_fmt(&d->fix, " for %s", cs_buf_cstr(&d->caller));
    cs_buf_add_cstr(&d->fix, "; campaignctl policy prints all that is needed");
    if (probe->or_else != NULL)
        cs_buf_add_cstr(&d->fix, probe->or_else);
}

static void explain(struct cs_aws_diagnosis *d, const struct cs_aws_probe *probe,
                    const struct cs_err *why)
{
    for (size_t i = 0; i < CS_COUNT(known); i++) {
        if (strcmp(known[i].code, why->reason) == 0) {
            cs_buf_add_cstr(&d->fix, known[i].fix);
            return;
        }
    }
    if (why->code == CS_EDENIED)
        explain_denial(d, probe, why);
    else if (is_unreachable(why))
        cs_buf_add_cstr(&d->fix, unreachable_fix);
    else if (why->upstream_status >= 500)
        cs_buf_add_cstr(&d->fix, service_fix);
    else
        cs_buf_add_cstr(&d->fix, probe->fix != NULL ? probe->fix : "see the log");
}

/* ---- running ---- */

static void tell(struct cs_aws_diagnosis *d, const struct cs_aws_probe *probe,
                 enum cs_store_aws_result result, struct cs_view text)
{
    const struct cs_store_aws_step step = {.name = probe->name,
                                           .result = result,
                                           .text = text,
                                           .fix = cs_buf_view(&d->fix),
                                           .missing = cs_buf_view(&d->missing)};

    d->tell(d->payload, &step);
}

static const char *why_not(unsigned lacking)
{
    static const char *const reasons[CS_NEEDS_COUNT] = {
        "there are no credentials that AWS takes",
        "the bucket does not answer",
        "no probe object was written",
        "the probe object was not read",
        "the table does not answer",
        "no probe item was written",
    };

    for (unsigned i = 0; i < CS_NEEDS_COUNT; i++)
        if ((lacking & (1u << i)) != 0)
            return reasons[i];
    return "";
}

/* The service can do without: its policy allows no more than it needs. */
static void skip_denied(struct cs_aws_diagnosis *d, const struct cs_aws_probe *probe,
                        const struct cs_err *why)
{
    name_missing(d, probe, why);
    cs_buf_add_fmt(&d->text,
                   "not allowed, and needed by %s alone: that takes %s "
                   "(campaignctl policy --for=operator)",
                   probe->only_for, cs_buf_cstr(&d->missing));
    tell(d, probe, CS_STORE_AWS_SKIPPED, cs_buf_view(&d->text));
}

static void fail(struct cs_aws_diagnosis *d, const struct cs_aws_probe *probe,
                 const struct cs_err *why)
{
    if (d->fix.len == 0)
        explain(d, probe, why);
    tell(d, probe, CS_STORE_AWS_FAILED,
         cs_view_cstr(*why->text != '\0' ? why->text : cs_code_name(why->code)));
    if (is_key_fault(why))
        d->have &= ~(unsigned)CS_NEEDS_KEYS;
    if (why->code != CS_EDENIED)
        d->have &= ~probe->loses;
}

static void run_one(struct cs_aws_diagnosis *d, const struct cs_aws_probe *probe)
{
    struct cs_err why = CS_ERR_NONE;
    unsigned lacking = probe->needs & ~d->have;
    enum cs_code rc;

    cs_buf_reset(&d->text);
    cs_buf_reset(&d->fix);
    cs_buf_reset(&d->missing);
    if (lacking != 0) {
        tell(d, probe, CS_STORE_AWS_SKIPPED, cs_view_cstr(why_not(lacking)));
        return;
    }
    d->deadline = cs_deadline_in_ms(STEP_MS);
    if (d->deadline.at_us > d->end.at_us)
        d->deadline = d->end;
    rc = probe->run(d, &why);
    if (rc == CS_OK) {
        d->have |= probe->gives;
        tell(d, probe, CS_STORE_AWS_OK, cs_buf_view(&d->text));
    } else if (rc == CS_EUNSUPPORTED) {
        tell(d, probe, CS_STORE_AWS_SKIPPED, cs_view_cstr(why.text));
    } else if (rc == CS_EDENIED && probe->only_for != NULL) {
        skip_denied(d, probe, &why);
    } else {
        fail(d, probe, &why);
    }
}

void cs_aws_probe_run(struct cs_aws_diagnosis *d, enum cs_aws_service service,
                      const struct cs_aws_probe *probes, size_t count)
{
    d->service = service;
    for (size_t i = 0; i < count; i++)
        run_one(d, &probes[i]);
}

/* ---- who ---- */

static enum cs_code find_keys(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    char end[CS_TIME_TEXT_LEN + 1];
    struct cs_aws_keys keys;
    enum cs_code rc;

    if ((rc = cs_aws_store_open(d->store, err)) != CS_OK ||
        (rc = cs_aws_check_credentials(d->store->aws, d->deadline, &keys, err)) != CS_OK)
        return rc;
    cs_buf_add_fmt(&d->text, "from %s, access key ", keys.source);
    if (keys.access_key_id.len > 8)
        cs_buf_add_fmt(
            &d->text, "...%.*s",
            CS_FMT(cs_view_from(keys.access_key_id, keys.access_key_id.len - 4)));
    else
        cs_buf_add_cstr(&d->text, "of a short name");
    if (keys.expires_at_us != 0) {
        cs_time_text(end, keys.expires_at_us);
        cs_buf_add_fmt(&d->text, ", until %s", end);
    }
    return CS_OK;
}

/* Where STS is asked; NULL where the services are not AWS's own and no stand-in for
 * STS is named: whose keys those are is nothing to ask AWS about. */
static bool sts_url(const struct cs_aws_store *store, struct cs_view *url_out)
{
    const char *url = cs_aws_store_setting(store, "AWS_ENDPOINT_URL_STS");

    if (url == NULL)
        url = cs_aws_store_setting(store, "AWS_ENDPOINT_URL");
    *url_out = cs_view_cstr(url);
    return url != NULL ||
           (cs_aws_store_setting(store, "AWS_ENDPOINT_URL_S3") == NULL &&
            cs_aws_store_setting(store, "AWS_ENDPOINT_URL_DYNAMODB") == NULL);
}

/* Knowing it helps, and is not needed: a network may have no way to STS. */
static enum cs_code find_identity(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct cs_deadline deadline = cs_deadline_in_ms(IDENTITY_MS);
    struct cs_err why = CS_ERR_NONE;
    struct cs_aws_endpoint_options place = {
        .region = cs_view_cstr(d->store->table_region),
        .dual_stack = cs_aws_store_flag(d->store, "AWS_USE_DUALSTACK_ENDPOINT", false),
        .fips = cs_aws_store_flag(d->store, "AWS_USE_FIPS_ENDPOINT", false)};
    enum cs_code rc;

    if (!sts_url(d->store, &place.url))
        return cs_err_set(err, CS_EUNSUPPORTED,
                          "not asked: the endpoints are not those of AWS");
    rc = cs_aws_caller(d->store->aws, &place, &d->caller, deadline, &why);
    if (rc == CS_OK) {
        cs_buf_add(&d->text, cs_buf_view(&d->caller));
        return CS_OK;
    }
    cs_buf_reset(&d->caller);
    if (!is_key_fault(&why))
        return cs_err_set(err, CS_EUNSUPPORTED, "STS does not say: %.200s", why.text);
    *err = why;
    return rc;
}

static const struct cs_aws_probe identity[] = {
    {.name = "credentials",
     .run = find_keys,
     .gives = CS_NEEDS_KEYS,
     .fix =
         "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this "
         "machine a role"},
    {.name = "identity",
     .run = find_identity,
     .needs = CS_NEEDS_KEYS,
     .operation = "GetCallerIdentity"},
};

/* ---- the clock ---- */

enum cs_code cs_aws_probe_clock(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    int64_t offset_us;
    int64_t off_s;

    if (!cs_s3_clock_offset(d->store->s3, &offset_us))
        return cs_err_set(err, CS_EUNSUPPORTED, "no service told the time");
    off_s = (offset_us < 0 ? -offset_us : offset_us) / CS_SECOND_US;
    if (off_s > CLOCK_LIMIT_US / CS_SECOND_US)
        return cs_err_set(err, CS_ECONFLICT,
                          "the clock of this machine is %lld s %s the service's",
                          (long long)off_s, offset_us > 0 ? "behind" : "ahead of");
    if (off_s <= 1)
        cs_buf_add_cstr(&d->text, "agrees with the service's");
    else
        cs_buf_add_fmt(&d->text, "%lld s %s the service's", (long long)off_s,
                       offset_us > 0 ? "behind" : "ahead of");
    return CS_OK;
}

/* ---- all ---- */

static void make_id(char out[CS_PROBE_ID_LEN + 1])
{
    uint8_t bytes[CS_PROBE_ID_LEN / 2];

    /* a name that is not random is still nobody else's but another doctor's */
    if (cs_random_bytes(bytes, sizeof(bytes), NULL) != CS_OK)
        memset(bytes, 0, sizeof(bytes));
    cs_hex_encode(out, bytes, sizeof(bytes));
}

void cs_store_aws_diagnose(struct cs_store *store, cs_store_aws_step_fn *tell_step,
                           void *payload, struct cs_deadline deadline)
{
    struct cs_aws_diagnosis d = {.store = cs_aws_store_of(store),
                                 .tell = tell_step,
                                 .payload = payload,
                                 .end = deadline,
                                 .have = CS_NEEDS_BUCKET | CS_NEEDS_TABLE,
                                 .caller = CS_BUF_INIT(TEXT_MAX),
                                 .text = CS_BUF_INIT(TEXT_MAX),
                                 .fix = CS_BUF_INIT(TEXT_MAX),
                                 .missing = CS_BUF_INIT(TEXT_MAX)};

    make_id(d.id);
    cs_aws_probe_run(&d, CS_AWS_STS, identity, CS_COUNT(identity));
    cs_aws_diagnose_bucket(&d);
    cs_aws_diagnose_table(&d);
    free(d.version);
    cs_buf_clear(&d.caller);
    cs_buf_clear(&d.text);
    cs_buf_clear(&d.fix);
    cs_buf_clear(&d.missing);
}
