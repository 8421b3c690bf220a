/* aws/s3_reader.h: an object's bytes in pieces. A connection that breaks on the way
 * is made anew, from the byte where it broke and for the same bytes (their ETag), so
 * that what reads on does not notice.
 *
 * Source: Amazon S3 API Reference, "GetObject" (Range, If-Match). */
#ifndef CS_AWS_S3_READER_H
#define CS_AWS_S3_READER_H

#include "aws/s3.h"

struct cs_s3_reader;

/* Asks for the object. CS_ENOTFOUND, CS_ERANGE as cs_s3_get(). *out is freed by
 * cs_s3_reader_free() and lives no longer than s3; get->key and the others are
 * copied. */
enum cs_code cs_s3_reader_open(struct cs_s3 *s3, const struct cs_s3_get *get,
                               struct cs_s3_reader **out, struct cs_deadline deadline,
                               struct cs_err *err) CS_MUST_USE;

/* The head of the first answer; borrowed until the first read. */
const struct cs_net_response *cs_s3_reader_response(const struct cs_s3_reader *reader);

/* *got_out is 0 at the end and never before. */
enum cs_code cs_s3_reader_read(struct cs_s3_reader *reader, char *to, size_t room,
                               size_t *got_out, struct cs_err *err) CS_MUST_USE;

void cs_s3_reader_free(struct cs_s3_reader *reader);

#endif
