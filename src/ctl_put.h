/* ctl_put.h: the folder that "campaignctl put" makes a campaign of, for both ways:
 * into the store of this machine (ctl_put.c) and to a service (ctl_put_remote.c). */
#ifndef CS_CTL_PUT_H
#define CS_CTL_PUT_H

#include "ctl_remote.h"

#define CTL_PUT_FILE_MAX (1u << 30)

#define CTL_PUT_BAD_NAME                                                          \
    "the name of a file begins with a letter or digit and goes on with letters, " \
    "digits, ., _ or -"

struct ctl_put_source {
    const char *folder;
    const char *id;             /* or NULL */
    const char *name;           /* NULL: that of the brief */
    const char *execution_time; /* a JSON number, or NULL */
};

/* Reads a JSON file of the folder, valid then; appended. */
enum cs_code ctl_put_read(const struct ctl_put_source *source, const char *name,
                          struct cs_buf *out, struct cs_err *err) CS_MUST_USE;

/* True where the file is there and good; that it is missing is no error. *rc tells. */
bool ctl_put_read_optional(const struct ctl_put_source *source, const char *name,
                           struct cs_buf *out, enum cs_code *rc, struct cs_err *err);

/* The bodies of creating, and of completing with `member` (final_state or
 * final_state_upload) of that JSON value; appended. */
enum cs_code ctl_put_creation(const struct ctl_put_source *source, struct cs_buf *out,
                              struct cs_err *err) CS_MUST_USE;
enum cs_code ctl_put_completion(const struct ctl_put_source *source, const char *member,
                                struct cs_view value, struct cs_buf *out,
                                struct cs_err *err) CS_MUST_USE;

/* Calls back for each artifact of the folder, under its name in the API; stops at
 * the first failure. */
typedef enum cs_code ctl_put_artifact_fn(void *payload, const char *name,
                                         const struct ctl_body *body, struct cs_err *err);
enum cs_code ctl_put_each_artifact(const struct ctl_put_source *source,
                                   ctl_put_artifact_fn *callback, void *payload,
                                   struct cs_err *err) CS_MUST_USE;

/* Sends it all to a service; the exit status. */
int ctl_put_remote(struct ctl *ctl, const struct ctl_put_source *source,
                   const struct ctl_remote_options *options);

#endif
