/* Whole objects side by side. */
#include "config.h"

#include <stdlib.h>

#include "aws/s3_internal.h"

struct fetching {
    struct cs_s3_call call;
    struct cs_aws_error error;
    struct cs_buf query;
};

static enum cs_code fetching_init(struct fetching *f, struct cs_s3 *s3,
                                  struct cs_s3_fetch *fetch, struct cs_deadline deadline,
                                  struct cs_err *err)
{
    struct cs_s3_request request = {
        .operation = "GetObject", .method = "GET", .key = fetch->key};
    enum cs_code rc;

    cs_aws_error_init(&f->error);
    cs_buf_init(&f->query, CS_S3_QUERY_MAX);
    cs_buf_init(&f->call.path, 0);
    if (fetch->version.len > 0)
        cs_s3_add_param(&f->query, "versionId", fetch->version);
    request.query = cs_buf_view(&f->query);
    if ((rc = cs_buf_check(&f->query, err)) != CS_OK)
        return rc;
    return cs_s3_call_init(&f->call, s3, &request, &fetch->response, &f->error, deadline,
                           err);
}

static void fetching_clear(struct fetching *f)
{
    cs_s3_call_clear(&f->call);
    cs_aws_error_clear(&f->error);
    cs_buf_clear(&f->query);
}

/* The first failure, with what is to be said of it. */
static enum cs_code outcome(const struct fetching *all, const struct cs_s3_fetch *fetches,
                            size_t count, struct cs_err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct cs_aws_call *call = &all[i].call.call;

        if (call->code == CS_OK)
            continue;
        if (call->code == CS_EUPSTREAM &&
            cs_s3_is_bad_version(&all[i].error, fetches[i].version))
            return cs_err_set(err, CS_ENOTFOUND, "there is no such version");
        cs_err_hand_on(err, &call->err);
        return call->code;
    }
    return CS_OK;
}

enum cs_code cs_s3_get_many(struct cs_s3 *s3, struct cs_s3_fetch *fetches, size_t count,
                            struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_aws_call *calls[CS_S3_GET_MANY_MAX] = {NULL};
    struct fetching *all;
    size_t ready = 0;
    enum cs_code rc = CS_OK;

    if (count > CS_S3_GET_MANY_MAX)
        return cs_err_set(err, CS_EINTERNAL, "too many gets at once");
    all = calloc(count > 0 ? count : 1, sizeof(*all));
    if (all == NULL)
        return cs_err_nomem(err);
    for (; ready < count && rc == CS_OK; ready++) {
        rc = fetching_init(&all[ready], s3, &fetches[ready], deadline, err);
        calls[ready] = &all[ready].call.call;
    }
    if (rc == CS_OK) {
        cs_aws_perform_many(s3->aws, calls, count, count, NULL);
        rc = outcome(all, fetches, count, err);
    }
    for (size_t i = 0; i < ready; i++)
        fetching_clear(&all[i]);
    free(all);
    return rc;
}
