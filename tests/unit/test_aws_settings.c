/* Settings of the AWS SDKs: what the environment says, and the profile. */
#include "config.h"

#include <sys/stat.h>

#include "failing_malloc.h"
#include "unit_folder.h"

#include "aws/settings.h"

#define ENVIRONMENT_MAX 12

struct world {
    char *folder;
    char config_file[256], credentials_file[256]; /* "AWS_CONFIG_FILE=..." */
    const char *environment[ENVIRONMENT_MAX];     /* "NAME=value" */
};

static const char *environment(const void *payload, const char *name)
{
    const struct world *world = payload;
    size_t len = strlen(name);

    for (size_t i = 0; i < ENVIRONMENT_MAX && world->environment[i] != NULL; i++)
        if (strncmp(world->environment[i], name, len) == 0 &&
            world->environment[i][len] == '=')
            return world->environment[i] + len + 1;
    return NULL;
}

static void add(struct world *world, const char *text)
{
    size_t i = 0;

    while (world->environment[i] != NULL)
        i++;
    assert_true(i + 1 < ENVIRONMENT_MAX);
    world->environment[i] = text;
}

/* Begins with the two files alone. */
static void begin(struct world *world)
{
    memset(world->environment, 0, sizeof(world->environment));
    add(world, world->config_file);
    add(world, world->credentials_file);
}

static void write_file(const struct world *world, const char *name, const char *text)
{
    char *path = unit_folder_path(world->folder, name);

    assert_ok(cs_file_write(path, cs_view_cstr(text), 0600, err));
    free(path);
}

static const char config_text[] = "[default]\n"
                                  "region = eu-central-1\n"
                                  "[profile dev]\n"
                                  "region = eu-west-1\n"
                                  "services = local\n"
                                  "endpoint_url = http://127.0.0.1:1111/all\n"
                                  "use_fips_endpoint = true\n"
                                  "use_dualstack_endpoint=False\n"
                                  "ca_bundle = /etc/ssl/own.pem # ours\n"
                                  "max_attempts = 4\n"
                                  "[profile quiet]\n"
                                  "services = local\n"
                                  "ignore_configured_endpoint_urls = true\n"
                                  "[services local]\n"
                                  "s3 =\n"
                                  "  # the gateway\n"
                                  "  endpoint_url = http://127.0.0.1:2222\n"
                                  "dynamodb =\n"
                                  "\tendpoint_url = http://127.0.0.1:3333\n";

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->folder = unit_folder_make();
    assert_true(snprintf(world->config_file, sizeof(world->config_file),
                         "AWS_CONFIG_FILE=%s/config", world->folder) > 0);
    assert_true(snprintf(world->credentials_file, sizeof(world->credentials_file),
                         "AWS_SHARED_CREDENTIALS_FILE=%s/credentials",
                         world->folder) > 0);
    write_file(world, "config", config_text);
    begin(world);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    unit_folder_remove(world->folder);
    free(world);
    return 0;
}

static struct cs_aws_settings *settings_of(const struct world *world)
{
    struct cs_err why = CS_ERR_NONE;
    struct cs_aws_settings *settings = cs_aws_settings_new(environment, world, &why);

    if (settings == NULL)
        fail_msg("%s", why.text);
    return settings;
}

static void check(const struct cs_aws_settings *settings, const char *name,
                  const char *value)
{
    const char *found = cs_aws_settings_get(settings, name);

    if (value == NULL && found != NULL)
        fail_msg("%s is %s", name, found);
    if (value != NULL)
        assert_string_equal(found, value);
}

static void test_a_profile(void **state)
{
    struct world *world = *state;
    struct cs_aws_settings *settings;

    add(world, "AWS_PROFILE=dev");
    add(world, "AWS_SESSION_TOKEN=token");
    add(world, "AWS_PROXY=");
    settings = settings_of(world);
    check(settings, "AWS_REGION", NULL);
    check(settings, "AWS_DEFAULT_REGION", "eu-west-1");
    check(settings, "AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2222");
    check(settings, "AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:3333");
    check(settings, "AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1111/all");
    check(settings, "AWS_ENDPOINT_URL", "http://127.0.0.1:1111/all");
    check(settings, "AWS_USE_FIPS_ENDPOINT", "true");
    check(settings, "AWS_USE_DUALSTACK_ENDPOINT", "False");
    check(settings, "AWS_CA_BUNDLE", "/etc/ssl/own.pem");
    check(settings, "AWS_MAX_ATTEMPTS", "4");
    check(settings, "AWS_SESSION_TOKEN", "token");
    check(settings, "AWS_PROXY", NULL);
    check(settings, "AWS_ROLE_ARN", NULL);
    cs_aws_settings_free(settings);
}

