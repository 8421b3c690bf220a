/* aws/profile.h: the shared config and credentials files of the AWS tools, as text.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials
 * files". */
#ifndef CS_AWS_PROFILE_H
#define CS_AWS_PROFILE_H

#include "base/view.h"

enum cs_profile_file {
    CS_PROFILE_CONFIG,     /* sections [default] and [profile name] */
    CS_PROFILE_CREDENTIALS /* sections [name] */
};

/* Whether the file has such a profile. */
bool cs_profile_has(struct cs_view text, enum cs_profile_file kind,
                    struct cs_view profile);

/* Value of a key (names without case) of a profile; the last one counts, .ptr NULL
 * when there is none. Settings nested below another one are not looked at. */
struct cs_view cs_profile_get(struct cs_view text, enum cs_profile_file kind,
                              struct cs_view profile, const char *key);

#endif
