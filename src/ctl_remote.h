/* ctl_remote.h: a campaignstore elsewhere, spoken to over its API. Each request is
 * one that may be sent again, and is: after network faults, and where the service
 * or a server in front asks for it (408, 429, 502, 503, 504; Retry-After). */
#ifndef CS_CTL_REMOTE_H
#define CS_CTL_REMOTE_H

#include "ctl.h"

struct ctl_remote;

struct ctl_remote_options {
    const char *url;        /* up to /api/v1; https, or http to a loopback address */
    const char *token_file; /* NULL: the environment's CAMPAIGNCTL_TOKEN */
    const char *ca_file;    /* PEM; NULL: CAMPAIGN_CA_BUNDLE, else the system's */
};

/* The options of a command that name them, for getopt_long(3). */
#define CTL_REMOTE_SHORT "U:T:C:"
#define CTL_REMOTE_LONG                                                                  \
    {"url", required_argument, NULL, 'U'}, {"token-file", required_argument, NULL, 'T'}, \
    {                                                                                    \
        "ca-file", required_argument, NULL, 'C'                                          \
    }
#define CTL_REMOTE_HELP                                                                \
    "  -U, --url=URL             address of the API, as https://host/api/v1\n"         \
    "  -T, --token-file=FILE     bearer token for it (default: CAMPAIGNCTL_TOKEN of\n" \
    "                            the environment)\n"                                   \
    "  -C, --ca-file=FILE        PEM file of the authorities to trust (default:\n"     \
    "                            CAMPAIGN_CA_BUNDLE, else the system's)\n"

/* Whether the option is one of those; its value is taken then. */
bool ctl_remote_option(struct ctl_remote_options *options, int option, const char *value);

/* No request is made yet. NULL with err set on failure. */
struct ctl_remote *ctl_remote_new(struct ctl *ctl,
                                  const struct ctl_remote_options *options,
                                  struct cs_err *err);
void ctl_remote_free(struct ctl_remote *remote);

struct ctl_request { /* all borrowed */
    const char *method;
    const char *path; /* below the url: "/campaigns" */
    struct cs_net_body body;
    struct cs_view content_type; /* empty: JSON, where there is a body */
    const char *idempotency_key;
    const char *sha256;  /* of the body in hex, announced as Content-Digest; or NULL */
    bool may_be_too_big; /* a server in front may refuse the size: CS_ETOOBIG then */
};

/* CS_OK for a 2xx answer. Else err has the sentence of the service, and its code in
 * err->reason; the status is in err->upstream_status. */
enum cs_code ctl_remote_send(struct ctl_remote *remote, const struct ctl_request *request,
                             struct cs_err *err) CS_MUST_USE;

/* The last answer's body, valid JSON or empty; borrowed until the next request. */
struct cs_view ctl_remote_answer(const struct ctl_remote *remote);

/* A text of the last answer, appended; CS_EUPSTREAM where it has none. */
enum cs_code ctl_remote_text(const struct ctl_remote *remote, const char *name,
                             struct cs_buf *out, struct cs_err *err) CS_MUST_USE;

/* What GET /limits says; asked once. */
struct ctl_limits {
    uint64_t body_bytes; /* of one request, in front of the service too */
    uint64_t json_bytes;
    uint64_t interactions;       /* of one request */
    uint64_t interactions_bytes; /* of one request */
};
enum cs_code ctl_remote_limits(struct ctl_remote *remote, const struct ctl_limits **out,
                               struct cs_err *err) CS_MUST_USE;

/* Bodies over so many bytes were refused by a server in front. */
void ctl_remote_learn(struct ctl_remote *remote, uint64_t body_bytes);

void ctl_remote_progress(struct ctl_remote *remote, const char *what, uint64_t done,
                         uint64_t total);

/* What every server in front lets through. */
#define CTL_SMALL_BODY (96u << 10)

/* ---- ctl_remote_campaigns.c: list, show and delete of a service elsewhere; each
 * returns the exit status ---- */

struct ctl_remote_list {
    const char *user;   /* NULL: the token's; another is for administrators */
    const char *status; /* NULL: all */
    uint64_t limit;
};
int ctl_list_remote(struct ctl *ctl, const struct ctl_remote_list *wanted,
                    const struct ctl_remote_options *options);
int ctl_show_remote(struct ctl *ctl, const char *id,
                    const struct ctl_remote_options *options);
int ctl_delete_remote(struct ctl *ctl, char **ids, size_t count,
                      const struct ctl_remote_options *options);

/* ---- ctl_upload.c: bodies of any size ---- */

struct ctl_body {
    struct cs_view bytes; /* where fd is -1 */
    int fd;
    uint64_t size;
    char sha256[65]; /* hex */
};
enum cs_code ctl_body_of_bytes(struct ctl_body *out, struct cs_view bytes,
                               struct cs_err *err) CS_MUST_USE;
/* Opens the file and reads it once. */
enum cs_code ctl_body_of_file(struct ctl_body *out, const char *path,
                              struct cs_err *err) CS_MUST_USE;
void ctl_body_clear(struct ctl_body *body);

/* Sends an artifact ("website", "pdf", "files/logo.png") of a campaign: at once
 * where it fits, else in parts. */
enum cs_code ctl_remote_put(struct ctl_remote *remote, struct cs_view campaign_id,
                            const char *target, const struct ctl_body *body,
                            struct cs_err *err) CS_MUST_USE;

/* Uploads it in parts, each with its checksum; parts that have arrived, in an
 * earlier run too, are not sent again. upload_id_out is appended to. */
enum cs_code ctl_remote_upload(struct ctl_remote *remote, struct cs_view campaign_id,
                               const char *target, const struct ctl_body *body,
                               struct cs_buf *upload_id_out,
                               struct cs_err *err) CS_MUST_USE;

#endif
