/* aws/profile.h: the shared config and credentials files of the AWS tools, as text.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials
 * files". */
#ifndef CS_AWS_PROFILE_H
#define CS_AWS_PROFILE_H

#include "base/view.h"

enum cs_profile_kind {
    CS_PROFILE_CONFIG,      /* sections [default] and [profile name] of the config file */
    CS_PROFILE_SERVICES,    /* its sections [services name] */
    CS_PROFILE_CREDENTIALS, /* sections [name] of the credentials file */
};

/* Whether the text has such a section. */
bool cs_profile_has(struct cs_view text, enum cs_profile_kind kind, struct cs_view name);

/* Value of a key (names without case) of a section; the last one counts, .ptr NULL
 * when there is none. Settings nested below another one are not looked at. */
struct cs_view cs_profile_get(struct cs_view text, enum cs_profile_kind kind,
                              struct cs_view name, const char *key);

/* The same of the settings that are nested, in indented lines, below the key `parent`,
 * which has no value of its own. */
struct cs_view cs_profile_get_nested(struct cs_view text, enum cs_profile_kind kind,
                                     struct cs_view name, const char *parent,
                                     const char *key);

#endif
