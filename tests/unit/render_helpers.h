/* tests/unit/render_helpers.h: what the tests of the rendering share. */
#ifndef CS_TESTS_RENDER_HELPERS_H
#define CS_TESTS_RENDER_HELPERS_H

#include "unit.h"

#include "render/document.h"
#include "render/website.h"

#define UNIT_MAX (256u << 20)

/* The folder share/ of the sources. Freed by the caller. */
static inline char *unit_share_dir(void)
{
    const char *root = getenv("CS_SRCDIR");
    char *path = NULL;

    if (root == NULL || asprintf(&path, "%s/share", root) < 0)
        fail_msg("CS_SRCDIR is not set: run the tests by make check");
    return path;
}

/* A document of a state and a brief, both JSON. */
static inline struct cs_document *unit_document(const char *brief, struct cs_view state)
{
    const struct cs_render_input input = {
        .campaign_id = CS_LIT("campaign_20241201_120000_000001"),
        .campaign_name = CS_LIT("Test"),
        .status = CS_LIT("completed"),
        .created_at = CS_LIT("2024-12-01T12:00:00.000000Z"),
        .completed_at = CS_LIT("2024-12-01T12:14:00.000000Z"),
        .brief = cs_view_cstr(brief),
        .state = state,
    };
    struct cs_document *document = NULL;

    assert_ok(cs_document_new(&document, &input, err));
    return document;
}

/* The website of it, appended to out. */
static inline void unit_website(struct cs_buf *out, const struct cs_document *document)
{
    char *share = unit_share_dir();
    struct cs_err theme_err = CS_ERR_NONE;
    struct cs_theme *theme = cs_theme_new(share, "default", &theme_err);

    if (theme == NULL)
        fail_msg("%s", theme_err.text);
    assert_ok(cs_website_render(theme, document, out, err));
    cs_theme_free(theme);
    free(share);
}

/* The website of a state in one go. */
static inline void unit_website_of(struct cs_buf *out, const char *brief,
                                   const char *state)
{
    struct cs_document *document = unit_document(brief, cs_view_cstr(state));

    cs_buf_init(out, UNIT_MAX);
    unit_website(out, document);
    cs_document_free(document);
}

static inline bool unit_has(const struct cs_buf *text, const char *needle)
{
    return cs_view_find(cs_buf_view(text), cs_view_cstr(needle)) != SIZE_MAX;
}

#define assert_has(text, needle)             \
    do {                                     \
        if (!unit_has((text), (needle)))     \
            fail_msg("lacks: %s", (needle)); \
    } while (0)

#define assert_lacks(text, needle)         \
    do {                                   \
        if (unit_has((text), (needle)))    \
            fail_msg("has: %s", (needle)); \
    } while (0)

/* One artifact of an example as Markdown or structure: its texts are looked for in
 * the visible text of the page. Skips the running test where the data is absent. */
static inline void unit_read_example(struct cs_buf *out, const char *folder,
                                     const char *name)
{
    char *file = NULL, *path;

    cs_buf_init(out, UNIT_MAX);
    assert_true(asprintf(&file, "%s/%s", folder, name) > 0);
    path = unit_data_path("CS_EXAMPLES", file);
    free(file);
    if (path == NULL)
        skip();
    assert_int_equal(cs_file_read(out, path, UNIT_MAX, NULL), CS_OK);
    free(path);
}

/* The visible text of a page: tags out, entities decoded, runs of white space one
 * space; style and head left out. Appended to out. */
static inline void unit_visible_text(struct cs_buf *out, struct cs_view html)
{
    static const struct {
        const char *entity, *text;
    } entities[] = {
        {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#39;", "'"}};
    size_t body = cs_view_find(html, CS_LIT("<body"));
    bool gap = false;

    html = cs_view_from(html, body == SIZE_MAX ? 0 : body);
    while (html.len > 0) {
        size_t used = 1;
        struct cs_view text = cs_view_of(html.ptr, 1);

        if (html.ptr[0] == '<') {
            used = cs_view_find_byte(html, '>') + 1;
            /* Inline tags are no gap: "<b>a</b>b" reads "ab". */
            gap = gap || strchr("/bscaeid", html.ptr[1]) == NULL || html.ptr[1] == 'd' ||
                  cs_view_starts(html, CS_LIT("<br")) ||
                  cs_view_starts(html, CS_LIT("</t")) ||
                  cs_view_starts(html, CS_LIT("</p")) ||
                  cs_view_starts(html, CS_LIT("</l")) ||
                  cs_view_starts(html, CS_LIT("</h")) ||
                  cs_view_starts(html, CS_LIT("</d"));
            html = cs_view_from(html, used);
            continue;
        }
        for (size_t i = 0; html.ptr[0] == '&' && i < CS_COUNT(entities); i++) {
            if (!cs_view_starts(html, cs_view_cstr(entities[i].entity)))
                continue;
            used = strlen(entities[i].entity);
            text = cs_view_cstr(entities[i].text);
        }
        html = cs_view_from(html, used);
        if (text.ptr[0] == ' ' || text.ptr[0] == '\n' || text.ptr[0] == '\t') {
            gap = true;
            continue;
        }
        if (gap && out->len > 0)
            cs_buf_add_byte(out, ' ');
        gap = false;
        cs_buf_add(out, text);
    }
}

#endif
