#include "config.h"

#include "render/render.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "render/child.h"
#include "render/page.h"
#include "render/report.h"
#include "render/text.h"
#include "render/website.h"

#define MAX_OUTPUT  (192u << 20) /* bytes of a website or a report */
#define SPEND_ABOVE (1u << 20)   /* bytes of a state: freeing costs time, too */
#define KEEP_BELOW  (1 << 20)    /* larger blocks are mapped and unmapped */
#define HUGE_PAGE   (2u << 20)
#define FIRST_HEAP  (4 * HUGE_PAGE) /* what most renderings need, with room to align */

_Static_assert(CS_CHILD_EXIT_NOMEM == CS_DOCUMENT_EXIT_NOMEM, "one status for one cause");

enum { WEBSITE_FILE, PDF_FILE };

struct cs_renderer {
    struct cs_theme *theme;
    char *fonts;                          /* NULL: the built-in list */
    struct cs_pdf_font_files *font_files; /* opened at the first report */
    bool letter;
    struct cs_child_limits limits;
    struct cs_log *log;
};

/* What comes back from the child, beside the files. */
struct outcome {
    enum cs_code code;
    struct cs_err err;
    uint64_t sizes[CS_CHILD_FILES];
    unsigned pages;
    unsigned missing_glyphs;
    bool website_supplied;
    char website_note[200];
};

_Static_assert(sizeof(struct outcome) <= CS_CHILD_REPORT, "the outcome fits a report");

struct task {
    const struct cs_renderer *renderer;
    const struct cs_render_input *input;
};

/* ---- in the child
 * ---------------------------------------------------------------------- */

static enum cs_code hand_over(const struct cs_buf *bytes, int file, uint64_t *size_out,
                              struct cs_err *err)
{
    int fault = cs_file_write_all(file, cs_buf_view(bytes));

    if (fault != 0)
        return cs_err_errno(err, fault, "the rendering can't be written");
    *size_out = bytes->len;
    return CS_OK;
}

/* The generator's own page where it has one that can be used, else ours. */
static enum cs_code make_website(const struct task *task,
                                 const struct cs_document *document, struct cs_buf *out,
                                 struct outcome *outcome)
{
    const struct cs_page_facts facts = {document->title, document->language};
    struct cs_err fault = CS_ERR_NONE;
    enum cs_code code = cs_page_from_state(out, task->input->state, &facts, &fault);

    outcome->website_supplied = code == CS_OK;
    if (code == CS_OK || code == CS_ENOMEM)
        return code == CS_OK ? CS_OK : cs_err_nomem(&outcome->err);
    if (code != CS_ENOTFOUND) {
        struct cs_buf note = CS_BUF_INIT(1024), cut = CS_BUF_INIT(1024);

        cs_buf_add_fmt(&note, "the page in %s was not used: %s", fault.field, fault.text);
        cs_text_cut(&cut, cs_buf_view(&note), sizeof(outcome->website_note) - 1);
        memcpy(outcome->website_note, cs_buf_cstr(&cut), cut.len);
        cs_buf_clear(&note);
        cs_buf_clear(&cut);
    }
    cs_buf_reset(out);
    return cs_website_render(task->renderer->theme, document, out, &outcome->err);
}

static enum cs_code write_website(const struct task *task,
                                  const struct cs_document *document, int file,
                                  struct outcome *outcome)
{
    struct cs_buf out = CS_BUF_INIT(MAX_OUTPUT);
    enum cs_code code = make_website(task, document, &out, outcome);

    if (code == CS_OK)
        code = hand_over(&out, file, &outcome->sizes[WEBSITE_FILE], &outcome->err);
    cs_buf_clear(&out);
    return code;
}

static enum cs_code write_pdf(const struct task *task, struct cs_document *document,
                              int file, struct outcome *outcome)
{
    const struct cs_report_options options = {
        .fonts = task->renderer->font_files,
        .letter = task->renderer->letter,
        .spend = task->input->state.len > SPEND_ABOVE,
        .leave = true,
    };
    struct cs_buf out = CS_BUF_INIT(MAX_OUTPUT);
    struct cs_report_result result = {0};
    enum cs_code code =
        cs_report_render(&out, document, &options, &result, &outcome->err);

    if (code == CS_OK)
        code = hand_over(&out, file, &outcome->sizes[PDF_FILE], &outcome->err);
    outcome->pages = result.pages;
    outcome->missing_glyphs = result.missing_glyphs;
    cs_buf_clear(&out);
    return code;
}

