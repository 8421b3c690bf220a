/* render/language.h: which language a campaign is written in. */
#ifndef CS_RENDER_LANGUAGE_H
#define CS_RENDER_LANGUAGE_H

#include "base/buf.h"

struct cs_language {
    const char *code; /* BCP 47, static: "en", "fr", ... */
    bool rtl;
};

/* Guesses from the script and the commonest small words; "en" where nothing
 * speaks for another. Looks at the first 6 KiB. */
struct cs_language cs_language_guess(struct cs_view text);

/* True for what may stand in a lang attribute: 2-3 letters, then subtags. */
bool cs_language_is_tag(struct cs_view tag);

/* Whether a language is written from right to left. */
bool cs_language_is_rtl(struct cs_view tag);

#endif
