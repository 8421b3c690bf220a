#include "config.h"

#include "aws/retry.h"

#include "base/clock.h"

#define DAY_S 86400u

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

bool cs_retry_is_throttling(int status, struct cs_view code)
{
    return status == 429 ||
           cs_view_is_among(code, throttling_codes, CS_COUNT(throttling_codes));
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
        return cs_view_is_among(code, transient_codes, CS_COUNT(transient_codes));
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

int64_t cs_retry_after_us(struct cs_view header, int64_t now_us)
{
    uint64_t seconds;
    int64_t at_us;

    if (cs_view_to_u64(header, &seconds))
        return (int64_t)(seconds < DAY_S ? seconds : DAY_S) * CS_SECOND_US;
    if (cs_time_parse_http_date(&at_us, header) && at_us > now_us)
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