/* Without AWS_PROFILE; and one that is not there says nothing. */
static void test_the_default_profile(void **state)
{
    struct world *world = *state;
    struct cs_aws_settings *settings = settings_of(world);

    check(settings, "AWS_DEFAULT_REGION", "eu-central-1");
    check(settings, "AWS_ENDPOINT_URL_S3", NULL);
    check(settings, "AWS_ENDPOINT_URL", NULL);
    cs_aws_settings_free(settings);
    add(world, "AWS_PROFILE=nobody");
    settings = settings_of(world);
    check(settings, "AWS_DEFAULT_REGION", NULL);
    cs_aws_settings_free(settings);
}

static void test_the_environment_first(void **state)
{
    struct world *world = *state;
    struct cs_aws_settings *settings;

    add(world, "AWS_PROFILE=dev");
    add(world, "AWS_DEFAULT_REGION=us-east-1");
    add(world, "AWS_ENDPOINT_URL=https://all.example.com");
    add(world, "AWS_ENDPOINT_URL_DYNAMODB=https://table.example.com");
    add(world, "AWS_USE_FIPS_ENDPOINT=no");
    add(world, "AWS_MAX_ATTEMPTS=9");
    settings = settings_of(world);
    check(settings, "AWS_DEFAULT_REGION", "us-east-1");
    /* that of all services, before the one that the profile has for this one */
    check(settings, "AWS_ENDPOINT_URL_S3", "https://all.example.com");
    check(settings, "AWS_ENDPOINT_URL_STS", "https://all.example.com");
    check(settings, "AWS_ENDPOINT_URL_DYNAMODB", "https://table.example.com");
    check(settings, "AWS_USE_FIPS_ENDPOINT", "no");
    check(settings, "AWS_MAX_ATTEMPTS", "9");
    cs_aws_settings_free(settings);
}

static void test_endpoints_ignored(void **state)
{
    static const char *const names[] = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
                                        "AWS_ENDPOINT_URL_DYNAMODB",
                                        "AWS_ENDPOINT_URL_STS"};
    struct world *world = *state;
    struct cs_aws_settings *settings;

    add(world, "AWS_PROFILE=dev");
    add(world, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=True");
    add(world, "AWS_ENDPOINT_URL=not looked at");
    settings = settings_of(world);
    for (size_t i = 0; i < CS_COUNT(names); i++)
        check(settings, names[i], NULL);
    check(settings, "AWS_MAX_ATTEMPTS", "4");
    cs_aws_settings_free(settings);

    begin(world);
    add(world, "AWS_PROFILE=quiet");
    add(world, "AWS_ENDPOINT_URL_S3=https://s3.example.com");
    settings = settings_of(world);
    for (size_t i = 0; i < CS_COUNT(names); i++)
        check(settings, names[i], NULL);
    cs_aws_settings_free(settings);

    add(world, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false");
    settings = settings_of(world);
    check(settings, "AWS_ENDPOINT_URL_S3", "https://s3.example.com");
    check(settings, "AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:3333");
    cs_aws_settings_free(settings);
}

static void test_the_credentials_file_wins(void **state)
{
    struct world *world = *state;
    struct cs_aws_settings *settings;

    write_file(world, "credentials", "[default]\nregion = ca-central-1\n");
    settings = settings_of(world);
    check(settings, "AWS_DEFAULT_REGION", "ca-central-1");
    cs_aws_settings_free(settings);
}

static void refused(const struct world *world, const char *field, const char *begins,
                    const char *has)
{
    struct cs_err why = CS_ERR_NONE;

    assert_null(cs_aws_settings_new(environment, world, &why));
    assert_int_equal(why.code, CS_EINVAL);
    assert_string_equal(why.field, field);
    if (strncmp(why.text, begins, strlen(begins)) != 0 || strstr(why.text, has) == NULL)
        fail_msg("\"%s\" is not \"%s\" ... \"%s\"", why.text, begins, has);
}

static void test_what_is_refused_in_a_profile(void **state)
{
    static const struct {
        const char *text, *field, *begins, *has;
    } cases[] = {
        {"[default]\nregion = Canada Central\n", "region", "region in [default] of ",
         "/config is \"Canada Central\": a region looks like eu-central-1"},
        {"[default]\nendpoint_url = 127.0.0.1:9000\n", "endpoint_url",
         "endpoint_url in [default] of ", "an endpoint looks like https://host:port"},
        {"[profile default]\nuse_fips_endpoint = maybe\n", "use_fips_endpoint",
         "use_fips_endpoint in [default] of ", "write true or false"},
        {"[default]\nmax_attempts = 101\n", "max_attempts",
         "max_attempts in [default] of ", "from 1 to 100"},
        {"[default]\nignore_configured_endpoint_urls = 2\n",
         "ignore_configured_endpoint_urls", "ignore_configured_endpoint_urls in ",
         "write true or false"},
        {"[default]\nservices = local\n", "services", "services in [default] of ",
         "names \"local\": write a section [services local]"},
        {"[default]\nservices = local\n[services local]\nsts =\n endpoint_url = "
         "ftp://a\n",
         "endpoint_url", "endpoint_url of sts in [services local] of ",
         "/config is \"ftp://a\""},
    };
    struct world *world = *state;

    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        write_file(world, "config", cases[i].text);
        refused(world, cases[i].field, cases[i].begins, cases[i].has);
    }
    write_file(world, "config", "[profile dev]\nregion = eu-west-1\n");
    write_file(world, "credentials", "[dev]\nregion = x y\n");
    add(world, "AWS_PROFILE=dev");
    refused(world, "region", "region in [dev] of ", "/credentials is \"x y\"");
    write_file(world, "credentials", "");
    write_file(world, "config", "[profile dev]\nregion = x y\n");
    refused(world, "region", "region in [profile dev] of ", "/config is");
}

