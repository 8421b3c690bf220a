#include "config.h"

#include "ctl_put.h"

#include <stdio.h>

#include "base/digest.h"
#include "base/encoding.h"
#include "campaign/artifacts.h"
#include "json/scan.h"
#include "json/write.h"

#define PATH_TEXT_MAX 4096u
#define ANSWER_MAX    (1u << 20)

struct put {
    struct ctl *ctl;
    struct ctl_remote *remote;
    const struct ctl_put_source *source;
    const struct ctl_limits *limits;
    struct cs_buf id;
    bool running;
};

static struct cs_net_body bytes_of(const struct cs_buf *buf)
{
    return (struct cs_net_body){
        .kind = CS_NET_BODY_BYTES, .bytes = cs_buf_view(buf), .size = buf->len};
}

/* Sends a JSON body to /campaigns/{id}{tail}. */
static enum cs_code post(struct put *put, const char *tail, const struct cs_buf *body,
                         const char *key, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(PATH_TEXT_MAX);
    enum cs_code rc;

    cs_buf_add_cstr(&path, "/campaigns/");
    cs_buf_add(&path, cs_buf_view(&put->id));
    cs_buf_add_cstr(&path, tail);
    if ((rc = cs_buf_check(&path, err)) == CS_OK)
        rc = ctl_remote_send(
            put->remote,
            &(struct ctl_request){.method = "POST",
                                  .path = cs_buf_cstr(&path),
                                  .body = bytes_of(body),
                                  .idempotency_key = key,
                                  .may_be_too_big = body->len > CTL_SMALL_BODY},
            err);
    cs_buf_clear(&path);
    return rc;
}

/* ---- create ---- */

/* Goes on with a campaign that is there already, the caller's own. */
static enum cs_code find(struct put *put, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(PATH_TEXT_MAX);
    struct cs_buf status = CS_BUF_INIT(256);
    enum cs_code rc;

    cs_buf_add_fmt(&path, "/campaigns/%s/status", put->source->id);
    if ((rc = cs_buf_check(&path, err)) == CS_OK &&
        (rc = ctl_remote_send(
             put->remote,
             &(struct ctl_request){.method = "GET", .path = cs_buf_cstr(&path)}, err)) ==
            CS_OK &&
        (rc = ctl_remote_text(put->remote, "status", &status, err)) == CS_OK) {
        put->running = cs_view_eq(cs_buf_view(&status), CS_LIT("running"));
        cs_buf_add_cstr(&put->id, put->source->id);
    }
    cs_buf_clear(&path);
    cs_buf_clear(&status);
    return rc;
}

/* Fresh for each run: the same brief twice makes two campaigns, unless --id says
 * that it is one. */
static enum cs_code fresh_key(char out[2 * 16 + 1], struct cs_err *err)
{
    uint8_t random[16];
    enum cs_code rc = cs_random_bytes(random, sizeof(random), err);

    if (rc == CS_OK)
        cs_hex_encode(out, random, sizeof(random));
    return rc;
}

static enum cs_code create(struct put *put, struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(CTL_PUT_FILE_MAX);
    struct cs_err cause = CS_ERR_NONE;
    char key[2 * 16 + 1];
    enum cs_code rc;

    if (put->source->id != NULL && !cs_campaign_id_valid(cs_view_cstr(put->source->id)))
        return cs_err_set(err, CS_EINVAL,
                          "--id: an id begins with a letter or digit and goes on with "
                          "letters, digits, _ or -");
    if ((rc = ctl_put_creation(put->source, &body, err)) == CS_OK &&
        (rc = fresh_key(key, err)) == CS_OK) {
        rc = ctl_remote_send(
            put->remote,
            &(struct ctl_request){.method = "POST",
                                  .path = "/campaigns",
                                  .body = bytes_of(&body),
                                  .idempotency_key = key,
                                  .may_be_too_big = body.len > CTL_SMALL_BODY},
            &cause);
        put->running = true;
        if (rc == CS_ECONFLICT && put->source->id != NULL)
            rc = find(put, err);
        else if (rc == CS_OK)
            rc = ctl_remote_text(put->remote, "campaign_id", &put->id, err);
        else
            cs_err_hand_on(err, &cause);
        if (rc == CS_ETOOBIG)
            rc = cs_err_set(err, rc, "the brief is too big for the server in front");
    }
    cs_buf_clear(&body);
    return rc == CS_OK ? cs_buf_check(&put->id, err) : rc;
}