/* The heap's first part in large pages, where the system has them: a child that lives for
 * milliseconds spends a sixth of them on getting small ones, one by one. */
static void enlarge_heap(void)
{
    char *room = malloc(FIRST_HEAP);
    size_t skip = room != NULL ? -(uintptr_t)room % HUGE_PAGE : 0;

    if (room != NULL)
        (void)madvise(room + skip, FIRST_HEAP - HUGE_PAGE, MADV_HUGEPAGE);
    free(room);
}

/* What is freed is used again, not given back: this process ends soon, and each page
 * that it gets anew costs more than writing on it. */
static void keep_memory(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
    (void)mallopt(M_TOP_PAD, KEEP_BELOW);
    (void)mallopt(M_MMAP_THRESHOLD, 2 * (int)FIRST_HEAP);
    enlarge_heap();
    (void)mallopt(M_MMAP_THRESHOLD, KEEP_BELOW);
}

static void render(void *payload, const int files[CS_CHILD_FILES], void *report)
{
    const struct task *task = payload;
    struct outcome *outcome = report;
    struct cs_document *document = NULL;

    keep_memory();
    outcome->code = cs_document_new(&document, task->input, &outcome->err);
    if (outcome->code == CS_OK && files[WEBSITE_FILE] >= 0)
        outcome->code = write_website(task, document, files[WEBSITE_FILE], outcome);
    if (outcome->code == CS_OK && files[PDF_FILE] >= 0)
        outcome->code = write_pdf(task, document, files[PDF_FILE], outcome);
    /* The document goes with the process. */
}

/* ---- in the caller
 * ----------------------------------------------------------------------- */

static void set_limits(struct cs_renderer *renderer,
                       const struct cs_renderer_options *options)
{
    renderer->limits = (struct cs_child_limits){
        .cpu_s = options->cpu_limit_s > 0 ? options->cpu_limit_s : 8,
        .memory_mib = options->memory_limit_mib > 0 ? options->memory_limit_mib : 512,
        .file_bytes = MAX_OUTPUT,
    };
}

struct cs_renderer *cs_renderer_new(const struct cs_renderer_options *options,
                                    struct cs_err *err)
{
    struct cs_renderer *renderer = calloc(1, sizeof(*renderer));
    const char *theme = options->theme;

    if (renderer == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    renderer->log = options->log;
    renderer->letter =
        options->page_size != NULL && strcmp(options->page_size, "Letter") == 0;
    set_limits(renderer, options);
    if (options->fonts != NULL && options->fonts[0] != '\0') {
        renderer->fonts = cs_view_dup(cs_view_cstr(options->fonts));
        if (renderer->fonts == NULL)
            goto no_memory;
    }
    theme = theme == NULL || theme[0] == '\0' ? "default" : theme;
    renderer->theme = cs_theme_new(options->share_dir, theme, err);
    if (renderer->theme != NULL)
        return renderer;
    cs_renderer_free(renderer);
    return NULL;
no_memory:
    cs_renderer_free(renderer);
    (void)cs_err_nomem(err);
    return NULL;
}

void cs_renderer_free(struct cs_renderer *renderer)
{
    if (renderer == NULL)
        return;
    cs_theme_free(renderer->theme);
    cs_pdf_font_files_free(renderer->font_files);
    free(renderer->fonts);
    free(renderer);
}

void cs_render_output_clear(struct cs_render_output *output)
{
    if (output->website_fd >= 0)
        (void)close(output->website_fd);
    if (output->pdf_fd >= 0)
        (void)close(output->pdf_fd);
    *output = (struct cs_render_output){.website_fd = -1, .pdf_fd = -1};
}

static enum cs_code open_files(const struct cs_render_input *input,
                               struct cs_render_output *output, struct cs_err *err)
{
    if (input->want_website) {
        output->website_fd = cs_file_memory("website");
        if (output->website_fd < 0)
            return cs_err_errno(err, errno, "no memory file for the website");
    }
    if (input->want_pdf) {
        output->pdf_fd = cs_file_memory("pdf");
        if (output->pdf_fd < 0)
            return cs_err_errno(err, errno, "no memory file for the PDF report");
    }
    return CS_OK;
}

/* The children inherit the open fonts. Without any it is tried again at the next
 * report: they may have been installed meanwhile. */
static enum cs_code open_fonts(struct cs_renderer *renderer, struct cs_err *err)
{
    struct cs_err fault = CS_ERR_NONE;

