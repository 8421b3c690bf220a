#include "config.h"

#include "render/document_facts.h"

#include "render/labels.h"
#include "render/language.h"
#include "render/markdown.h"
#include "render/text.h"

#define MAX_LINE    2000u
#define SUMMARY_MIN 60u
#define SUMMARY_MAX 300u
#define TAGLINE_MAX 140u
#define BUTTON_MAX  40u
#define GOALS_MAX   6u
#define GOAL_MAX    200u
#define LOOK_AT     4000u /* nodes of a section that are looked through for such things */

static const char *line_of(struct cs_arena *arena, struct cs_view text, size_t max)
{
    struct cs_buf line = CS_BUF_INIT(SIZE_MAX / 4), cut = CS_BUF_INIT(SIZE_MAX / 4);
    const char *copy;

    cs_text_line(&line, text);
    cs_text_cut(&cut, cs_buf_view(&line), max);
    copy = cs_arena_text(arena, cs_buf_view(&cut));
    cs_buf_clear(&line);
    cs_buf_clear(&cut);
    return copy;
}

/* ---- from the brief ------------------------------------------------------------ */

static struct cs_view text_of(const struct cs_json *object, const char *name)
{
    const struct cs_json *value = cs_json_get(object, name);
    struct cs_view text = cs_json_string(value);

    return text.ptr != NULL ? text : cs_json_number_text(value);
}

static const char *url_of(struct cs_arena *arena, struct cs_view url)
{
    struct cs_buf encoded = CS_BUF_INIT(MAX_LINE);
    const char *copy = "";

    if (!cs_text_is_web_url(url))
        return "";
    cs_text_url(&encoded, url);
    if (encoded.failed == CS_OK)
        copy = cs_arena_text(arena, cs_buf_view(&encoded));
    cs_buf_clear(&encoded);
    return copy;
}

/* A text of everything that is likely to be prose, for guessing its language. */
static void collect_prose(struct cs_buf *out, const struct cs_json *value, int depth)
{
    struct cs_view text = cs_json_string(value);
    struct cs_json_iter iter = {0};

    if (text.ptr != NULL) {
        cs_buf_add(out, cs_view_sub(text, 0, 2000));
        cs_buf_add_byte(out, '\n');
    }
    if (depth == 0)
        return;
    if (cs_json_type(value) == CS_JSON_OBJECT)
        while (out->failed == CS_OK && cs_json_next(&iter, value))
            collect_prose(out, iter.value, depth - 1);
    else if (cs_json_type(value) == CS_JSON_ARRAY)
        for (size_t i = 0; i < cs_json_length(value) && i < 20 && out->failed == CS_OK;
             i++)
            collect_prose(out, cs_json_at(value, i), depth - 1);
}

static void set_language(struct cs_document *document, struct cs_arena *arena,
                         const struct cs_json *brief, const struct cs_json *state)
{
    struct cs_view tag = cs_json_get_string(brief, "language");
    struct cs_buf prose = CS_BUF_INIT(16384);
    struct cs_language guess;

    if (tag.ptr == NULL)
        tag = cs_json_get_string(brief, "locale");
    if (cs_language_is_tag(tag)) {
        document->language = cs_arena_text(arena, tag);
        document->rtl = cs_language_is_rtl(tag);
        return;
    }
    collect_prose(&prose, brief, 2);
    collect_prose(&prose, cs_json_get(state, "artifacts"), 2);
    guess = cs_language_guess(cs_buf_view(&prose));
    document->language = guess.code;
    document->rtl = guess.rtl;
    cs_buf_clear(&prose);
}

/* The first goals; all of them are in the brief's section. */
static void set_goals(struct cs_document *document, struct cs_arena *arena,
                      const struct cs_json *goals)
{
    size_t count = cs_json_type(goals) == CS_JSON_ARRAY ? cs_json_length(goals) : 0;

    document->goals = cs_arena_alloc(arena, GOALS_MAX, sizeof(*document->goals));
    for (size_t i = 0; document->goals != NULL && i < count; i++) {
        struct cs_view text = cs_json_string(cs_json_at(goals, i));

        if (document->goal_count < GOALS_MAX && cs_view_trim(text).len > 0)
            document->goals[document->goal_count++] = line_of(arena, text, GOAL_MAX);
    }
}