/* ---- interactions and progress ---- */

struct batch {
    struct put *put;
    struct cs_buf body;
    uint64_t count;
    uint64_t sent;
    enum cs_code rc;
    struct cs_err *err;
};

/* The key follows from the batch, so that a repeat of the run appends nothing. */
static void send_batch(struct batch *batch)
{
    char hex[CS_SHA256_HEX_LEN + 1];
    struct cs_buf keyed = CS_BUF_INIT(64);

    if (batch->rc != CS_OK || batch->count == 0)
        return;
    cs_buf_add_byte(&batch->body, ']');
    if ((batch->rc = cs_buf_check(&batch->body, batch->err)) == CS_OK &&
        (batch->rc = cs_sha256_hex_of(hex, cs_buf_view(&batch->body), batch->err)) ==
            CS_OK) {
        /* equal batches at different places are different batches */
        cs_buf_add_fmt(&keyed, "%llu-%.32s", (unsigned long long)batch->sent, hex);
        batch->rc = post(batch->put, "/interactions", &batch->body, cs_buf_cstr(&keyed),
                         batch->err);
    }
    batch->sent += batch->count;
    batch->count = 0;
    cs_buf_reset(&batch->body);
    cs_buf_clear(&keyed);
}

static bool add_interaction(void *payload, struct cs_view value)
{
    struct batch *batch = payload;
    const struct ctl_limits *limits = batch->put->limits;
    uint64_t room = limits->interactions_bytes;

    if (room > limits->body_bytes)
        room = limits->body_bytes;
    if (room > CTL_SMALL_BODY) /* small pieces pass everywhere, and cost little more */
        room = CTL_SMALL_BODY;
    if (batch->count > 0 &&
        (batch->count >= limits->interactions || batch->body.len + value.len + 2 > room))
        send_batch(batch);
    cs_buf_add_byte(&batch->body, batch->count == 0 ? '[' : ',');
    cs_buf_add(&batch->body, value);
    batch->count++;
    return batch->rc == CS_OK;
}

static enum cs_code add_interactions(struct put *put, struct cs_view text,
                                     struct cs_err *err)
{
    struct batch batch = {
        .put = put, .body = CS_BUF_INIT(CTL_PUT_FILE_MAX), .rc = CS_OK, .err = err};
    struct cs_view list =
        cs_json_kind(text) == '{' ? cs_json_slice(text, "interactions") : text;

    if (list.ptr == NULL || cs_json_kind(list) != '[')
        batch.rc = cs_err_set(err, CS_EINVAL,
                              "interactions.json holds no array of interactions");
    else
        cs_json_each_element(list, add_interaction, &batch);
    send_batch(&batch);
    cs_buf_clear(&batch.body);
    return batch.rc;
}

static enum cs_code add_run(struct put *put, struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(CTL_PUT_FILE_MAX);
    enum cs_code rc;

    if (!put->running)
        return CS_OK;
    if (ctl_put_read_optional(put->source, "interactions.json", &body, &rc, err))
        rc = add_interactions(put, cs_view_trim(cs_buf_view(&body)), err);
    cs_buf_reset(&body);
    if (rc == CS_OK &&
        ctl_put_read_optional(put->source, "progress.json", &body, &rc, err))
        rc = post(put, "/progress", &body, NULL, err);
    cs_buf_clear(&body);
    return rc;
}

/* ---- artifacts and completion ---- */

static enum cs_code put_artifact(void *payload, const char *name,
                                 const struct ctl_body *body, struct cs_err *err)
{
    struct put *put = payload;

    if (cs_artifact_kind(cs_view_cstr(name)) == NULL)
        return cs_err_set(err, CS_EINVAL, "%s: " CTL_PUT_BAD_NAME, name);
    return ctl_remote_put(put->remote, cs_buf_view(&put->id), name, body, err);
}

static enum cs_code complete_in_parts(struct put *put, struct cs_view state,
                                      struct cs_err *err)
{
    struct cs_buf upload_id = CS_BUF_INIT(256);
    struct cs_buf quoted = CS_BUF_INIT(512);
    struct cs_buf request = CS_BUF_INIT(PATH_TEXT_MAX);
    struct ctl_body body;
    enum cs_code rc;

