#include "config.h"

#include "api/routes.h"
#include "campaign/uploads.h"

#define SMALL_BODY_MAX (64u * 1024u)

enum cs_code cs_api_upload_begin(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(SMALL_BODY_MAX);
    struct cs_upload_begin given;
    enum cs_code rc = cs_exchange_idempotency_key(x, &given.idempotency_key, err);

    if (rc == CS_OK)
        rc = cs_exchange_json(x, &body, SMALL_BODY_MAX, false, err);
    given.body = cs_buf_view(&body);
    if (rc == CS_OK)
        rc = cs_upload_begin(&x->app->campaigns, &x->call, x->params[0], &given,
                             cs_response_body(x->response), &x->faults, err);
    if (rc == CS_OK)
        rc = cs_exchange_answer(x, 201, err);
    cs_buf_clear(&body);
    return rc;
}

enum cs_code cs_api_upload_get(struct cs_exchange *x, struct cs_err *err)
{
    enum cs_code rc = cs_upload_status(&x->app->campaigns, &x->call, x->params[0],
                                       x->params[1], cs_response_body(x->response), err);

    return rc == CS_OK ? cs_exchange_answer(x, 200, err) : rc;
}

enum cs_code cs_api_upload_part(struct cs_exchange *x, struct cs_err *err)
{
    size_t max = x->app->campaigns.limits.part_bytes;
    struct cs_buf bytes = CS_BUF_INIT(max);
    struct cs_buf sha256 = CS_BUF_INIT(2 * CS_SHA256_LEN + 8);
    uint64_t number = 0;
    enum cs_code rc;

    if (!cs_view_to_u64(x->params[2], &number) || number > CS_UPLOAD_PARTS_MAX)
        return cs_err_field(err, CS_ENOTFOUND, "", "part_number_out_of_range",
                            "parts are numbered from 1");
    if ((rc = cs_exchange_digest(x, &sha256, err)) == CS_OK &&
        (rc = cs_request_read_all(x->request, max, &bytes, err)) == CS_OK) {
        const struct cs_upload_arrival arrival = {number, cs_buf_view(&bytes),
                                                  cs_buf_view(&sha256)};

        rc = cs_upload_part(&x->app->campaigns, &x->call, x->params[0], x->params[1],
                            &arrival, cs_response_body(x->response), err);
    }
    if (rc == CS_OK)
        rc = cs_exchange_answer(x, 200, err);
    cs_buf_clear(&bytes);
    cs_buf_clear(&sha256);
    return rc;
}

enum cs_code cs_api_upload_complete(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(SMALL_BODY_MAX);
    enum cs_code rc = cs_exchange_json(x, &body, SMALL_BODY_MAX, true, err);

    if (rc == CS_OK)
        rc = cs_upload_complete(&x->app->campaigns, &x->call, x->params[0], x->params[1],
                                cs_buf_view(&body), cs_response_body(x->response),
                                &x->faults, err);
    if (rc == CS_OK)
        rc = cs_exchange_answer(x, 200, err);
    cs_buf_clear(&body);
    return rc;
}

enum cs_code cs_api_upload_abort(struct cs_exchange *x, struct cs_err *err)
{
    enum cs_code rc =
        cs_upload_abort(&x->app->campaigns, &x->call, x->params[0], x->params[1], err);

    if (rc == CS_OK)
        cs_response_status(x->response, 204);
    return rc;
}
