/* render/page.h: the page that a generator hands over ready made, cleaned of what
 * language models put around it, or refused with a reason. */
#ifndef CS_RENDER_PAGE_H
#define CS_RENDER_PAGE_H

#include "base/buf.h"

struct cs_page_facts {
    const char *title;    /* for a page without one */
    const char *language; /* for a page that names none */
};

/* Appends the page found in `text`: chat and fences removed; document type, html,
 * head, charset, viewport and title added where they lack. Scripts and styles stay:
 * the page is served so that they can do no harm. CS_ERENDER with the reason when
 * it is broken beyond that: nothing was appended then. */
enum cs_code cs_page_clean(struct cs_buf *out, struct cs_view text,
                           const struct cs_page_facts *facts,
                           struct cs_err *err) CS_MUST_USE;

/* The same for what the state holds: artifacts.html_validation.corrected_html, else
 * artifacts.web_developer.campaign_website. CS_ENOTFOUND when there is neither;
 * err->field names the artifact that was refused. `state` is valid JSON. */
enum cs_code cs_page_from_state(struct cs_buf *out, struct cs_view state,
                                const struct cs_page_facts *facts,
                                struct cs_err *err) CS_MUST_USE;

#endif
