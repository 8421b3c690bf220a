/* What rendering a campaign costs, for bench/render:
 *
 *   render_cost SHARE-DIR FOLDER RUNS
 *   render_cost SHARE-DIR FOLDER here
 *
 * Renders a folder of an example RUNS times each as website, as report and as both,
 * and prints one JSON object: processor milliseconds of one rendering (user and system,
 * of the caller and of the limited child, the fork and its end included), the most
 * memory that a child had resident (what it shares with its parent included), sizes of
 * the results, and the milliseconds of one cmark-gfm pass from Markdown to HTML over
 * the artifacts' and messages' text. "here" renders both once in this process, for
 * counting instructions with callgrind. */
#include "config.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/file.h"
#include "render/render.h"
#include "render/report.h"
#include "render/website.h"
#include "json/tree.h"

#define MAX_FILE   (128u << 20)
#define TIME_LIMIT 120000
#define RUNS_MAX   10000u

struct example {
    struct cs_buf brief, state, interactions, progress;
    struct cs_render_input input;
};

static enum cs_code read_part(struct cs_buf *out, const char *folder, const char *name,
                              struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(4096);
    enum cs_code code;

    cs_buf_init(out, MAX_FILE);
    cs_buf_add_fmt(&path, "%s/%s", folder, name);
    code = cs_file_read(out, cs_buf_cstr(&path), MAX_FILE, err);
    cs_buf_clear(&path);
    return code;
}

/* Interactions and progress may be missing. */
static enum cs_code read_example(struct example *example, const char *folder,
                                 struct cs_err *err)
{
    enum cs_code code = read_part(&example->brief, folder, "brief.json", err);

    if (code == CS_OK)
        code = read_part(&example->state, folder, "final_state.json", err);
    if (code != CS_OK)
        return code;
    (void)read_part(&example->interactions, folder, "interactions.json", NULL);
    (void)read_part(&example->progress, folder, "progress.json", NULL);
    example->input = (struct cs_render_input){
        .campaign_id = CS_LIT("campaign_20241201_120000_000001"),
        .status = CS_LIT("completed"),
        .created_at = CS_LIT("2024-12-01T12:00:00.000000Z"),
        .completed_at = CS_LIT("2024-12-01T12:14:00.000000Z"),
        .brief = cs_buf_view(&example->brief),
        .state = cs_buf_view(&example->state),
        .interactions = cs_buf_view(&example->interactions),
        .progress = cs_buf_view(&example->progress),
    };
    return CS_OK;
}

static void clear_example(struct example *example)
{
    cs_buf_clear(&example->brief);
    cs_buf_clear(&example->state);
    cs_buf_clear(&example->interactions);
    cs_buf_clear(&example->progress);
}