    if ((rc = ctl_body_of_bytes(&body, cs_view_trim(state), err)) == CS_OK &&
        (rc = ctl_remote_upload(put->remote, cs_buf_view(&put->id), "final_state", &body,
                                &upload_id, err)) == CS_OK) {
        cs_json_quote(&quoted, cs_buf_view(&upload_id));
        if ((rc = ctl_put_completion(put->source, "final_state_upload",
                                     cs_buf_view(&quoted), &request, err)) == CS_OK)
            rc = post(put, "/complete", &request, NULL, err);
    }
    cs_buf_clear(&upload_id);
    cs_buf_clear(&quoted);
    cs_buf_clear(&request);
    return rc;
}

static enum cs_code complete(struct put *put, struct cs_err *err)
{
    struct cs_buf state = CS_BUF_INIT(CTL_PUT_FILE_MAX);
    struct cs_buf request = CS_BUF_INIT(CTL_PUT_FILE_MAX);
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code rc;

    if ((rc = ctl_put_read(put->source, "final_state.json", &state, err)) != CS_OK ||
        (rc = ctl_put_completion(put->source, "final_state", cs_buf_view(&state),
                                 &request, err)) != CS_OK)
        goto out;
    if (request.len <= put->limits->body_bytes &&
        request.len <= put->limits->json_bytes) {
        rc = post(put, "/complete", &request, NULL, &cause);
        if (rc == CS_OK)
            goto out;
        if (rc != CS_ETOOBIG || request.len <= CTL_SMALL_BODY) {
            cs_err_hand_on(err, &cause);
            goto out;
        }
        ctl_remote_learn(put->remote, CTL_SMALL_BODY);
    }
    rc = complete_in_parts(put, cs_buf_view(&state), err);
out:
    cs_buf_clear(&state);
    cs_buf_clear(&request);
    return rc;
}

/* ---- the whole ---- */

static enum cs_code send_all(struct put *put, struct cs_err *err)
{
    enum cs_code rc;

    if ((rc = ctl_remote_limits(put->remote, &put->limits, err)) != CS_OK ||
        (rc = create(put, err)) != CS_OK || (rc = add_run(put, err)) != CS_OK)
        return rc;
    if (put->running &&
        (rc = ctl_put_each_artifact(put->source, put_artifact, put, err)) != CS_OK)
        return rc;
    return complete(put, err);
}

static int print_result(const struct put *put)
{
    struct cs_view answer = ctl_remote_answer(put->remote);
    struct cs_view render = cs_json_slice(answer, "render");
    struct cs_view pages = cs_json_slice(render, "pdf_pages");
    struct cs_view missing = cs_json_slice(render, "missing_glyphs");
    struct cs_buf text = CS_BUF_INIT(ANSWER_MAX);
    struct cs_json_writer w;
    int code;

    if (put->ctl->json) {
        cs_json_writer_init(&w, &text);
        cs_json_object(&w);
        cs_json_member_str(&w, "campaign_id", cs_buf_view(&put->id));
        cs_json_member_raw(&w, "status", cs_json_slice(answer, "status"));
        cs_json_member_raw(&w, "pdf_pages", render.ptr != NULL ? pages : CS_LIT("0"));
        cs_json_member_raw(&w, "missing_glyphs",
                           render.ptr != NULL ? missing : CS_LIT("0"));
        cs_json_member_bool(&w, "replayed", render.ptr == NULL);
        cs_json_member_raw(&w, "urls", cs_json_slice(answer, "s3_urls"));
        cs_json_object_end(&w);
    } else {
        cs_buf_add_fmt(&text, "%s completed", cs_buf_cstr(&put->id));
        if (render.ptr == NULL)
            cs_buf_add_cstr(&text, " before, with the same state");
        else if (!cs_view_eq(pages, CS_LIT("0")))
            cs_buf_add_fmt(&text, ": PDF of %.*s pages", CS_FMT(pages));
    }
    code = ctl_print(&text);
    cs_buf_clear(&text);
    return code;
}

int ctl_put_remote(struct ctl *ctl, const struct ctl_put_source *source,
                   const struct ctl_remote_options *options)
{
    struct put put = {
        .ctl = ctl, .source = source, .id = CS_BUF_INIT(CS_CAMPAIGN_ID_MAX)};
    struct cs_err err = CS_ERR_NONE;
    enum cs_code rc = CS_EINVAL;
    int code;

    put.remote = ctl_remote_new(ctl, options, &err);
    if (put.remote != NULL)
        rc = send_all(&put, &err);
    ctl_progress_end(ctl);
    code = rc == CS_OK ? print_result(&put) : ctl_fail("put", &err);
    ctl_remote_free(put.remote);
    cs_buf_clear(&put.id);
    return code;
}
