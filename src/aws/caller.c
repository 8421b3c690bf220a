#include "config.h"

#include "aws/caller.h"

#include "aws/xml.h"
#include "base/digest.h"

#define ANSWER_MAX 65536u

static bool on_element(void *payload, struct cs_view path, struct cs_view text)
{
    if (cs_view_eq(path, CS_LIT("GetCallerIdentityResponse/GetCallerIdentityResult/Arn")))
        cs_buf_add(payload, text);
    return true;
}

static enum cs_code ask(struct cs_aws *aws, struct cs_aws_call *call,
                        struct cs_buf *arn_out, struct cs_err *err)
{
    static const struct cs_view body =
        CS_LIT_INIT("Action=GetCallerIdentity&Version=2011-06-15");
    static const struct cs_net_header type = {
        CS_LIT_INIT("Content-Type"), CS_LIT_INIT("application/x-www-form-urlencoded")};
    char payload[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc;

    if ((rc = cs_sha256_hex_of(payload, body, err)) != CS_OK)
        return rc;
    call->method = "POST";
    call->path = CS_LIT("/");
    call->headers = &type;
    call->header_count = 1;
    call->body = (struct cs_net_body){.kind = CS_NET_BODY_BYTES, .bytes = body};
    call->payload = cs_view_of(payload, CS_SHA256_HEX_LEN);
    if ((rc = cs_aws_perform(aws, call, err)) != CS_OK)
        return rc;
    rc = cs_xml_read(cs_buf_view(&call->response->body), on_element, arn_out, err);
    if (rc == CS_OK && arn_out->len == 0)
        rc = cs_err_set(err, CS_EUPSTREAM, "AWS STS GetCallerIdentity gave no ARN");
    return rc == CS_OK ? cs_buf_check(arn_out, err) : rc;
}

enum cs_code cs_aws_caller(struct cs_aws *aws,
                           const struct cs_aws_endpoint_options *place,
                           struct cs_buf *arn_out, struct cs_deadline deadline,
                           struct cs_err *err)
{
    struct cs_aws_endpoint_options sts = *place;
    struct cs_aws_endpoint endpoint;
    struct cs_net_response response;
    struct cs_aws_error error;
    struct cs_aws_call call = {.service = CS_AWS_STS,
                               .operation = "GetCallerIdentity",
                               .subject = place->region,
                               .endpoint = &endpoint,
                               .region = place->region,
                               .deadline = deadline,
                               .response = &response,
                               .error = &error};
    enum cs_code rc;

    sts.service = CS_AWS_STS;
    cs_aws_endpoint_init(&endpoint);
    cs_net_response_init(&response, ANSWER_MAX);
    cs_aws_error_init(&error);
    if ((rc = cs_aws_endpoint_make(&endpoint, &sts, err)) == CS_OK)
        rc = ask(aws, &call, arn_out, err);
    cs_aws_endpoint_clear(&endpoint);
    cs_net_response_clear(&response);
    cs_aws_error_clear(&error);
    return rc;
}
