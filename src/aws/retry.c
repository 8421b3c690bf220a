#include "config.h"

#include "aws/retry.h"

#include "base/clock.h"

static const struct cs_view throttling_codes[] = {
    CS_LIT_INIT("Throttling"),
    CS_LIT_INIT("ThrottlingException"),
    CS_LIT_INIT("ThrottledException"),
    CS_LIT_INIT("RequestThrottledException"),
    CS_LIT_INIT("RequestThrottled"),
    CS_LIT_INIT("TooManyRequestsException"),
    CS_LIT_INIT("ProvisionedThroughputExceededException"),
    CS_LIT_INIT("TransactionInProgressException"),
    CS_LIT_INIT("RequestLimitExceeded"),
    CS_LIT_INIT("BandwidthLimitExceeded"),
    CS_LIT_INIT("LimitExceededException"),
    CS_LIT_INIT("SlowDown"),
    CS_LIT_INIT("PriorRequestNotComplete"),
    CS_LIT_INIT("EC2ThrottledException"),
};

static const struct cs_view transient_codes[] = {
    CS_LIT_INIT("RequestTimeout"),          CS_LIT_INIT("RequestTimeoutException"),
    CS_LIT_INIT("PriorRequestNotComplete"), CS_LIT_INIT("InternalError"),
    CS_LIT_INIT("InternalServerError"),     CS_LIT_INIT("ServiceUnavailable"),
    CS_LIT_INIT("IDPCommunicationError"),
};

static bool is_among(struct cs_view code, const struct cs_view *codes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cs_view_eq(code, codes[i]))
            return true;
    return false;
}

bool cs_retry_is_throttling(int status, struct cs_view code)
{
    return status == 429 || is_among(code, throttling_codes, CS_COUNT(throttling_codes));
}

bool cs_retry_is_transient(int status, struct cs_view code)
{
    switch (status) {
    case 0:
    case 500:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        return is_among(code, transient_codes, CS_COUNT(transient_codes));
    }
}

int64_t cs_retry_backoff_us(const struct cs_retry_policy *policy, unsigned attempt,
                            double random)
{
    int64_t bound = policy->base_us;

    for (unsigned i = 1; i < attempt && bound < policy->cap_us; i++)
        bound *= 2;
    if (bound > policy->cap_us)
        bound = policy->cap_us;
    return (int64_t)(random * (double)bound);
}

static const char *const months = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that is sent today. */
static bool read_http_date(struct cs_view text, int64_t *time_us_out)
{
    char iso[] = "YYYY-MM-DDThh:mm:ssZ";
    size_t month;

    if (text.len != CS_HTTP_DATE_LEN || !cs_view_ends(text, CS_LIT(" GMT")))
        return false;
    month = cs_view_find(cs_view_cstr(months), cs_view_sub(text, 8, 3));
    if (month == SIZE_MAX || month % 3 != 0)
        return false;
    month = month / 3 + 1;
    memcpy(iso, text.ptr + 12, 4);
    iso[5] = (char)('0' + month / 10);
    iso[6] = (char)('0' + month % 10);
    memcpy(iso + 8, text.ptr + 5, 2);
    memcpy(iso + 11, text.ptr + 17, 8);
    return cs_time_parse(time_us_out, cs_view_cstr(iso), NULL) == CS_OK;
}

int64_t cs_retry_after_us(struct cs_view header, int64_t now_us)
{
    uint64_t seconds;
    int64_t at_us;

    if (cs_view_to_u64(header, &seconds))
        return seconds > 86400 ? 86400 * CS_SECOND_US : (int64_t)seconds * CS_SECOND_US;
    if (read_http_date(header, &at_us) && at_us > now_us)
        return at_us - now_us;
    return 0;
}

bool cs_retry_take(struct cs_retry_bucket *bucket, int cost)
{
    if (cost > bucket->left)
        return false;
    bucket->left -= cost;
    return true;
}

void cs_retry_give(struct cs_retry_bucket *bucket, int tokens)
{
    bucket->left = tokens > bucket->capacity - bucket->left ? bucket->capacity
                                                            : bucket->left + tokens;
}
