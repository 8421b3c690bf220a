/* render/labels.h: the words that the website and the report add to a
 * campaign's own text, in the campaign's language. */
#ifndef CS_RENDER_LABELS_H
#define CS_RENDER_LABELS_H

#include "base/buf.h"

/* clang-format off */
#define CS_LABELS(X)                                                                       \
    X(STRATEGY) X(PERSONAS) X(CONCEPTS) X(COPY) X(CTA) X(VISUAL) X(DESIGN) X(SOCIAL)       \
    X(EMOTION) X(MEDIA) X(REVIEW) X(SUMMARY) X(CLIENT_SUMMARY) X(WEBSITE) X(VALIDATION)    \
    X(BRIEF) X(FEEDBACK) X(CONVERSATION) X(PREVIOUS) X(STATE) X(PROGRESS) X(TIMELINE)      \
    X(CONTENTS) X(CLIENT) X(PRODUCT) X(BUDGET) X(DURATION) X(STATUS) X(CREATED)            \
    X(COMPLETED) X(PALETTE) X(AUDIENCE) X(GOALS) X(FEATURES) X(REQUIREMENTS)               \
    X(COLOURS) X(CAMPAIGN_NAME) X(CLIENT_WEBSITE) X(CLIENT_LOGO)                           \
    X(BUDGET_SHARES) X(KPIS) X(SCHEDULE) X(STEP_DURATIONS) X(CHANNEL) X(SHARE) X(START) X(END)     \
    X(AGENT) X(ACTION) X(MESSAGE) X(TIME) X(SECONDS) X(DETAILS) X(SKIP) X(IMAGE)           \
    X(YES) X(NO) X(NONE) X(EMPTY) X(REPORT) X(PAGE_N_OF_M) X(CAMPAIGN) X(QUALITY)          \
    X(EXECUTION_TIME) X(NUMBER) X(VALUE) X(TO_TOP) X(CAMPAIGN_ID) X(IS_COMPLETED)       \
    X(MONTHS) X(MONTH_AND_YEAR) X(CURRENCY) X(TOTAL_BUDGET) X(CHANNELS) X(NOTES) X(NAME)
/* clang-format on */

enum cs_label {
#define CS_LABEL_ENUM(name) CS_LABEL_##name,
    CS_LABELS(CS_LABEL_ENUM)
#undef CS_LABEL_ENUM
        CS_LABEL_COUNT
};

/* The word in the language ("fr", "fr-CA"); English where it is not known.
 * PAGE_N_OF_M holds "{n}" and "{m}" to be replaced, MONTH_AND_YEAR "{m}" and "{y}";
 * MONTHS are twelve short names with blanks between them. */
const char *cs_label(const char *language, enum cs_label label);

/* "audience_personas" -> "Audience personas": a name of the data as a title,
 * appended. */
void cs_label_from_name(struct cs_buf *out, struct cs_view name);

#endif
