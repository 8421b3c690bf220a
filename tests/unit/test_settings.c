#include "config.h"

#include "unit.h"

#include "config/settings.h"

static char *no_environment[] = {NULL};

/* Writes text to a fresh file and returns its path, freed by the caller. */
static char *env_file(const char *text)
{
    char *path = strdup("/tmp/cs-env-XXXXXX");
    int fd;

    assert_non_null(path);
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(cs_file_write_all(fd, cs_view_cstr(text)), 0);
    assert_int_equal(close(fd), 0);
    return path;
}

static struct cs_settings *load(const char *file_text, char *const *environment,
                                const char *const *overrides, struct cs_err *err)
{
    char *path = env_file(file_text);
    struct cs_settings *settings = cs_settings_load(path, environment, overrides, err);

    assert_int_equal(unlink(path), 0);
    free(path);
    return settings;
}

static void test_defaults_are_all_good(void **state)
{
    struct cs_err fault = CS_ERR_NONE;
    struct cs_settings *settings = load("", no_environment, NULL, &fault);

    (void)state;
    assert_non_null(settings);
    assert_true(cs_settings_is(settings, CS_SET_STORE, "local"));
    assert_null(cs_settings_text(settings, CS_SET_PUBLIC_URL));
    assert_int_equal(cs_settings_integer(settings, CS_SET_WORKERS), 4);
    assert_string_equal(cs_settings_origin(settings, CS_SET_WORKERS), "default");
    for (int id = 0; id < CS_SETTING_COUNT; id++)
        assert_true(strlen(cs_setting_describe((enum cs_setting_id)id)->help) > 10);
    cs_settings_free(settings);
}

static void test_later_sources_win(void **state)
{
    char *environment[] = {(char *)"WORKERS=3", (char *)"HOME=/x",
                           (char *)"S3_BUCKET_NAME=from-environment", NULL};
    const char *overrides[] = {"WORKERS=5", NULL};
    struct cs_err fault = CS_ERR_NONE;
    struct cs_settings *settings =
        load("WORKERS=2\nS3_BUCKET_NAME=from-file\nDYNAMODB_TABLE_NAME=t\n"
             "AWS_ACCESS_KEY_ID=test-key\n",
             environment, overrides, &fault);

    (void)state;
    assert_non_null(settings);
    assert_int_equal(cs_settings_integer(settings, CS_SET_WORKERS), 5);
    assert_string_equal(cs_settings_origin(settings, CS_SET_WORKERS), "option");
    assert_string_equal(cs_settings_text(settings, CS_SET_BUCKET_NAME),
                        "from-environment");
    assert_string_equal(cs_settings_text(settings, CS_SET_TABLE_NAME), "t");
    assert_non_null(strstr(cs_settings_origin(settings, CS_SET_TABLE_NAME), " line 3"));
    assert_string_equal(cs_settings_extra(settings, "AWS_ACCESS_KEY_ID", NULL),
                        "test-key");
    assert_null(cs_settings_extra(settings, "AWS_REGION", NULL));
    cs_settings_free(settings);
}

/* The names that are AWS's follow the same order. */
static void test_names_of_the_sdks(void **state)
{
    static const struct {
        const char *name, *value;
        enum cs_setting_source source;
    } expected[] = {{"AWS_REGION", "option", CS_SOURCE_OPTION},
                    {"AWS_PROFILE", "environment", CS_SOURCE_ENVIRONMENT},
                    {"AWS_ACCESS_KEY_ID", "file", CS_SOURCE_FILE},
                    {"AWS_SESSION_TOKEN", NULL, CS_SOURCE_OPTION},
                    {"AWS_PROXY", "file", CS_SOURCE_FILE}};
    char *environment[] = {
        (char *)"AWS_REGION=environment", (char *)"AWS_PROFILE=environment",
        (char *)"AWS_PROXY=", (char *)"AWS_SESSION_TOKEN=environment", NULL};
    const char *overrides[] = {"AWS_REGION=option", "AWS_SESSION_TOKEN=", NULL};
    const char *misspelt[] = {"AWSREGION=x", NULL};
    struct cs_err fault = CS_ERR_NONE;
    struct cs_settings *settings = load("AWS_REGION=file\nAWS_PROFILE=file\n"
                                        "AWS_ACCESS_KEY_ID=file\nAWS_PROXY=file\n",
                                        environment, overrides, &fault);

    (void)state;
    assert_non_null(settings);
    for (size_t i = 0; i < CS_COUNT(expected); i++) {
        enum cs_setting_source source = CS_SOURCE_DEFAULT;
        const char *value = cs_settings_extra(settings, expected[i].name, &source);

        assert_true((value == NULL) == (expected[i].value == NULL));
        if (value != NULL)
            assert_string_equal(value, expected[i].value);
        assert_int_equal(source, expected[i].source);
    }
    cs_settings_free(settings);
    assert_null(load("", no_environment, misspelt, &fault));
}

static void test_env_file_forms(void **state)
{
    struct cs_err fault = CS_ERR_NONE;
    struct cs_settings *settings =
        load("# a comment\n\n  export JWT_ISSUER = \"a \\\"b\\\" #c\"  # behind\n"
             "JWT_AUDIENCE='x\\n#y'\nS3_BUCKET_NAME=plain value # comment\r\n"
             "DYNAMODB_TABLE_NAME=\n",
             no_environment, NULL, &fault);

    (void)state;
    assert_non_null(settings);
    assert_string_equal(cs_settings_text(settings, CS_SET_JWT_ISSUER), "a \"b\" #c");
    assert_string_equal(cs_settings_text(settings, CS_SET_JWT_AUDIENCE), "x\\n#y");
    assert_string_equal(cs_settings_text(settings, CS_SET_BUCKET_NAME), "plain value");
    assert_string_equal(cs_settings_text(settings, CS_SET_TABLE_NAME), "campaigns");
    cs_settings_free(settings);
}

