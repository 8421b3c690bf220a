/* render/website.h: the website of a campaign: one self-contained HTML file from
 * a theme's templates, without scripts, that loads nothing from anywhere. */
#ifndef CS_RENDER_WEBSITE_H
#define CS_RENDER_WEBSITE_H

#include "render/document.h"

struct cs_theme; /* compiled templates; may be shared by any number of renderings */

/* Reads share_dir/themes/<name>/: every *.mustache file as a template of its name,
 * and style.css as the template "style". CS_ENOTFOUND, or CS_EINVAL with template
 * and line, in err; NULL then. */
struct cs_theme *cs_theme_new(const char *share_dir, const char *name,
                              struct cs_err *err);
void cs_theme_free(struct cs_theme *theme);

/* Appends the page. CS_ETOOBIG when it passes out's ceiling. */
enum cs_code cs_website_render(const struct cs_theme *theme,
                               const struct cs_document *document, struct cs_buf *out,
                               struct cs_err *err) CS_MUST_USE;

#endif