/* "Campaign 20241201 120000 000001": words, so that a line can break between them. */
static const char *title_of_id(struct cs_arena *arena, const char *campaign_id)
{
    struct cs_buf title = CS_BUF_INIT(MAX_LINE);
    const char *copy;

    cs_label_from_name(&title, cs_view_cstr(campaign_id));
    copy = title.failed == CS_OK ? cs_arena_text(arena, cs_buf_view(&title)) : "";
    cs_buf_clear(&title);
    return copy;
}

void cs_facts_from_brief(struct cs_document *document, struct cs_arena *arena,
                         struct cs_view campaign_name, const struct cs_json *brief,
                         const struct cs_json *state)
{
    static const struct cs_json *const none = NULL;
    const struct cs_json *facts = brief;

    if (facts == none || cs_json_length(facts) == 0)
        facts = cs_json_get(state, "campaign_brief");
    set_language(document, arena, facts, state);
    if (cs_view_trim(campaign_name).len == 0)
        campaign_name = text_of(facts, "campaign_name");
    document->title = line_of(arena, campaign_name, MAX_LINE);
    if (document->title[0] == '\0')
        document->title = title_of_id(arena, document->campaign_id);
    if (document->title[0] == '\0')
        document->title = cs_label(document->language, CS_LABEL_CAMPAIGN);
    document->client = line_of(arena, text_of(facts, "client"), MAX_LINE);
    document->client_url = url_of(arena, text_of(facts, "client_website"));
    document->product = line_of(arena, text_of(facts, "product"), MAX_LINE);
    document->budget = line_of(arena, text_of(facts, "budget"), MAX_LINE);
    document->duration = line_of(arena, text_of(facts, "timeline"), MAX_LINE);
    set_goals(document, arena, cs_json_get(facts, "goals"));
    cs_palette_parse(
        &document->palette,
        cs_view_cstr(line_of(arena, text_of(facts, "color_scheme"), MAX_LINE)));
}

/* ---- from the artifacts ---------------------------------------------------------- */

static const struct cs_section *section_of(const struct cs_document *document,
                                           enum cs_section_kind kind)
{
    for (size_t i = 0; i < document->section_count; i++)
        if (document->sections[i].kind == kind)
            return &document->sections[i];
    return NULL;
}

/* Called for each node of a section's start; true ends the search. */
typedef bool node_fn(struct cs_document *document, struct cs_arena *arena,
                     cmark_node *node);

static bool search(struct cs_document *document, struct cs_arena *arena,
                   enum cs_section_kind kind, node_fn *look)
{
    const struct cs_section *section = section_of(document, kind);
    cmark_iter *iter;
    cmark_event_type event;
    size_t seen = 0;
    bool found = false;

    if (section == NULL)
        return false;
    iter = cmark_iter_new(section->content);
    while (!found && seen < LOOK_AT &&
           (event = cmark_iter_next(iter)) != CMARK_EVENT_DONE) {
        seen++;
        if (event == CMARK_EVENT_ENTER)
            found = look(document, arena, cmark_iter_get_node(iter));
    }
    cmark_iter_free(iter);
    return found;
}

static const char *plain_of(struct cs_arena *arena, cmark_node *node, size_t max)
{
    struct cs_buf text = CS_BUF_INIT(16384);
    const char *line;

    cs_markdown_plain(&text, node, 8000);
    line = line_of(arena, cs_buf_view(&text), max);
    cs_buf_clear(&text);
    return line;
}

