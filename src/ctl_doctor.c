#include "config.h"

#include "ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/app.h"
#include "store/store_aws.h"
#include "json/write.h"

#define AWS_BUDGET_MS 120000

/* 2024-01-01: a clock before this can't be right, and no token would be. */
#define CLOCK_FLOOR_US (1704067200ll * CS_SECOND_US)

static const char help_text[] =
    "Usage: campaignctl doctor\n"
    "Shows every setting with its origin (secrets masked), then tries everything that "
    "the\n"
    "service needs, one by one, with a fix for each failure.\n"
    "\n"
    "Exit status: 0 all is well, 2 something failed.\n";

struct doctor {
    struct ctl *ctl;
    struct cs_buf text;
    struct cs_json_writer w;
    unsigned failures;
    struct cs_buf skipped; /* why the last checks were skipped, and how many were */
    unsigned skips;
};

/* ---- the settings ---- */

static void show_value(struct doctor *doctor, const char *name, bool secret,
                       const char *value, const char *origin)
{
    if (value != NULL && secret)
        value = "********";
    if (!doctor->ctl->json) {
        cs_buf_add_fmt(&doctor->text, "  %-33s %-24s (%s)\n", name,
                       value != NULL ? value : "-", origin);
        return;
    }
    cs_json_key(&doctor->w, name);
    cs_json_object(&doctor->w);
    cs_json_member_cstr(&doctor->w, "value", value);
    cs_json_member_cstr(&doctor->w, "origin", origin);
    cs_json_object_end(&doctor->w);
}

static void show_setting(struct doctor *doctor, enum cs_setting_id id)
{
    const struct cs_setting *setting = cs_setting_describe(id);

    show_value(doctor, setting->name, setting->secret,
               cs_settings_text(doctor->ctl->settings, id),
               cs_settings_origin(doctor->ctl->settings, id));
}

/* Those that AWS's own tools know, as far as they are set. */
static void show_aws_settings(struct doctor *doctor)
{
    static const struct {
        const char *name;
        bool secret;
    } names[] = {
        {"AWS_REGION", false},
        {"AWS_DEFAULT_REGION", false},
        {"AWS_PROFILE", false},
        {"AWS_CONFIG_FILE", false},
        {"AWS_SHARED_CREDENTIALS_FILE", false},
        {"AWS_ACCESS_KEY_ID", true},
        {"AWS_SECRET_ACCESS_KEY", true},
        {"AWS_SESSION_TOKEN", true},
        {"AWS_ROLE_ARN", false},
        {"AWS_WEB_IDENTITY_TOKEN_FILE", false},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", false},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI", false},
        {"AWS_ENDPOINT_URL", false},
        {"AWS_ENDPOINT_URL_S3", false},
        {"AWS_ENDPOINT_URL_DYNAMODB", false},
        {"AWS_ENDPOINT_URL_STS", false},
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", false},
        {"AWS_USE_DUALSTACK_ENDPOINT", false},
        {"AWS_USE_FIPS_ENDPOINT", false},
        {"AWS_CA_BUNDLE", false},
        {"AWS_PROXY", false},
        {"AWS_MAX_ATTEMPTS", false},
    };
    static const char *const origins[] = {[CS_SOURCE_DEFAULT] = "default",
                                          [CS_SOURCE_FILE] = "settings file",
                                          [CS_SOURCE_ENVIRONMENT] = "environment",
                                          [CS_SOURCE_OPTION] = "option"};

    for (size_t i = 0; i < CS_COUNT(names); i++) {
        enum cs_setting_source source = CS_SOURCE_DEFAULT;
        const char *value =
            cs_settings_extra(doctor->ctl->settings, names[i].name, &source);

        if (value != NULL)
            show_value(doctor, names[i].name, names[i].secret, value, origins[source]);
    }
}

static bool is_aws(const struct doctor *doctor)
{
    return cs_settings_is(doctor->ctl->settings, CS_SET_STORE, "aws");
}

static void show_settings(struct doctor *doctor)
{
    if (doctor->ctl->json) {
        cs_json_key(&doctor->w, "settings");
        cs_json_object(&doctor->w);
    } else {
        cs_buf_add_cstr(&doctor->text, "Settings\n");
    }
    for (int id = 0; id < CS_SETTING_COUNT; id++)
        show_setting(doctor, (enum cs_setting_id)id);
    if (is_aws(doctor))
        show_aws_settings(doctor);
    if (doctor->ctl->json)
        cs_json_object_end(&doctor->w);
}

/* ---- the checks ---- */

struct finding {
    const char *check;
    enum cs_store_aws_result result;
    struct cs_view text;    /* what was found; why it failed or was skipped; or empty */
    struct cs_view fix;     /* of a failure */
    struct cs_view missing; /* the permission that lacks; or empty */
};

