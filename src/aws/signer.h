/* aws/signer.h: a signing context: the stages of aws/sigv4.h put together, with
 * derived keys kept per day, region, service and secret, and what the URLs presigned
 * within one second have in common. Pure in the same sense: the time comes in. After
 * its first requests it allocates nothing. */
#ifndef CS_AWS_SIGNER_H
#define CS_AWS_SIGNER_H

#include "aws/sigv4.h"

struct cs_signer;

/* NULL when out of memory. The keys in it are wiped by free. */
struct cs_signer *cs_signer_new(void);
void cs_signer_free(struct cs_signer *signer);

/* Who signs, for what, and when. Views borrowed for the call. */
struct cs_signer_params {
    struct cs_view access_key_id;
    struct cs_view secret;
    struct cs_view token; /* session token, or empty */
    struct cs_view region;
    struct cs_view service;
    int64_t time_us;       /* since 1970, of the server's clock as far as it is known */
    bool content_sha256;   /* add and sign x-amz-content-sha256 (S3 asks for it) */
    bool token_not_signed; /* add the token after signing, as a few services ask */
};

#define CS_SIGNER_ADDED_MAX 4u

/* Headers to send beside the caller's: X-Amz-Date, perhaps x-amz-content-sha256
 * and X-Amz-Security-Token, Authorization. Valid until the signer's next use. */
struct cs_signer_headers {
    struct cs_net_header items[CS_SIGNER_ADDED_MAX];
    size_t count;
};

/* Header form. */
enum cs_code cs_signer_sign(struct cs_signer *signer,
                            const struct cs_signer_params *params,
                            const struct cs_sigv4_request *request,
                            struct cs_signer_headers *out,
                            struct cs_err *err) CS_MUST_USE;

/* Query form (presigned URL), valid for expires_s (1 to 604800) seconds from
 * params->time_us: appends the parameters of request->query and the signature's, in
 * canonical form. */
enum cs_code cs_signer_presign(struct cs_signer *signer,
                               const struct cs_signer_params *params,
                               const struct cs_sigv4_request *request, int64_t expires_s,
                               struct cs_buf *query_out, struct cs_err *err) CS_MUST_USE;

/* The last signature made, 64 hex digits: the seed of a chunk-signed stream. */
struct cs_view cs_signer_last_signature(const struct cs_signer *signer);

/* The last stages, for tests: valid until the next use. */
struct cs_view cs_signer_canonical_request(const struct cs_signer *signer);
struct cs_view cs_signer_string_to_sign(const struct cs_signer *signer);

/* The derived key for a day ("YYYYMMDD"), from the cache where it is known; valid until
 * the signer's next use. */
enum cs_code cs_signer_key(struct cs_signer *signer,
                           const struct cs_signer_params *params, struct cs_view day,
                           const struct cs_hmac_key **key_out,
                           struct cs_err *err) CS_MUST_USE;

#endif
