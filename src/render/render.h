/* render/render.h: from a campaign's data to its website and PDF report.
 *
 * Rendering runs in a child process with limits on processor time, memory and
 * wall time, so that no input can hurt the worker. The bytes come back in
 * memory files. Same input, same bytes: no clock, no random numbers. */
#ifndef CS_RENDER_RENDER_H
#define CS_RENDER_RENDER_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

struct cs_renderer_options {
    const char *share_dir; /* templates, style sheets: the folder share/ */
    const char *theme;     /* folder below share/themes; NULL: "default" */
    const char
        *fonts; /* colon-separated font folders or files; NULL: the built-in list */
    const char *page_size; /* "A4" or "Letter" */
    int cpu_limit_s;       /* processor time of one rendering */
    int memory_limit_mib;  /* address space of the child beyond the worker's own */
    struct cs_log *log;    /* borrowed; may be NULL */
};

struct cs_renderer;

/* Reads the templates and checks them: a broken one is an error here. Fonts are opened
 * at the first report and stay mapped: put new font files in place by renaming, as
 * package managers do. */
struct cs_renderer *cs_renderer_new(const struct cs_renderer_options *options,
                                    struct cs_err *err);
void cs_renderer_free(struct cs_renderer *renderer);

/* JSON texts are valid (cs_json_validate), UTF-8; empty where there is none. */
struct cs_render_input {
    struct cs_view campaign_id;
    struct cs_view campaign_name;
    struct cs_view status;     /* as it will be committed: "completed" */
    struct cs_view created_at; /* RFC 3339 texts */
    struct cs_view completed_at;
    struct cs_view execution_time; /* seconds as a decimal text, or empty */
    struct cs_view quality_score;  /* decimal text, or empty */
    struct cs_view brief;          /* JSON object */
    struct cs_view state;          /* JSON object: the final_state */
    struct cs_view interactions;   /* JSON array */
    struct cs_view progress;       /* JSON object */
    bool want_website;
    bool want_pdf;
};

struct cs_render_output {
    int website_fd; /* memory file, offset anywhere; -1 when not wanted */
    uint64_t website_size;
    int pdf_fd;
    uint64_t pdf_size;
    unsigned pages;          /* of the PDF */
    unsigned missing_glyphs; /* characters shown by a mark, as no font has them */
    bool website_supplied;   /* the generator's own page was used */
    char website_note[200];  /* why a supplied page was not used, or "" */
};
void cs_render_output_clear(struct cs_render_output *output);

/* CS_ERENDER (field names the artifact where known) when the limits are
 * exceeded or the child fails; CS_ETIMEOUT when the deadline passes. */
enum cs_code cs_render(struct cs_renderer *renderer, const struct cs_render_input *input,
                       struct cs_render_output *output, struct cs_deadline deadline,
                       struct cs_err *err) CS_MUST_USE;

#endif