/* Quotation marks and full stops around a slogan belong to the running text. */
static const char *bare_slogan(struct cs_arena *arena, const char *text)
{
    static const char *const marks[] = {"“", "”",      "«",      "»", "\"",
                                        "„", "\u00a0", "\u202f", " "};
    struct cs_view view = cs_view_trim(cs_view_cstr(text));
    bool again = true;

    while (again) {
        again = false;
        for (size_t i = 0; i < CS_COUNT(marks); i++) {
            struct cs_view mark = cs_view_cstr(marks[i]);

            if (cs_view_starts(view, mark)) {
                view = cs_view_from(view, mark.len);
                again = true;
            }
            if (cs_view_ends(view, mark)) {
                view.len -= mark.len;
                again = true;
            }
        }
    }
    return cs_arena_text(arena, view);
}

/* "Tagline: One line home." */
static bool look_for_tagline(struct cs_document *document, struct cs_arena *arena,
                             cmark_node *node)
{
    static const char *const words[] = {"tagline", "slogan", "signature", "claim",
                                        "lema"};
    const char *text;

    if (cmark_node_get_type(node) != CMARK_NODE_PARAGRAPH)
        return false;
    text = plain_of(arena, node, MAX_LINE);
    for (size_t i = 0; i < CS_COUNT(words); i++) {
        struct cs_view word = cs_view_cstr(words[i]);
        struct cs_view view = cs_view_cstr(text);
        size_t colon = cs_view_find_byte(view, ':');

        if (colon == SIZE_MAX || colon > word.len + 4 || view.len - colon > TAGLINE_MAX ||
            !cs_view_eq_nocase(cs_view_sub(view, 0, word.len), word))
            continue;
        document->tagline = bare_slogan(arena, text + colon + 1);
        return document->tagline[0] != '\0';
    }
    return false;
}

/* A paragraph that is nothing but one bold sentence: the headline of the copy. */
static bool look_for_headline(struct cs_document *document, struct cs_arena *arena,
                              cmark_node *node)
{
    cmark_node *first = cmark_node_first_child(node);
    const char *text;

    if (cmark_node_get_type(node) != CMARK_NODE_PARAGRAPH || first == NULL ||
        cmark_node_get_type(first) != CMARK_NODE_STRONG || cmark_node_next(first) != NULL)
        return false;
    text = plain_of(arena, node, MAX_LINE);
    if (strlen(text) > TAGLINE_MAX || strlen(text) < 3 || text[strlen(text) - 1] == ':')
        return false;
    document->tagline = bare_slogan(arena, text);
    return true;
}

/* The sentences that fit whole; cut within the first one where it is too long. */
static const char *whole_sentences(struct cs_arena *arena, const char *text)
{
    struct cs_view view = cs_view_cstr(text);

    if (view.len <= SUMMARY_MAX)
        return text;
    for (size_t end = SUMMARY_MAX; end > SUMMARY_MIN; end--)
        if (view.ptr[end] == ' ' && strchr(".!?", view.ptr[end - 1]) != NULL)
            return cs_arena_text(arena, cs_view_of(view.ptr, end));
    return line_of(arena, view, SUMMARY_MAX);
}

static bool look_for_summary(struct cs_document *document, struct cs_arena *arena,
                             cmark_node *node)
{
    cmark_node *parent = cmark_node_parent(node);
    const char *text;

    if (cmark_node_get_type(node) != CMARK_NODE_PARAGRAPH || parent == NULL ||
        cmark_node_get_type(parent) != CMARK_NODE_DOCUMENT)
        return false;
    text = whole_sentences(arena, plain_of(arena, node, MAX_LINE));
    /* "Client: ... Budget: ..." is no sentence. */
    if (strlen(text) < SUMMARY_MIN || strchr(text, ':') != strrchr(text, ':'))
        return false;
    document->summary = text;
    return true;
}

static bool look_for_button(struct cs_document *document, struct cs_arena *arena,
                            cmark_node *node)
{
    const char *label;

    if (cmark_node_get_type(node) != CMARK_NODE_LINK ||
        !cs_text_is_web_url(cs_view_cstr(cmark_node_get_url(node))))
        return false;
    label = plain_of(arena, node, BUTTON_MAX + 1);
    if (label[0] == '\0' || strlen(label) > BUTTON_MAX || strstr(label, "://") != NULL)
        return false;
    document->cta_label = label;
    document->cta_url = line_of(arena, cs_view_cstr(cmark_node_get_url(node)), MAX_LINE);
    return true;
}

