/* render/document.h: a campaign as a document: the one model from which the
 * website and the PDF report are both made, so that both show everything that
 * the brief and the state hold, whatever its shape.
 *
 * Strings of the data are read as Markdown, after undoing what language models
 * do to it; objects and arrays of any shape become headings, tables and lists.
 * All of it ends as cmark-gfm trees, so a renderer has one thing to walk. */
#ifndef CS_RENDER_DOCUMENT_H
#define CS_RENDER_DOCUMENT_H

#include <cmark-gfm.h>

#include "render/palette.h"
#include "render/render.h"

/* What a section is about, in the order in which sections appear. Renderers may
 * lay out some kinds in a special way; every kind can be shown as plain content. */
enum cs_section_kind {
    CS_SECTION_STRATEGY,
    CS_SECTION_PERSONAS,
    CS_SECTION_CONCEPTS,
    CS_SECTION_COPY,
    CS_SECTION_CTA,
    CS_SECTION_VISUAL,
    CS_SECTION_DESIGN,
    CS_SECTION_SOCIAL,
    CS_SECTION_EMOTION,
    CS_SECTION_MEDIA,
    CS_SECTION_REVIEW,
    CS_SECTION_SUMMARY,
    CS_SECTION_CLIENT_SUMMARY,
    CS_SECTION_WEBSITE, /* artifacts.web_developer and html_validation: the page's source
                         */
    CS_SECTION_VALIDATION,
    CS_SECTION_OTHER, /* an artifact of a name that we do not know */
    CS_SECTION_BRIEF,
    CS_SECTION_FEEDBACK,
    CS_SECTION_CONVERSATION,
    CS_SECTION_PREVIOUS,
    CS_SECTION_STATE, /* all other fields of the state, and facts of the record */
    CS_SECTION_PROGRESS,
    CS_SECTION_TIMELINE /* the agents' interactions */
};

enum cs_chart_kind {
    CS_CHART_SHARES,    /* parts of a whole: value is the share, from 0 to 1 */
    CS_CHART_SCHEDULE,  /* bars on a calendar: start_day, end_day */
    CS_CHART_DURATIONS, /* seconds per step: value */
    CS_CHART_KPIS /* a figure each: what it is, before, and what it shall be, value */
};

/* All texts of a document are NUL-terminated UTF-8 without control characters,
 * never NULL, plain text (not escaped for anything), and belong to it. */
struct cs_chart_row {
    const char *label;
    const char
        *text; /* the value as the data has it: "$11,640", "2025-01-06 – 2025-02-16" */
    double value;      /* finite, not negative */
    double before;     /* as value, CS_CHART_KPIS alone; negative: not known */
    int64_t start_day; /* days since 1970-01-01, CS_CHART_SCHEDULE alone */
    int64_t end_day;   /* last day, not before start_day */
};

struct cs_chart {
    enum cs_chart_kind kind;
    const char *title;
    struct cs_chart_row *rows;
    size_t count; /* at least 1 */
    bool undated; /* CS_CHART_SCHEDULE: days count from any day, not from 1970 */
};

/* The content is a CMARK_NODE_DOCUMENT of CommonMark and the table,
 * strikethrough and tasklist extensions, in which
 *  - there is no HTML_BLOCK and no HTML_INLINE: what was HTML is text, code,
 *    a line break or strong/emphasis;
 *  - headings have levels 3 to 6 (the document's title is level 1, a section's
 *    title level 2), the first one is 3, and none is more than one level below
 *    the heading before it;
 *  - URLs of links are http:, https:, mailto: or "#anchor"; other links have
 *    become their text and their address as code;
 *  - URLs of images are http: or https: or "" (nothing may be fetched: show the
 *    alternative text, which is the image's content, and the address as a link);
 *  - a table whose first row is not a header row (see
 *    cmark_gfm_extensions_get_table_row_is_header) is a list of fields: two
 *    columns, name and value;
 *  - texts hold no NUL, no control character but TAB and LF, no bidi override.
 * Nesting can be deep and tables wide: walk it by cmark_iter, not by recursion. */
struct cs_section {
    const char *slug;  /* unique in the document: [a-z0-9-]+, for anchors */
    const char *title; /* in the document's language */
    const char *name;  /* of the artifact or state field, as the data has it, or "" */
    enum cs_section_kind kind;
    bool folded; /* a detail: the website folds it, the report puts it in an appendix */
    cmark_node *content;
    struct cs_chart *charts;
    size_t chart_count;
};

struct cs_document {
    const char *campaign_id;
    const char *title; /* never "" */
    const char *client;
    const char *client_url; /* http(s) or "" */
    const char *product;
    const char *tagline; /* one sentence for below the title, or "" */
    const char
        *summary; /* plain text of one paragraph, at most 300 bytes, for descriptions */
    const char *language; /* "en", "fr-CA": BCP 47 */
    bool rtl;
    const char *status;     /* in the campaign's language */
    const char *created_at; /* as in the record, RFC 3339 */
    const char *completed_at;
    const char *execution_time; /* seconds, decimal text, or "" */
    const char *quality_score;
    const char *budget;
    const char *duration;  /* of the campaign, the brief's words: "3 months" */
    const char *cta_label; /* call to action: the words for a button */
    const char *cta_url;   /* http(s), or "" */
    const char *image_url; /* key visual, http(s), or ""; never to be fetched */
    const char *image_alt;
    const char **goals; /* of the brief, one line each */
    size_t goal_count;
    struct cs_palette palette;
    struct cs_section *sections;
    size_t section_count;
};

/* Builds the document. Cost is linear in the size of the input. Memory for
 * Markdown trees can't be refused by cmark: without it the process ends with
 * status CS_DOCUMENT_EXIT_NOMEM, which is why rendering has its own process. */
#define CS_DOCUMENT_EXIT_NOMEM 77
enum cs_code cs_document_new(struct cs_document **document_out,
                             const struct cs_render_input *input,
                             struct cs_err *err) CS_MUST_USE;
void cs_document_free(struct cs_document *document);

/* Whether a section's charts stand before its text, as what its reader looks for: in a
 * media plan and in the timeline. Elsewhere they follow what they are drawn from. */
bool cs_section_charts_first(const struct cs_section *section);

/* Frees what a section holds: it has no content and no charts from then on. For big
 * documents, of which the last reader needs each section once. */
void cs_document_drop_section(struct cs_document *document, size_t section);

#endif
