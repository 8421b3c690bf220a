/* aws/retry.h: the SDKs' "standard" retry mode, pure: random numbers and time come
 * in. Classes of errors, exponential back-off with full jitter and a cap, and a
 * bucket of tokens that keeps a client from adding load to a service in trouble.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Retry behavior". */
#ifndef CS_AWS_RETRY_H
#define CS_AWS_RETRY_H

#include "base/buf.h"

struct cs_retry_policy {
    unsigned max_attempts; /* the first one included */
    int64_t base_us;       /* upper bound of the first wait */
    int64_t cap_us;        /* and of any */
};

#define CS_RETRY_STANDARD \
    ((struct cs_retry_policy){.max_attempts = 3, .base_us = 1000000, .cap_us = 20000000})

/* Whether an answer says "too many requests". */
bool cs_retry_is_throttling(int status, struct cs_view code);

/* Whether an answer, or its absence (status 0), may be a passing fault. */
bool cs_retry_is_transient(int status, struct cs_view code);

/* random in [0, 1]; attempt counted from 1, the one that has just failed. */
int64_t cs_retry_backoff_us(const struct cs_retry_policy *policy, unsigned attempt,
                            double random);

/* Seconds (more than a day's count as a day's), or an HTTP date (RFC 9110 section
 * 10.2.3), as microseconds from now_us; 0 for none, a past one and anything else. */
int64_t cs_retry_after_us(struct cs_view header, int64_t now_us);

/* ---- tokens ---- */

#define CS_RETRY_CAPACITY     500
#define CS_RETRY_COST         5
#define CS_RETRY_COST_TIMEOUT 10
#define CS_RETRY_REWARD       1 /* for a call that needed no retry */

struct cs_retry_bucket {
    int capacity;
    int left;
};

/* Takes tokens, or nothing when there are too few (false). */
bool cs_retry_take(struct cs_retry_bucket *bucket, int cost);
/* Gives some back, up to the capacity. */
void cs_retry_give(struct cs_retry_bucket *bucket, int tokens);

#endif