/* A table of variants has its winner in bold. */
static bool look_for_winner(struct cs_document *document, struct cs_arena *arena,
                            cmark_node *node)
{
    const char *label;

    if (cmark_node_get_type(node) != CMARK_NODE_STRONG ||
        cmark_node_get_type(cmark_node_parent(node)) != CMARK_NODE_TABLE_CELL)
        return false;
    label = bare_slogan(arena, plain_of(arena, node, BUTTON_MAX + 1));
    if (strlen(label) < 6 || strlen(label) > BUTTON_MAX ||
        (label[0] >= '0' && label[0] <= '9'))
        return false;
    document->cta_label = label;
    return true;
}

/* The host of a URL without "www.". */
static struct cs_view host_of(struct cs_view url)
{
    size_t at = cs_view_find(url, CS_LIT("://"));
    struct cs_view host = cs_view_from(url, at == SIZE_MAX ? 0 : at + 3);

    for (size_t i = 0; i < host.len; i++)
        if (strchr("/?#:", host.ptr[i]) != NULL)
            host.len = i;
    return cs_view_starts(host, CS_LIT("www.")) ? cs_view_from(host, 4) : host;
}

static void set_call_to_action(struct cs_document *document, struct cs_arena *arena)
{
    document->cta_label = document->cta_url = "";
    if (search(document, arena, CS_SECTION_COPY, look_for_button) ||
        search(document, arena, CS_SECTION_CTA, look_for_button))
        return;
    if (document->client_url[0] == '\0')
        return;
    document->cta_url = document->client_url;
    if (search(document, arena, CS_SECTION_CTA, look_for_winner))
        return;
    document->cta_label =
        line_of(arena, host_of(cs_view_cstr(document->client_url)), BUTTON_MAX * 2);
}

static void set_image(struct cs_document *document, struct cs_arena *arena,
                      const struct cs_json *state)
{
    const struct cs_json *visual = cs_json_get(cs_json_get(state, "artifacts"), "visual");

    document->image_url = url_of(arena, cs_json_get_string(visual, "image_url"));
    document->image_alt =
        line_of(arena, cs_json_get_string(visual, "image_alt"), MAX_LINE);
}

static void set_summary(struct cs_document *document, struct cs_arena *arena,
                        const struct cs_json *brief)
{
    static const enum cs_section_kind kinds[] = {CS_SECTION_SUMMARY, CS_SECTION_STRATEGY,
                                                 CS_SECTION_CLIENT_SUMMARY,
                                                 CS_SECTION_CONCEPTS};

    document->summary = "";
    for (size_t i = 0; i < CS_COUNT(kinds); i++)
        if (search(document, arena, kinds[i], look_for_summary))
            return;
    document->summary =
        document->product[0] != '\0'
            ? document->product
            : line_of(arena, text_of(brief, "target_audience"), SUMMARY_MAX);
}

static bool same_words(const char *a, const char *b)
{
    struct cs_buf one = CS_BUF_INIT(256), two = CS_BUF_INIT(256);
    bool same;

    cs_text_slug(&one, cs_view_cstr(a));
    cs_text_slug(&two, cs_view_cstr(b));
    same = cs_view_eq(cs_buf_view(&one), cs_buf_view(&two));
    cs_buf_clear(&one);
    cs_buf_clear(&two);
    return same;
}

void cs_facts_from_sections(struct cs_document *document, struct cs_arena *arena,
                            const struct cs_json *brief, const struct cs_json *state)
{
    document->tagline = "";
    if (!search(document, arena, CS_SECTION_CONCEPTS, look_for_tagline) &&
        !search(document, arena, CS_SECTION_COPY, look_for_tagline) &&
        !search(document, arena, CS_SECTION_STRATEGY, look_for_tagline))
        (void)search(document, arena, CS_SECTION_COPY, look_for_headline);
    if (same_words(document->tagline, document->title))
        document->tagline = "";
    set_summary(document, arena, brief);
    set_call_to_action(document, arena);
    set_image(document, arena, state);
}
