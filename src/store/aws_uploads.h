/* store/aws_uploads.h: puts whose bucket may be missing, and uploads in parts with the
 * notes that tell of them. Private to the AWS store. */
#ifndef CS_STORE_AWS_UPLOADS_H
#define CS_STORE_AWS_UPLOADS_H

#include "store/aws_internal.h"

/* The bucket is made where it is missing, and all put once more. */
enum cs_code cs_aws_store_put_all(struct cs_aws_store *store, struct cs_s3_put *puts,
                                  size_t count, struct cs_deadline deadline,
                                  struct cs_err *err) CS_MUST_USE;

struct cs_aws_upload {
    struct cs_s3_upload *parts;
    struct cs_buf note; /* key of the object that says that there is an upload */
    char *note_version;
};

/* The bucket is made where it is missing. *out goes to cs_aws_upload_end(). */
enum cs_code cs_aws_upload_begin(struct cs_aws_store *store,
                                 const struct cs_s3_info *info,
                                 struct cs_aws_upload **out, struct cs_deadline deadline,
                                 struct cs_err *err) CS_MUST_USE;
/* Drops its parts unless it was completed, and frees it. The note stays where that
 * fails. */
void cs_aws_upload_end(struct cs_aws_store *store, struct cs_aws_upload *upload,
                       bool completed);
/* Is it a note's key, and of which object? */
bool cs_aws_upload_is_note(struct cs_view key, struct cs_view *object_key_out);

#endif