static void tell_json(struct doctor *doctor, const struct finding *finding)
{
    bool failed = finding->result == CS_STORE_AWS_FAILED;

    cs_json_object(&doctor->w);
    cs_json_member_cstr(&doctor->w, "check", finding->check);
    cs_json_member_bool(&doctor->w, "ok", finding->result == CS_STORE_AWS_OK);
    if (finding->result == CS_STORE_AWS_SKIPPED)
        cs_json_member_bool(&doctor->w, "skipped", true);
    if (failed || finding->text.len > 0)
        cs_json_member_str(&doctor->w, failed ? "cause" : "text", finding->text);
    if (failed)
        cs_json_member_str(&doctor->w, "fix", finding->fix);
    if (finding->missing.len > 0)
        cs_json_member_str(&doctor->w, "missing", finding->missing);
    cs_json_object_end(&doctor->w);
}

static void end_skipped(struct doctor *doctor)
{
    if (doctor->skips == 0)
        return;
    if (doctor->skips > 1)
        cs_buf_add_fmt(&doctor->text, " and the %u after it", doctor->skips - 1);
    cs_buf_add_fmt(&doctor->text, ": %s\n", cs_buf_cstr(&doctor->skipped));
    cs_buf_reset(&doctor->skipped);
    doctor->skips = 0;
}

/* What one failure brings with it is one line, not thirty. */
static void tell_skipped(struct doctor *doctor, const struct finding *finding)
{
    if (doctor->skips > 0 && cs_view_eq(cs_buf_view(&doctor->skipped), finding->text)) {
        doctor->skips++;
        return;
    }
    end_skipped(doctor);
    cs_buf_add_fmt(&doctor->text, "  skip   %s", finding->check);
    cs_buf_add(&doctor->skipped, finding->text);
    doctor->skips = 1;
}

static void tell_finding(struct doctor *doctor, const struct finding *finding)
{
    bool failed = finding->result == CS_STORE_AWS_FAILED;

    doctor->failures += failed ? 1 : 0;
    if (doctor->ctl->json) {
        tell_json(doctor, finding);
        return;
    }
    if (finding->result == CS_STORE_AWS_SKIPPED) {
        tell_skipped(doctor, finding);
        return;
    }
    end_skipped(doctor);
    cs_buf_add_fmt(&doctor->text, "  %-6s %s", failed ? "FAILED" : "ok", finding->check);
    if (failed)
        cs_buf_add_fmt(&doctor->text, "\n         %.*s\n         fix: %.*s",
                       CS_FMT(finding->text), CS_FMT(finding->fix));
    else if (finding->text.len > 0)
        cs_buf_add_fmt(&doctor->text, ": %.*s", CS_FMT(finding->text));
    cs_buf_add_byte(&doctor->text, '\n');
}

/* cause and fix are of a check that is not good. */
static void tell(struct doctor *doctor, const char *what, bool good, const char *cause,
                 const char *fix)
{
    const struct finding finding = {.check = what,
                                    .result =
                                        good ? CS_STORE_AWS_OK : CS_STORE_AWS_FAILED,
                                    .text = cs_view_cstr(good ? "" : cause),
                                    .fix = cs_view_cstr(good ? "" : fix)};

    tell_finding(doctor, &finding);
}

static void check_clock(struct doctor *doctor)
{
    tell(doctor, "clock", cs_clock_now_us() > CLOCK_FLOOR_US,
         "the clock stands before 2024",
         "set the clock (timedatectl set-ntp true): tokens and links depend on it");
}

static void check_keys(struct doctor *doctor, struct cs_wiring *wiring)
{
    const struct cs_app_options options = {.settings = doctor->ctl->settings,
                                           .campaigns = &wiring->campaigns,
                                           .share_dir =
                                               cs_wiring_share_dir(doctor->ctl->settings),
                                           .started_as = "doctor",
                                           .fetch = cs_wiring_fetch,
                                           .fetch_payload = wiring,
                                           .log = doctor->ctl->log};
    struct cs_err err = CS_ERR_NONE;
    struct cs_app *app = cs_app_new(&options, &err);

    tell(doctor, "keys for bearer tokens", app != NULL, err.text,
         "set JWT_SECRET_FILE, JWT_PUBLIC_KEY_FILE, JWT_JWKS_FILE or JWT_JWKS_URL, or "
         "AUTH_MODE=gateway");
    cs_app_free(app);
}

static void check_share(struct doctor *doctor)
{
    struct cs_buf path = CS_BUF_INIT(16384);
    bool good;

    cs_buf_add_fmt(&path, "%s/openapi.json", cs_wiring_share_dir(doctor->ctl->settings));
    good = cs_buf_check(&path, NULL) == CS_OK && access(cs_buf_cstr(&path), R_OK) == 0;
    tell(doctor, "installed files", good, cs_buf_cstr(&path),
         "make install, or point CAMPAIGN_SHARE_DIR to the folder share of the sources");
    cs_buf_clear(&path);
}