static void test_faults_name_setting_place_and_remedy(void **state)
{
    static const struct {
        const char *file, *field, *says;
    } cases[] = {
        {"WORKERS=many\n", "WORKERS",
         "line 1): it must be a whole number of processes from 1"},
        {"\nWORKERS=0\n", "WORKERS", "line 2)"},
        {"WORKERS=99999999999999999999\n", "WORKERS", "whole number"},
        {"CAMPAIGN_STORE=cloud\n", "CAMPAIGN_STORE", "must be one of local|aws"},
        {"CAMPAIGN_STOER=aws\n", "CAMPAIGN_STOER", "did you mean CAMPAIGN_STORE"},
        {"SOMETHING=1\n", "SOMETHING", "is no setting of campaignstore"},
        {"WORKERS\n", "", "line 1: NAME=value is expected"},
        {"JWT_ISSUER=\"open\n", "", "the quote \" is not closed"},
        {"JWT_ISSUER=\"a\" b\n", "", "behind the closing quote"},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_err fault = CS_ERR_NONE;

        assert_null(load(cases[i].file, no_environment, NULL, &fault));
        assert_int_equal(fault.code, CS_EINVAL);
        assert_string_equal(fault.field, cases[i].field);
        if (strstr(fault.text, cases[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", fault.text, cases[i].says);
    }
}

static void test_unknown_names_of_the_environment(void **state)
{
    char *ours[] = {(char *)"LIMIT_JSON_BYTE=1", NULL};
    char *others[] = {(char *)"PATH=/bin", (char *)"LOG_SOMETHING=1",
                      (char *)"AWS_PROFILE=x", (char *)"no-equals", NULL};
    const char *option[] = {"PATH=/bin", NULL};
    struct cs_err fault = CS_ERR_NONE;
    struct cs_settings *settings;

    (void)state;
    assert_null(load("", ours, NULL, &fault));
    assert_non_null(strstr(fault.text, "LIMIT_JSON_BYTES"));
    settings = load("", others, NULL, NULL);
    assert_non_null(settings);
    cs_settings_free(settings);
    assert_null(load("", no_environment, option, NULL));
    cs_err_clear(&fault);
    assert_null(cs_settings_load("/nonexistent/.env", no_environment, NULL, &fault));
    assert_non_null(strstr(fault.text, "/nonexistent/.env"));
}

static void test_secrets_are_not_told(void **state)
{
    struct cs_err fault = CS_ERR_NONE;
    struct cs_settings *settings =
        load("JWT_SECRET=0123456789012345678901234567890123456789\n", no_environment,
             NULL, &fault);

    (void)state;
    assert_non_null(settings);
    assert_true(cs_setting_describe(CS_SET_JWT_SECRET)->secret);
    assert_true(cs_setting_describe(CS_SET_URL_SECRET)->secret);
    cs_settings_free(settings);
}

static void test_a_text_holds_no_nul(void **state)
{
    char *path = env_file("");
    struct cs_err fault = CS_ERR_NONE;

    (void)state;
    assert_ok(cs_file_write(path, CS_LIT("JWT_SECRET=told\0untold\n"), 0600, err));
    assert_null(cs_settings_load(path, no_environment, NULL, &fault));
    assert_int_equal(fault.code, CS_EINVAL);
    assert_string_equal(fault.field, "JWT_SECRET");
    assert_non_null(strstr(fault.text, "NUL"));
    assert_null(strstr(fault.text, "told"));
    assert_int_equal(unlink(path), 0);
    free(path);
}

static void test_env_file_for_everybody(void **state)
{
    static const struct {
        mode_t mode;
        const char *fault;
    } cases[] = {{0600, NULL},
                 {0640, NULL},
                 {0660, NULL},
                 {0601, NULL},
                 {0644, "may be read"},
                 {0604, "may be read"},
                 {0602, "may be changed"},
                 {0666, "may be changed"}};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_err fault = CS_ERR_NONE;
        char *path = env_file("WORKERS=7\n");
        struct cs_settings *settings;

        assert_int_equal(chmod(path, cases[i].mode), 0);
        settings = cs_settings_load(path, no_environment, NULL, &fault);
        assert_int_equal(settings == NULL, cases[i].fault != NULL);
        if (cases[i].fault != NULL) {
            assert_int_equal(fault.code, CS_EINVAL);
            assert_non_null(strstr(fault.text, cases[i].fault));
            assert_non_null(strstr(fault.text, "chmod o-rwx"));
        }
        cs_settings_free(settings);
        assert_int_equal(unlink(path), 0);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_all_good),
        cmocka_unit_test(test_later_sources_win),
        cmocka_unit_test(test_names_of_the_sdks),
        cmocka_unit_test(test_env_file_forms),
        cmocka_unit_test(test_env_file_for_everybody),
        cmocka_unit_test(test_faults_name_setting_place_and_remedy),
        cmocka_unit_test(test_unknown_names_of_the_environment),
        cmocka_unit_test(test_secrets_are_not_told),
        cmocka_unit_test(test_a_text_holds_no_nul),
    };

    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
