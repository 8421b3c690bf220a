/* config/settings.h: every setting, from defaults < .env < environment < options.
 * One table (settings.def) describes them all: name, kind, default, range,
 * one line of help; env.example and the manual are checked against it. */
#ifndef CS_CONFIG_SETTINGS_H
#define CS_CONFIG_SETTINGS_H

#include "base/buf.h"

enum cs_setting_kind {
    CS_SETTING_TEXT,
    CS_SETTING_INTEGER,
    CS_SETTING_BOOLEAN,
    CS_SETTING_CHOICE /* one of `choices`, separated by '|' */
};

enum cs_setting_id {
#define CS_SETTING(id, ...) CS_SET_##id,
#include "config/settings.def"
#undef CS_SETTING
    CS_SETTING_COUNT
};

struct cs_setting {
    const char *name;
    enum cs_setting_kind kind;
    const char *fallback; /* default, as text; "" is "not set" */
    const char *choices;  /* CHOICE: "a|b"; INTEGER: the unit ("seconds"), else NULL */
    int64_t min, max;     /* INTEGER */
    bool secret;          /* never printed */
    const char *help;     /* one line */
};

struct cs_settings;

/* Reads them all. env_file NULL: ".env" in the working folder when it is there;
 * a named one must exist. environment as environ(7). overrides: "NAME=value"
 * texts, NULL at the end, or NULL. CS_EINVAL names the setting in err->field,
 * where the value stands (file and line, environment, option) and what is
 * allowed; an unknown name of ours is an error that proposes the nearest one. */
struct cs_settings *cs_settings_load(const char *env_file, char *const *environment,
                                     const char *const *overrides, struct cs_err *err);
void cs_settings_free(struct cs_settings *settings);

/* NULL when not set (empty). */
const char *cs_settings_text(const struct cs_settings *settings, enum cs_setting_id id);
int64_t cs_settings_integer(const struct cs_settings *settings, enum cs_setting_id id);
bool cs_settings_flag(const struct cs_settings *settings, enum cs_setting_id id);
bool cs_settings_is(const struct cs_settings *settings, enum cs_setting_id id,
                    const char *choice);

const struct cs_setting *cs_setting_describe(enum cs_setting_id id);
/* "default", ".env line 12", "environment", "option": borrowed. */
const char *cs_settings_origin(const struct cs_settings *settings, enum cs_setting_id id);

enum cs_setting_source {
    CS_SOURCE_DEFAULT,
    CS_SOURCE_FILE,
    CS_SOURCE_ENVIRONMENT,
    CS_SOURCE_OPTION
};

/* An AWS_* name that is none of ours, as options, environment and the .env file have it,
 * in this order; NULL when not set (empty). *source_out says where it stands, unless
 * source_out is NULL. */
const char *cs_settings_extra(const struct cs_settings *settings, const char *name,
                              enum cs_setting_source *source_out);

#endif