static void check_rendering(struct doctor *doctor, struct cs_wiring *wiring)
{
    const struct cs_render_input input = {
        .campaign_id = CS_LIT("doctor"),
        .campaign_name = CS_LIT("Doctor"),
        .status = CS_LIT("completed"),
        .created_at = CS_LIT("2024-01-01T00:00:00.000000Z"),
        .completed_at = CS_LIT("2024-01-01T00:00:00.000000Z"),
        .brief = CS_LIT("{}"),
        .state = CS_LIT("{\"artifacts\":{}}"),
        .interactions = CS_LIT("[]"),
        .want_website = true,
        .want_pdf = true};
    struct cs_render_output output = {.website_fd = -1, .pdf_fd = -1};
    struct cs_err err = CS_ERR_NONE;
    enum cs_code rc;

    rc = cs_render(wiring->renderer, &input, &output, cs_deadline_in_ms(60000), &err);
    tell(doctor, "templates, fonts and rendering", rc == CS_OK, err.text,
         "apt-get install fonts-dejavu-core, or set RENDER_FONTS, RENDER_THEME, "
         "CAMPAIGN_SHARE_DIR");
    cs_render_output_clear(&output);
}

static void on_step(void *payload, const struct cs_store_aws_step *step)
{
    const struct finding finding = {.check = step->name,
                                    .result = step->result,
                                    .text = step->text,
                                    .fix = step->fix,
                                    .missing = step->missing};

    tell_finding(payload, &finding);
}

static void check_store(struct doctor *doctor, struct cs_wiring *wiring)
{
    struct cs_store_health health = {.objects_ok = false};

    if (is_aws(doctor)) {
        cs_store_aws_diagnose(wiring->store, on_step, doctor,
                              cs_deadline_in_ms(AWS_BUDGET_MS));
        return;
    }
    wiring->store->ops->health(wiring->store, &health, cs_deadline_in_ms(10000));
    tell(doctor, "objects", health.objects_ok, health.objects_text,
         "campaignctl init; check CAMPAIGN_LOCAL_ROOT, its owner, mode and free space");
    tell(doctor, "records", health.records_ok, health.records_text,
         "campaignctl init; check CAMPAIGN_LOCAL_ROOT, its owner and mode");
}

/* Whether somebody listens on the socket that the settings name. */
static void check_socket(struct doctor *doctor)
{
    const char *path = cs_settings_text(doctor->ctl->settings, CS_SET_LISTEN);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool good;
    int fd;

    if (path == NULL || path[0] != '/')
        return; /* started by the web server, or on TCP */
    if (strlen(path) >= sizeof(address.sun_path)) {
        tell(doctor, "socket", false, path, "choose a path of at most 107 bytes");
        return;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    good =
        fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    tell(doctor, "socket", good, path,
         "start campaignd (systemctl start campaignd), or run doctor as a user that may "
         "connect");
    if (fd >= 0)
        (void)close(fd);
}

static void run_checks(struct doctor *doctor)
{
    struct cs_err err = CS_ERR_NONE;
    struct cs_wiring wiring;
    enum cs_code rc =
        cs_wiring_init(&wiring, doctor->ctl->settings, doctor->ctl->log, true, &err);

    check_clock(doctor);
    check_share(doctor);
    if (wiring.store != NULL) {
        check_keys(doctor, &wiring);
        check_store(doctor, &wiring);
    } else {
        tell(doctor, "settings of the store", false, err.text,
             "see env.example, which tells every setting");
    }
    if (rc == CS_OK)
        check_rendering(doctor, &wiring);
    else if (wiring.store != NULL)
        tell(doctor, "templates", false, err.text,
             "make install, or set CAMPAIGN_SHARE_DIR and RENDER_THEME");
    check_socket(doctor);
    end_skipped(doctor);
    cs_wiring_clear(&wiring);
}

int ctl_doctor(struct ctl *ctl, int argc, char **argv)
{
    struct doctor doctor = {
        .ctl = ctl, .text = CS_BUF_INIT(1u << 20), .skipped = CS_BUF_INIT(1u << 16)};
    int code;

    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        (void)fputs(help_text, stdout);
        return CTL_OK;
    }
    if (argc != 1)
        return ctl_usage("doctor", "it takes no arguments");
    cs_json_writer_init(&doctor.w, &doctor.text);
    if (ctl->json)
        cs_json_object(&doctor.w);
    show_settings(&doctor);
    if (ctl->json) {
        cs_json_key(&doctor.w, "checks");
        cs_json_array(&doctor.w);
    } else {
        cs_buf_add_cstr(&doctor.text, "\nChecks\n");
    }
    run_checks(&doctor);
    if (ctl->json) {
        cs_json_array_end(&doctor.w);
        cs_json_object_end(&doctor.w);
    } else if (doctor.failures == 0) {
        cs_buf_add_cstr(&doctor.text, "\nAll is well.");
    } else {
        cs_buf_add_fmt(&doctor.text, "\n%u of the checks failed.", doctor.failures);
    }
    code = ctl_print(&doctor.text);
    cs_buf_clear(&doctor.text);
    cs_buf_clear(&doctor.skipped);
    return code == CTL_OK && doctor.failures > 0 ? CTL_FINDINGS : code;
}
