#include "config.h"

#include "aws/s3_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/s3_internal.h"

#define ERROR_MAX      (1u << 20)
#define RESUMES_MAX    8     /* of one object, however long it takes */
#define RESUME_WAIT_MS 10000 /* for one of them, its own repetitions included */

struct cs_s3_reader {
    struct cs_s3 *s3;
    char *key, *version, *etag;
    struct cs_net_response response;
    uint64_t whole_size;
    uint64_t at;  /* of the object: the next byte to hand out */
    uint64_t end; /* behind the last one that was asked for */
    int resumes;
};

/* "bytes 5-9/20", or a whole body's length. */
static bool read_extent(const struct cs_net_response *response, uint64_t *first_out,
                        uint64_t *end_out, uint64_t *size_out)
{
    static const struct cs_view unit = CS_LIT_INIT("bytes ");
    struct cs_view range = cs_net_response_header(response, "content-range");
    size_t dash = cs_view_find_byte(range, '-');
    size_t slash = cs_view_find_byte(range, '/');
    uint64_t last;

    *first_out = 0;
    if (range.ptr == NULL) {
        if (!cs_view_to_u64(cs_net_response_header(response, "content-length"), size_out))
            return false;
        *end_out = *size_out;
        return true;
    }
    if (!cs_view_starts(range, unit) || dash == SIZE_MAX || slash == SIZE_MAX ||
        dash > slash ||
        !cs_view_to_u64(cs_view_sub(range, unit.len, dash - unit.len), first_out) ||
        !cs_view_to_u64(cs_view_sub(range, dash + 1, slash - dash - 1), &last) ||
        !cs_view_to_u64(cs_view_from(range, slash + 1), size_out) || last >= *size_out)
        return false;
    *end_out = last + 1;
    return *first_out <= last;
}

static enum cs_code start(struct cs_s3_reader *reader, const struct cs_s3_get *get,
                          struct cs_deadline deadline, struct cs_err *err)
{
    enum cs_code rc;

    if ((rc = cs_s3_get(reader->s3, get, &reader->response, deadline, err)) != CS_OK)
        return rc;
    if (!read_extent(&reader->response, &reader->at, &reader->end, &reader->whole_size))
        return cs_err_set(err, CS_EUPSTREAM,
                          "S3 GetObject did not tell the object's size");
    reader->etag = cs_s3_header_dup(&reader->response, "etag");
    /* where no version was asked for, the one that came */
    reader->version = get->version.len > 0
                          ? cs_view_dup(get->version)
                          : cs_s3_header_dup(&reader->response, "x-amz-version-id");
    return reader->etag != NULL && reader->version != NULL ? CS_OK : cs_err_nomem(err);
}

enum cs_code cs_s3_reader_open(struct cs_s3 *s3, const struct cs_s3_get *get,
                               struct cs_s3_reader **out, struct cs_deadline deadline,
                               struct cs_err *err)
{
    struct cs_s3_reader *reader = calloc(1, sizeof(*reader));
    enum cs_code rc;

    *out = NULL;
    if (reader == NULL)
        return cs_err_nomem(err);
    reader->s3 = s3;
    reader->key = cs_view_dup(get->key);
    cs_net_response_init(&reader->response, ERROR_MAX);
    reader->response.hold = true;
    rc = reader->key != NULL ? start(reader, get, deadline, err) : cs_err_nomem(err);
    if (rc == CS_OK)
        *out = reader;
    else
        cs_s3_reader_free(reader);
    return rc;
}

const struct cs_net_response *cs_s3_reader_response(const struct cs_s3_reader *reader)
{
    return &reader->response;
}

static bool may_resume(const struct cs_s3_reader *reader)
{
    enum cs_net_fault fault = reader->response.fault;

    /* without an ETag nothing says that the rest would be of the same bytes */
    return (fault == CS_NET_LOST || fault == CS_NET_IDLE) &&
           reader->resumes < RESUMES_MAX && reader->etag[0] != '\0';
}

static enum cs_code resume(struct cs_s3_reader *reader, struct cs_err *err)
{
    char range[64];
    const struct cs_s3_get get = {.key = cs_view_cstr(reader->key),
                                  .version = cs_view_cstr(reader->version),
                                  .range = range,
                                  .if_match = cs_view_cstr(reader->etag)};
    uint64_t first;
    uint64_t end;
    uint64_t size;
    enum cs_code rc;

    reader->resumes++;
    (void)snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64, reader->at,
                   reader->end - 1);
    if ((rc = cs_s3_get(reader->s3, &get, &reader->response,
                        cs_deadline_in_ms(RESUME_WAIT_MS), err)) != CS_OK)
        return rc;
    if (!read_extent(&reader->response, &first, &end, &size) || first != reader->at ||
        end != reader->end || size != reader->whole_size)
        return cs_err_set(err, CS_EUPSTREAM,
                          "S3 GetObject gave another part than was asked for");
    return CS_OK;
}

enum cs_code cs_s3_reader_read(struct cs_s3_reader *reader, char *to, size_t room,
                               size_t *got_out, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc;

    *got_out = 0;
    while ((rc = cs_net_read(&reader->response, to, room, got_out, &why)) != CS_OK &&
           may_resume(reader)) {
        if (reader->at == reader->end)
            return CS_OK; /* it broke behind the last byte */
        why = CS_ERR_NONE;
        if ((rc = resume(reader, &why)) != CS_OK)
            break;
    }
    reader->at += *got_out;
    if (rc == CS_OK && *got_out == 0 && reader->at != reader->end)
        rc = cs_err_set(&why, CS_EUPSTREAM, "S3 GetObject ended before its last byte");
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}

void cs_s3_reader_free(struct cs_s3_reader *reader)
{
    if (reader == NULL)
        return;
    cs_net_response_clear(&reader->response);
    free(reader->key);
    free(reader->version);
    free(reader->etag);
    free(reader);
}
