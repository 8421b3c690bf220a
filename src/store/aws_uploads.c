/* Uploads in parts. One whose process dies leaves its parts behind, which no list of
 * objects shows. So a note goes before it: an empty object beside the one to be, that
 * stays until the upload has ended. Whoever deletes a folder sees it in the list of
 * what is left, and asks S3 for unfinished uploads only where there can be some. */
#include "config.h"

#include <stdlib.h>

#include "store/aws_uploads.h"

/* No name of an artifact has a '~'. */
#define NOTE_ENDING "~parts"
#define END_WAIT_MS 5000

bool cs_aws_upload_is_note(struct cs_view key, struct cs_view *object_key_out)
{
    static const struct cs_view ending = CS_LIT_INIT(NOTE_ENDING);
    bool is = key.len > ending.len &&
              cs_view_eq(cs_view_from(key, key.len - ending.len), ending);

    *object_key_out = cs_view_sub(key, 0, is ? key.len - ending.len : 0);
    return is;
}

enum cs_code cs_aws_store_put_all(struct cs_aws_store *store, struct cs_s3_put *puts,
                                  size_t count, struct cs_deadline deadline,
                                  struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = cs_s3_put_many(store->s3, puts, count, deadline, &why);

    if (rc != CS_OK && cs_aws_store_lacks_bucket(&why)) {
        why = CS_ERR_NONE;
        if ((rc = cs_aws_store_make_bucket(store, deadline, &why)) == CS_OK)
            rc = cs_s3_put_many(store->s3, puts, count, deadline, &why);
    }
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc == CS_ENOTFOUND ? CS_EUPSTREAM : rc;
}

static void free_upload(struct cs_aws_upload *upload)
{
    cs_s3_upload_free(upload->parts);
    free(upload->note_version);
    cs_buf_clear(&upload->note);
    free(upload);
}

static enum cs_code put_note(struct cs_aws_store *store, struct cs_aws_upload *upload,
                             struct cs_view key, struct cs_deadline deadline,
                             struct cs_err *err)
{
    char sha256[CS_SHA256_HEX_LEN + 1];
    struct cs_s3_put put = {.body = {.kind = CS_NET_BODY_BYTES, .bytes = CS_LIT("")},
                            .payload_sha256 = sha256};
    enum cs_code rc;

    cs_buf_add(&upload->note, key);
    cs_buf_add_cstr(&upload->note, NOTE_ENDING);
    if ((rc = cs_buf_check(&upload->note, err)) != CS_OK ||
        (rc = cs_sha256_hex_of(sha256, CS_LIT(""), err)) != CS_OK)
        return rc;
    put.info.key = cs_buf_view(&upload->note);
    put.info.content_type = CS_LIT("application/octet-stream");
    rc = cs_aws_store_put_all(store, &put, 1, deadline, err);
    upload->note_version = put.version_out;
    return rc;
}

enum cs_code cs_aws_upload_begin(struct cs_aws_store *store,
                                 const struct cs_s3_info *info,
                                 struct cs_aws_upload **out, struct cs_deadline deadline,
                                 struct cs_err *err)
{
    struct cs_aws_upload *upload = calloc(1, sizeof(*upload));
    enum cs_code rc;

    *out = NULL;
    if (upload == NULL)
        return cs_err_nomem(err);
    cs_buf_init(&upload->note, 2 * CS_STORE_KEY_MAX);
    if ((rc = put_note(store, upload, info->key, deadline, err)) == CS_OK)
        rc = cs_s3_upload_begin(store->s3, info, &upload->parts, deadline, err);
    if (rc == CS_OK)
        *out = upload;
    else /* the upload may have begun all the same: the note stays */
        free_upload(upload);
    return rc == CS_ENOTFOUND ? CS_EUPSTREAM : rc;
}

void cs_aws_upload_end(struct cs_aws_store *store, struct cs_aws_upload *upload,
                       bool completed)
{
    struct cs_deadline deadline = cs_deadline_in_ms(END_WAIT_MS);
    struct cs_view note = cs_buf_view(&upload->note);
    struct cs_view key;
    bool ended = completed;

    if (!completed && cs_aws_upload_is_note(note, &key))
        ended = cs_s3_upload_drop(store->s3, key, cs_s3_upload_id(upload->parts),
                                  deadline, NULL) == CS_OK;
    /* The call itself logs a failure. A note too many costs whoever deletes the folder
     * some more lists, nothing else. */
    if (ended)
        (void)!cs_s3_delete(store->s3, note, cs_view_cstr(upload->note_version), deadline,
                            NULL);
    free_upload(upload);
}