static double milliseconds(struct timeval time)
{
    return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

/* Of this process and of its children that have ended. */
static double processor_ms(void)
{
    struct rusage own, children;

    if (getrusage(RUSAGE_SELF, &own) != 0 || getrusage(RUSAGE_CHILDREN, &children) != 0)
        return 0;
    return milliseconds(own.ru_utime) + milliseconds(own.ru_stime) +
           milliseconds(children.ru_utime) + milliseconds(children.ru_stime);
}

static long children_kib(void)
{
    struct rusage children;

    return getrusage(RUSAGE_CHILDREN, &children) == 0 ? children.ru_maxrss : 0;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* The middle one of the runs: a busy machine makes some of them longer. */
static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

static enum cs_code measure(struct cs_renderer *renderer, struct cs_render_input *input,
                            double *runs, size_t count, struct cs_err *err)
{
    struct cs_render_output output;
    enum cs_code code = CS_OK;

    for (size_t i = 0; code == CS_OK && i < count; i++) {
        double before = processor_ms();

        code = cs_render(renderer, input, &output, cs_deadline_in_ms(TIME_LIMIT), err);
        runs[i] = processor_ms() - before;
        if (code == CS_OK && i + 1 == count && input->want_website && input->want_pdf)
            printf("\"website_bytes\": %" PRIu64 ", \"pdf_bytes\": %" PRIu64
                   ", \"pages\": %u, ",
                   output.website_size, output.pdf_size, output.pages);
        if (code == CS_OK)
            cs_render_output_clear(&output);
    }
    return code;
}

/* The work of the child, without the child. */
static enum cs_code render_here(const char *share, const struct cs_render_input *input,
                                struct cs_err *err)
{
    struct cs_report_options options = {.letter = false};
    struct cs_pdf_font_files *fonts = NULL;
    struct cs_report_result result;
    struct cs_buf website = CS_BUF_INIT(MAX_FILE), pdf = CS_BUF_INIT(MAX_FILE);
    struct cs_theme *theme = cs_theme_new(share, "default", err);
    struct cs_document *document = NULL;
    enum cs_code code = theme != NULL ? CS_OK : err->code;

    if (code == CS_OK)
        code = cs_document_new(&document, input, err);
    if (code == CS_OK)
        code = cs_website_render(theme, document, &website, err);
    if (code == CS_OK)
        code = cs_pdf_font_files_new(&fonts, NULL, err);
    options.fonts = fonts;
    if (code == CS_OK)
        code = cs_report_render(&pdf, document, &options, &result, err);
    if (code == CS_OK)
        printf("{\"website_bytes\": %zu, \"pdf_bytes\": %zu}\n", website.len, pdf.len);
    cs_document_free(document);
    cs_pdf_font_files_free(fonts);
    cs_theme_free(theme);
    cs_buf_clear(&website);
    cs_buf_clear(&pdf);
    return code;
}

/* ---- the yardstick ------------------------------------------------------------ */

static void add_strings(struct cs_buf *out, const struct cs_json *value)
{
    struct cs_json_iter iter = {0};

    if (cs_json_type(value) == CS_JSON_STRING) {
        cs_buf_add(out, cs_json_string(value));
        cs_buf_add(out, CS_LIT("\n\n"));
    } else if (cs_json_type(value) == CS_JSON_ARRAY) {
        for (size_t i = 0; i < cs_json_length(value); i++)
            add_strings(out, cs_json_at(value, i));
    } else if (cs_json_type(value) == CS_JSON_OBJECT) {
        while (cs_json_next(&iter, value))
            add_strings(out, iter.value);
    }
}

static void pass(const struct cs_buf *text)
{
    static const char *const names[] = {"table", "strikethrough", "autolink", "tasklist"};
    cmark_parser *parser = cmark_parser_new(CMARK_OPT_DEFAULT);
    cmark_node *root;

    for (size_t i = 0; i < CS_COUNT(names); i++)
        cmark_parser_attach_syntax_extension(parser,
                                             cmark_find_syntax_extension(names[i]));
    cmark_parser_feed(parser, text->ptr, text->len);
    root = cmark_parser_finish(parser);
    free(cmark_render_html(root, CMARK_OPT_DEFAULT,
                           cmark_parser_get_syntax_extensions(parser)));
    cmark_node_free(root);
    cmark_parser_free(parser);
}

static enum cs_code measure_cmark(const struct example *example, double *runs,
                                  size_t count, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_INIT(2 * MAX_FILE);
    struct cs_json *state = NULL;
    enum cs_code code = cs_json_parse(&state, example->input.state, NULL, err);

    if (code == CS_OK) {
        add_strings(&text, state);
        cmark_gfm_core_extensions_ensure_registered();
        for (size_t i = 0; i < count; i++) {
            double before = processor_ms();

            pass(&text);
            runs[i] = processor_ms() - before;
        }
        printf("\"text_bytes\": %zu, \"cmark_ms\": %.3f", text.len, median(runs, count));
    }
    cs_json_free(state);
    cs_buf_clear(&text);
    return code;
}

static enum cs_code measure_all(const char *share, struct example *example, size_t count,
                                struct cs_err *err)
{
    static const struct {
        const char *name;
        bool website, pdf;
    } kinds[] = {
        {"website_ms", true, false}, {"pdf_ms", false, true}, {"both_ms", true, true}};
    const struct cs_renderer_options options = {.share_dir = share,
                                                .page_size = "A4",
                                                .cpu_limit_s = TIME_LIMIT / 1000,
                                                .memory_limit_mib = 1024};
    struct cs_renderer *renderer = cs_renderer_new(&options, err);
    double *runs = calloc(count, sizeof(*runs));
    enum cs_code code = CS_OK;

    if (renderer == NULL || runs == NULL)
        code = renderer == NULL ? err->code : cs_err_nomem(err);
    printf("{");
    for (size_t i = 0; code == CS_OK && i < CS_COUNT(kinds); i++) {
        example->input.want_website = kinds[i].website;
        example->input.want_pdf = kinds[i].pdf;
        code = measure(renderer, &example->input, runs, count, err);
        if (code == CS_OK)
            printf("\"%s\": %.3f, ", kinds[i].name, median(runs, count));
    }
    if (code == CS_OK) {
        printf("\"child_kib\": %ld, \"state_bytes\": %zu, ", children_kib(),
               example->state.len);
        code = measure_cmark(example, runs, count, err);
    }
    printf("}\n");
    cs_renderer_free(renderer);
    free(runs);
    return code;
}

int main(int argc, char **argv)
{
    struct example example = {.brief = CS_BUF_INIT(0)};
    struct cs_err err = CS_ERR_NONE;
    bool here = argc == 4 && strcmp(argv[3], "here") == 0;
    uint64_t count = 1;
    enum cs_code code;

    if (argc != 4 || (!here && !cs_view_to_u64(cs_view_cstr(argv[3]), &count)) ||
        count == 0 || count > RUNS_MAX) {
        fputs("usage: render_cost SHARE-DIR FOLDER RUNS|here\n", stderr);
        return 2;
    }
    code = read_example(&example, argv[2], &err);
    if (code == CS_OK && here)
        code = render_here(argv[1], &example.input, &err);
    else if (code == CS_OK)
        code = measure_all(argv[1], &example, count, &err);
    if (code != CS_OK)
        fprintf(stderr, "render_cost: %s: %s\n", cs_code_name(code), err.text);
    clear_example(&example);
    return code == CS_OK ? 0 : 1;
}
