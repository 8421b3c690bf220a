/* aws/settings.h: the settings that AWS's SDKs have in common, from the environment, and
 * what it does not have from the profile (AWS_PROFILE, or "default"):
 *
 *   in the environment                    in the profile
 *   AWS_REGION, AWS_DEFAULT_REGION        region
 *   AWS_USE_DUALSTACK_ENDPOINT            use_dualstack_endpoint
 *   AWS_USE_FIPS_ENDPOINT                 use_fips_endpoint
 *   AWS_CA_BUNDLE                         ca_bundle
 *   AWS_MAX_ATTEMPTS                      max_attempts
 *   AWS_ENDPOINT_URL_S3 (_DYNAMODB, _STS) endpoint_url below s3 (dynamodb, sts) in the
 *                                         section [services NAME], as services = NAME
 * says AWS_ENDPOINT_URL                      endpoint_url
 *   AWS_IGNORE_CONFIGURED_ENDPOINT_URLS   ignore_configured_endpoint_urls
 *
 * Of endpoints the environment's two come first, that of the service before that of all,
 * then the profile's two; none counts where they are to be ignored.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Settings reference", "Service-specific
 * endpoints". */
#ifndef CS_AWS_SETTINGS_H
#define CS_AWS_SETTINGS_H

#include "aws/shared_files.h"

#define CS_AWS_ATTEMPTS_MAX 100u

struct cs_aws_settings;

/* Reads the profile, once. environment and payload are borrowed for good. NULL with err
 * set: CS_EINVAL for a value that can't be, with the place where it stands (the field is
 * the setting's name, or the profile's key); CS_ENOMEM. */
struct cs_aws_settings *cs_aws_settings_new(cs_aws_setting_fn *environment,
                                            const void *payload, struct cs_err *err);
void cs_aws_settings_free(struct cs_aws_settings *settings);

/* A cs_aws_setting_fn, whose payload are the settings: what counts for a name of the
 * environment; AWS_ENDPOINT_URL_S3 is where S3 is asked, whichever of the four says so.
 * Other names are passed on to the environment. */
const char *cs_aws_settings_get(const void *settings, const char *name);

/* "true", "1", "yes", "on" and their opposites, in either case; false: none of them. */
bool cs_aws_read_flag(struct cs_view text, bool *out);

#endif
