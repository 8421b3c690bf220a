#include "config.h"

#include "ctl.h"

#include <getopt.h>
#include <stdio.h>

#include "base/file.h"
#include "http/identity.h"
#include "json/write.h"

#define SECRET_MAX    (16u * 1024u)
#define SECRET_MIN    32u
#define DEFAULT_TTL_S 3600u
#define TTL_MAX_S     (10ull * 366 * 24 * 3600)

static const char help_text[] =
    "Usage: campaignctl token --sub USER [OPTION]...\n"
    "Prints a bearer token (HS256), signed with JWT_SECRET or JWT_SECRET_FILE.\n"
    "\n"
    "  -u, --sub=USER          the user that the token stands for\n"
    "  -a, --admin             with the claim that makes an administrator\n"
    "  -o, --org=TENANT        with the claim that names a tenant\n"
    "  -t, --ttl=SECONDS       life of the token (default 3600)\n"
    "  -f, --secret-file=FILE  file with the key, in place of the settings\n"
    "\n"
    "Examples:\n"
    "  campaignctl token --sub alice\n"
    "  campaignctl token --sub nightly-job --admin --ttl 86400\n";

struct token {
    const char *user;
    const char *tenant;
    const char *secret_file;
    uint64_t ttl_s;
    bool admin;
};

static enum cs_code read_secret(const struct ctl *ctl, const char *secret_file,
                                struct cs_buf *out, struct cs_err *err)
{
    const char *text = cs_settings_text(ctl->settings, CS_SET_JWT_SECRET);
    const char *path = secret_file != NULL
                           ? secret_file
                           : cs_settings_text(ctl->settings, CS_SET_JWT_SECRET_FILE);
    enum cs_code rc = CS_OK;

    if (path != NULL)
        rc = cs_file_read(out, path, SECRET_MAX, err);
    else if (text != NULL)
        cs_buf_add_cstr(out, text);
    while (out->len > 0 &&
           (out->ptr[out->len - 1] == '\n' || out->ptr[out->len - 1] == '\r'))
        cs_buf_truncate(out, out->len - 1);
    if (rc == CS_OK && out->len < SECRET_MIN)
        rc = cs_err_set(err, CS_EINVAL,
                        "a key of at least %u bytes is needed: set JWT_SECRET or "
                        "JWT_SECRET_FILE, or give --secret-file",
                        SECRET_MIN);
    return rc;
}

static void add_claim(struct cs_json_writer *w, const struct ctl *ctl,
                      enum cs_setting_id id, const char *value)
{
    if (cs_settings_text(ctl->settings, id) != NULL && value != NULL)
        cs_json_member_cstr(w, cs_settings_text(ctl->settings, id), value);
}

static void write_claims(struct cs_buf *out, const struct ctl *ctl,
                         const struct token *token)
{
    uint64_t now_s = (uint64_t)(cs_clock_now_us() / CS_SECOND_US);
    const char *issuer = cs_settings_text(ctl->settings, CS_SET_JWT_ISSUER);
    const char *audience = cs_settings_text(ctl->settings, CS_SET_JWT_AUDIENCE);
    struct cs_json_writer w;

    cs_json_writer_init(&w, out);
    cs_json_object(&w);
    cs_json_member_cstr(&w, "sub", token->user);
    cs_json_member_u64(&w, "iat", now_s);
    cs_json_member_u64(&w, "exp", now_s + token->ttl_s);
    if (issuer != NULL)
        cs_json_member_cstr(&w, "iss", issuer);
    if (audience != NULL)
        cs_json_member_cstr(&w, "aud", audience);
    if (token->admin)
        add_claim(&w, ctl, CS_SET_ADMIN_CLAIM,
                  cs_settings_text(ctl->settings, CS_SET_ADMIN_VALUE));
    add_claim(&w, ctl, CS_SET_TENANT_CLAIM, token->tenant);
    cs_json_object_end(&w);
}

static int print_token(const struct ctl *ctl, const struct token *token)
{
    struct cs_buf secret = CS_BUF_INIT(SECRET_MAX);
    struct cs_buf claims = CS_BUF_INIT(64u * 1024u);
    struct cs_buf made = CS_BUF_INIT(128u * 1024u);
    struct cs_buf answer = CS_BUF_INIT(256u * 1024u);
    struct cs_err err = CS_ERR_NONE;
    struct cs_json_writer w;
    int code;

    write_claims(&claims, ctl, token);
    if (cs_buf_check(&claims, &err) != CS_OK ||
        read_secret(ctl, token->secret_file, &secret, &err) != CS_OK ||
        cs_token_make(cs_buf_view(&secret), cs_buf_view(&claims), &made, &err) != CS_OK) {
        code = ctl_fail("token", &err);
        goto out;
    }
    if (ctl->json) {
        cs_json_writer_init(&w, &answer);
        cs_json_object(&w);
        cs_json_member_str(&w, "token", cs_buf_view(&made));
        cs_json_member_raw(&w, "claims", cs_buf_view(&claims));
        cs_json_object_end(&w);
    } else {
        cs_buf_add(&answer, cs_buf_view(&made));
    }
    code = ctl_print(&answer);
out:
    cs_buf_wipe(&secret);
    cs_buf_clear(&claims);
    cs_buf_wipe(&made);
    cs_buf_wipe(&answer);
    return code;
}

int ctl_token(struct ctl *ctl, int argc, char **argv)
{
    static const struct option longs[] = {
        {"sub", required_argument, NULL, 'u'},
        {"admin", no_argument, NULL, 'a'},
        {"org", required_argument, NULL, 'o'},
        {"ttl", required_argument, NULL, 't'},
        {"secret-file", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct token token = {.ttl_s = DEFAULT_TTL_S};
    int option;

    while ((option = getopt_long(argc, argv, "u:ao:t:f:h", longs, NULL)) != -1) {
        switch (option) {
        case 'u':
            token.user = optarg;
            break;
        case 'a':
            token.admin = true;
            break;
        case 'o':
            token.tenant = optarg;
            break;
        case 't':
            if (!cs_view_to_u64(cs_view_cstr(optarg), &token.ttl_s) || token.ttl_s == 0 ||
                token.ttl_s > TTL_MAX_S)
                return ctl_usage("token", "--ttl takes a number of seconds");
            break;
        case 'f':
            token.secret_file = optarg;
            break;
        case 'h':
            (void)fputs(help_text, stdout);
            return CTL_OK;
        default:
            return ctl_usage("token", "unknown option");
        }
    }
    if (token.user == NULL || *token.user == '\0' || optind < argc)
        return ctl_usage("token", "--sub USER is needed, and nothing else stands alone");
    return print_token(ctl, &token);
}