static void test_what_is_refused_in_the_environment(void **state)
{
    static const struct {
        const char *text, *field, *has;
    } cases[] = {
        {"AWS_DEFAULT_REGION=x y", "AWS_DEFAULT_REGION", "a region looks like"},
        {"AWS_ENDPOINT_URL_STS=https://", "AWS_ENDPOINT_URL_STS", "looks like https://"},
        {"AWS_USE_DUALSTACK_ENDPOINT=2", "AWS_USE_DUALSTACK_ENDPOINT", "true or false"},
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=x", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
         "true or false"},
        {"AWS_MAX_ATTEMPTS=0", "AWS_MAX_ATTEMPTS", "from 1 to 100"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        begin(world);
        add(world, cases[i].text);
        refused(world, cases[i].field, cases[i].field, cases[i].has);
    }
}

/* A folder in place of a file: one that is named, and one of somebody's home. */
static void test_files_that_cannot_be_read(void **state)
{
    struct world *world = *state;
    char *home = unit_folder_path(world->folder, ".aws");
    char *config = unit_folder_path(world->folder, ".aws/config");
    char home_is[256];
    struct cs_aws_settings *settings;

    assert_int_equal(mkdir(home, 0700), 0);
    assert_int_equal(mkdir(config, 0700), 0);
    assert_true(snprintf(home_is, sizeof(home_is), "HOME=%s", world->folder) > 0);
    memset(world->environment, 0, sizeof(world->environment));
    add(world, home_is);
    settings = settings_of(world);
    check(settings, "AWS_DEFAULT_REGION", NULL);
    cs_aws_settings_free(settings);
    add(world, "AWS_PROFILE=dev");
    refused(world, "AWS_PROFILE", config, "let this user read it");
    assert_int_equal(rmdir(config), 0);
    write_file(world, ".aws/config", "[profile dev]\nregion = eu-west-1\n");
    settings = settings_of(world);
    check(settings, "AWS_DEFAULT_REGION", "eu-west-1");
    cs_aws_settings_free(settings);
    free(config);
    free(home);
}

static void make_once(void *payload, const bool *failed)
{
    struct cs_err why = CS_ERR_NONE;
    struct cs_aws_settings *settings = cs_aws_settings_new(environment, payload, &why);

    failing_armed = false;
    if (*failed) {
        assert_null(settings);
        assert_int_equal(why.code, CS_ENOMEM);
    } else {
        assert_non_null(settings);
    }
    cs_aws_settings_free(settings);
}

static void test_without_memory(void **state)
{
    struct world *world = *state;

    if (!failing_works())
        skip();
    add(world, "AWS_PROFILE=dev");
    add(world, "AWS_ENDPOINT_URL=https://all.example.com");
    assert_true(failing_each(make_once, world) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_profile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_default_profile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_environment_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_endpoints_ignored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_credentials_file_wins, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_refused_in_a_profile, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_refused_in_the_environment, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_files_that_cannot_be_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_without_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