    if (renderer->font_files != NULL ||
        cs_pdf_font_files_new(&renderer->font_files, renderer->fonts, &fault) == CS_OK)
        return CS_OK;
    return cs_err_field(err, CS_EINTERNAL, fault.field, fault.reason, "%s", fault.text);
}

/* What the child returned, as what the caller is told: a fault of the input is
 * CS_ERENDER, a fault of the installation is ours. */
static enum cs_code hand_on(const struct cs_renderer *renderer,
                            const struct outcome *outcome, struct cs_err *err)
{
    switch (outcome->code) {
    case CS_OK:
        return CS_OK;
    case CS_ENOMEM:
        return cs_err_field(
            err, CS_ERENDER, "", "render_memory",
            "rendering needs more than %d MiB of memory: make the state smaller "
            "or raise RENDER_MEMORY_MIB",
            renderer->limits.memory_mib);
    case CS_ETOOBIG:
        return cs_err_field(err, CS_ERENDER, "", "render_size",
                            "the rendering is larger than %u MiB: make the state smaller",
                            MAX_OUTPUT >> 20);
    case CS_EINVAL:
    case CS_ERENDER:
    case CS_EIO:
        return cs_err_field(err, outcome->code, outcome->err.field, outcome->err.reason,
                            "%s", outcome->err.text);
    default:
        return cs_err_field(err, CS_EINTERNAL, outcome->err.field, outcome->err.reason,
                            "%s", outcome->err.text);
    }
}

static void take_over(struct cs_render_output *output, const struct outcome *outcome)
{
    output->website_size = outcome->sizes[WEBSITE_FILE];
    output->pdf_size = outcome->sizes[PDF_FILE];
    output->pages = outcome->pages;
    output->missing_glyphs = outcome->missing_glyphs;
    output->website_supplied = outcome->website_supplied;
    memcpy(output->website_note, outcome->website_note, sizeof(output->website_note));
}

enum cs_code cs_render(struct cs_renderer *renderer, const struct cs_render_input *input,
                       struct cs_render_output *output, struct cs_deadline deadline,
                       struct cs_err *err)
{
    struct task task = {renderer, input};
    struct outcome outcome = {.code = CS_OK};
    struct cs_err fault = CS_ERR_NONE;
    enum cs_code code;

    *output = (struct cs_render_output){.website_fd = -1, .pdf_fd = -1};
    code = open_files(input, output, &fault);
    if (code == CS_OK && input->want_pdf)
        code = open_fonts(renderer, &fault);
    if (code == CS_OK) {
        const struct cs_child_job job = {
            .work = render,
            .payload = &task,
            .files = {output->website_fd, output->pdf_fd},
            .limits = renderer->limits,
            .report = &outcome,
            .report_size = sizeof(outcome),
        };

        code = cs_child_run(&job, deadline, &fault);
    }
    if (code == CS_OK)
        code = hand_on(renderer, &outcome, &fault);
    if (code == CS_OK) {
        take_over(output, &outcome);
        if (outcome.missing_glyphs > 0)
            cs_log_put(renderer->log, CS_LOG_WARN, "characters without a font",
                       CS_LOG_TEXT("campaign_id", input->campaign_id),
                       CS_LOG_NUM("count", outcome.missing_glyphs));
        return CS_OK;
    }
    cs_log_err(renderer->log, CS_LOG_WARN, "rendering failed", &fault);
    cs_render_output_clear(output);
    return cs_err_field(err, code, fault.field, fault.reason, "%s", fault.text);
}
