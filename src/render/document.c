#include "config.h"

#include "render/document.h"

#include <stdlib.h>

#include "render/arena.h"
#include "render/charts.h"
#include "render/document_facts.h"
#include "render/labels.h"
#include "render/language.h"
#include "render/markdown.h"
#include "render/text.h"
#include "render/value.h"
#include "json/tree.h"

#define MAX_TEXT (256u << 20)

/* The document with what belongs to it and what it is built from. */
struct builder {
    struct cs_document document; /* first: freed through a pointer to it */
    struct cs_arena arena;
    size_t capacity; /* of document.sections */
    struct cs_json *brief, *state, *interactions, *progress;
    struct cs_markdown markdown;
    struct cs_value_writer writer;
};

/* ---- titles ------------------------------------------------------------------ */

/* Members of the brief and of common shapes, and their titles in the language. */
static const struct {
    const char *name;
    enum cs_label label;
} member_titles[] = {
    {"campaign_name", CS_LABEL_CAMPAIGN_NAME},
    {"product", CS_LABEL_PRODUCT},
    {"client", CS_LABEL_CLIENT},
    {"client_website", CS_LABEL_CLIENT_WEBSITE},
    {"client_logo", CS_LABEL_CLIENT_LOGO},
    {"color_scheme", CS_LABEL_COLOURS},
    {"target_audience", CS_LABEL_AUDIENCE},
    {"goals", CS_LABEL_GOALS},
    {"key_features", CS_LABEL_FEATURES},
    {"budget", CS_LABEL_BUDGET},
    {"timeline", CS_LABEL_DURATION},
    {"additional_requirements", CS_LABEL_REQUIREMENTS},
    {"timestamp", CS_LABEL_TIME},
    {"agent", CS_LABEL_AGENT},
    {"action", CS_LABEL_ACTION},
    {"message", CS_LABEL_MESSAGE},
    {"status", CS_LABEL_STATUS},
    {"channel", CS_LABEL_CHANNEL},
    {"channels", CS_LABEL_CHANNELS},
    {"currency", CS_LABEL_CURRENCY},
    {"total_budget", CS_LABEL_TOTAL_BUDGET},
    {"notes", CS_LABEL_NOTES},
    {"name", CS_LABEL_NAME},
    {"share", CS_LABEL_SHARE},
    {"start", CS_LABEL_START},
    {"end", CS_LABEL_END},
};

static void member_title(struct cs_buf *out, struct cs_view name, const char *language)
{
    for (size_t i = 0; i < CS_COUNT(member_titles); i++) {
        if (cs_view_eq_cstr(name, member_titles[i].name)) {
            cs_buf_add_cstr(out, cs_label(language, member_titles[i].label));
            return;
        }
    }
    cs_label_from_name(out, name);
}

/* The artifacts that we know, in the order of the agents that make them. */
static const struct known_artifact {
    const char *name;
    enum cs_section_kind kind;
    enum cs_label label;
} known_artifacts[] = {
    {"strategy", CS_SECTION_STRATEGY, CS_LABEL_STRATEGY},
    {"audience_personas", CS_SECTION_PERSONAS, CS_LABEL_PERSONAS},
    {"audience_persona", CS_SECTION_PERSONAS, CS_LABEL_PERSONAS},
    {"creative_concepts", CS_SECTION_CONCEPTS, CS_LABEL_CONCEPTS},
    {"creative", CS_SECTION_CONCEPTS, CS_LABEL_CONCEPTS},
    {"copy", CS_SECTION_COPY, CS_LABEL_COPY},
    {"cta_optimization", CS_SECTION_CTA, CS_LABEL_CTA},
    {"cta_optimizer", CS_SECTION_CTA, CS_LABEL_CTA},
    {"visual", CS_SECTION_VISUAL, CS_LABEL_VISUAL},
    {"designer", CS_SECTION_DESIGN, CS_LABEL_DESIGN},
    {"social_media_campaign", CS_SECTION_SOCIAL, CS_LABEL_SOCIAL},
    {"emotion_personalization", CS_SECTION_EMOTION, CS_LABEL_EMOTION},
    {"media_plan", CS_SECTION_MEDIA, CS_LABEL_MEDIA},
    {"media_planner", CS_SECTION_MEDIA, CS_LABEL_MEDIA},
    {"review", CS_SECTION_REVIEW, CS_LABEL_REVIEW},
    {"campaign_summary", CS_SECTION_SUMMARY, CS_LABEL_SUMMARY},
    {"client_summary", CS_SECTION_CLIENT_SUMMARY, CS_LABEL_CLIENT_SUMMARY},
    {"web_developer", CS_SECTION_WEBSITE, CS_LABEL_WEBSITE},
    {"html_validation", CS_SECTION_VALIDATION, CS_LABEL_VALIDATION},
};

static const struct known_artifact *find_known(struct cs_view name)
{
    for (size_t i = 0; i < CS_COUNT(known_artifacts); i++)
        if (cs_view_eq_cstr(name, known_artifacts[i].name))
            return &known_artifacts[i];
    return NULL;
}

/* ---- sections ---------------------------------------------------------------- */

static const char *line_of(struct builder *builder, struct cs_view text)
{
    struct cs_buf line = CS_BUF_INIT(MAX_TEXT);
    const char *copy;

    cs_text_line(&line, text);
    copy = cs_arena_text(&builder->arena, cs_buf_view(&line));
    builder->arena.failed = builder->arena.failed || line.failed != CS_OK;
    cs_buf_clear(&line);
    return copy;
}

static struct cs_section *add_section(struct builder *builder, enum cs_section_kind kind,
                                      const char *title, struct cs_view name)
{
    struct cs_document *document = &builder->document;
    struct cs_section *grown, *section;

    if (document->section_count == builder->capacity) {
        builder->capacity = builder->capacity * 2 + 32;
        grown = realloc(document->sections, builder->capacity * sizeof(*grown));
        if (grown == NULL) {
            builder->arena.failed = true;
            return NULL;
        }
        document->sections = grown;
    }
    section = &document->sections[document->section_count++];
    *section = (struct cs_section){
        .slug = "",
        .title = title,
        .name = line_of(builder, name),
        .kind = kind,
        .folded = kind >= CS_SECTION_FEEDBACK || kind == CS_SECTION_WEBSITE ||
                  kind == CS_SECTION_VALIDATION,
        .content = cs_markdown_node(&builder->markdown, CMARK_NODE_DOCUMENT),
    };
    return section;
}

static const char *title_from_name(struct builder *builder, struct cs_view name)
{
    struct cs_buf title = CS_BUF_INIT(MAX_TEXT);
    const char *copy;

    cs_label_from_name(&title, name);
    if (title.len == 0)
        cs_buf_add_cstr(&title, cs_label(builder->document.language, CS_LABEL_DETAILS));
    copy = cs_arena_text(&builder->arena, cs_buf_view(&title));
    cs_buf_clear(&title);
    return copy;
}

static void add_value_section(struct builder *builder, enum cs_section_kind kind,
                              const char *title, struct cs_view name,
                              const struct cs_json *value)
{
    struct cs_section *section = add_section(builder, kind, title, name);

    if (section == NULL)
        return;
    cs_value_add(&builder->writer, section->content, value, 1);
    if (kind == CS_SECTION_MEDIA)
        cs_charts_media(section, &builder->arena, value, builder->document.language);
    else if (kind < CS_SECTION_BRIEF)
        cs_charts_phases(section, &builder->arena, builder->document.language);
    if (kind < CS_SECTION_BRIEF)
        cs_charts_kpis(section, &builder->arena, value, builder->document.language);
    if (kind == CS_SECTION_TIMELINE)
        cs_charts_durations(section, &builder->arena, value, builder->document.language);
}

static void add_artifact(struct builder *builder, struct cs_view name,
                         const struct cs_json *value)
{
    const struct known_artifact *known = find_known(name);

    if (known != NULL)
        add_value_section(builder, known->kind,
                          cs_label(builder->document.language, known->label), name,
                          value);
    else
        add_value_section(builder, CS_SECTION_OTHER, title_from_name(builder, name), name,
                          value);
}

static void add_artifacts(struct builder *builder, const struct cs_json *artifacts)
{
    struct cs_json_iter iter = {0};

    if (cs_json_type(artifacts) != CS_JSON_OBJECT) {
        if (artifacts != NULL)
            add_value_section(builder, CS_SECTION_OTHER,
                              title_from_name(builder, CS_LIT("artifacts")),
                              CS_LIT("artifacts"), artifacts);
        return;
    }
    for (size_t i = 0; i < CS_COUNT(known_artifacts); i++) {
        const char *name = known_artifacts[i].name;

        if (cs_json_has(artifacts, name))
            add_artifact(builder, cs_view_cstr(name), cs_json_get(artifacts, name));
    }
    while (cs_json_next(&iter, artifacts))
        if (find_known(iter.name) == NULL)
            add_artifact(builder, iter.name, iter.value);
}

static bool same_json(const struct cs_json *a, const struct cs_json *b)
{
    struct cs_buf one = CS_BUF_INIT(MAX_TEXT), two = CS_BUF_INIT(MAX_TEXT);
    bool same;

    cs_json_write_node(&one, a);
    cs_json_write_node(&two, b);
    same = one.failed == CS_OK && two.failed == CS_OK &&
           cs_view_eq(cs_buf_view(&one), cs_buf_view(&two));
    cs_buf_clear(&one);
    cs_buf_clear(&two);
    return same;
}

/* Fields of the state that have a section of their own. */
static const struct {
    const char *name;
    enum cs_section_kind kind;
    enum cs_label label;
} state_sections[] = {
    {"feedback", CS_SECTION_FEEDBACK, CS_LABEL_FEEDBACK},
    {"messages", CS_SECTION_CONVERSATION, CS_LABEL_CONVERSATION},
    {"previous_artifacts", CS_SECTION_PREVIOUS, CS_LABEL_PREVIOUS},
};

static bool is_empty(const struct cs_json *value)
{
    enum cs_json_type type = cs_json_type(value);

    return type == CS_JSON_NULL || ((type == CS_JSON_ARRAY || type == CS_JSON_OBJECT) &&
                                    cs_json_length(value) == 0);
}

/* What the section of further data leaves to the others. */
static bool skip_state_field(void *payload, struct cs_view name)
{
    const struct builder *builder = payload;

    if (cs_view_eq(name, CS_LIT("artifacts")))
        return true;
    if (cs_view_eq(name, CS_LIT("campaign_brief")))
        return same_json(builder->brief, cs_json_get(builder->state, "campaign_brief"));
    for (size_t i = 0; i < CS_COUNT(state_sections); i++)
        if (cs_view_eq_cstr(name, state_sections[i].name))
            return true;
    return false;
}

static void add_record_facts(struct builder *builder, cmark_node *parent)
{
    const struct cs_document *document = &builder->document;
    const struct {
        enum cs_label label;
        const char *text;
    } facts[] = {
        {CS_LABEL_CAMPAIGN_ID, document->campaign_id},
        {CS_LABEL_STATUS, document->status},
        {CS_LABEL_CREATED, document->created_at},
        {CS_LABEL_COMPLETED, document->completed_at},
        {CS_LABEL_EXECUTION_TIME, document->execution_time},
        {CS_LABEL_QUALITY, document->quality_score},
    };
    cmark_node *fields = NULL;

    for (size_t i = 0; i < CS_COUNT(facts); i++) {
        if (facts[i].text[0] == '\0')
            continue;
        fields = fields != NULL ? fields : cs_value_fields(&builder->writer, parent);
        cs_value_field(&builder->writer, fields,
                       cs_view_cstr(cs_label(document->language, facts[i].label)),
                       cs_view_cstr(facts[i].text));
    }
}

static void add_state_sections(struct builder *builder)
{
    const char *language = builder->document.language;
    struct cs_section *section;

    for (size_t i = 0; i < CS_COUNT(state_sections); i++) {
        const struct cs_json *value = cs_json_get(builder->state, state_sections[i].name);

        if (!is_empty(value))
            add_value_section(builder, state_sections[i].kind,
                              cs_label(language, state_sections[i].label),
                              cs_view_cstr(state_sections[i].name), value);
    }
    section = add_section(builder, CS_SECTION_STATE, cs_label(language, CS_LABEL_STATE),
                          cs_view_of("", 0));
    if (section == NULL)
        return;
    add_record_facts(builder, section->content);
    if (cs_json_type(builder->state) == CS_JSON_OBJECT)
        cs_value_add_members(&builder->writer, section->content, builder->state, 1,
                             skip_state_field, builder);
    else if (builder->state != NULL)
        cs_value_add(&builder->writer, section->content, builder->state, 1);
}

static void add_sections(struct builder *builder)
{
    const char *language = builder->document.language;

    add_artifacts(builder, cs_json_get(builder->state, "artifacts"));
    if (!is_empty(builder->brief))
        add_value_section(builder, CS_SECTION_BRIEF, cs_label(language, CS_LABEL_BRIEF),
                          cs_view_of("", 0), builder->brief);
    add_state_sections(builder);
    if (!is_empty(builder->progress))
        add_value_section(builder, CS_SECTION_PROGRESS,
                          cs_label(language, CS_LABEL_PROGRESS), cs_view_of("", 0),
                          builder->progress);
    if (!is_empty(builder->interactions))
        add_value_section(builder, CS_SECTION_TIMELINE,
                          cs_label(language, CS_LABEL_TIMELINE), cs_view_of("", 0),
                          builder->interactions);
}

/* ---- slugs --------------------------------------------------------------------- */

/* Slugs seen so far, by hash; so that 10,000 artifacts cost 10,000 look-ups. */
struct slug_set {
    const char **slots;
    size_t mask;
};

static bool take_slug(struct slug_set *set, const char *slug)
{
    uint64_t hash = 1469598103934665603u;
    size_t at;

    for (const char *c = slug; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    for (at = hash & set->mask; set->slots[at] != NULL; at = (at + 1) & set->mask)
        if (strcmp(set->slots[at], slug) == 0)
            return false;
    set->slots[at] = slug;
    return true;
}

/* The name's slug; when it is taken, with the section's number, which is not. */
static void set_slugs(struct builder *builder)
{
    struct cs_document *document = &builder->document;
    struct slug_set set = {.mask = 63};

    while (set.mask < document->section_count * 4)
        set.mask = set.mask * 2 + 1;
    set.slots = cs_arena_alloc(&builder->arena, set.mask + 1, sizeof(*set.slots));
    for (size_t i = 0; set.slots != NULL && i < document->section_count; i++) {
        struct cs_section *section = &document->sections[i];
        struct cs_buf slug = CS_BUF_INIT(256);

        cs_text_slug(&slug, cs_view_cstr(section->name[0] != '\0' ? section->name
                                                                  : section->title));
        if (slug.len == 0)
            cs_buf_add_cstr(&slug, "section");
        section->slug = cs_arena_text(&builder->arena, cs_buf_view(&slug));
        while (!take_slug(&set, section->slug)) {
            cs_buf_add_byte(&slug, '-');
            cs_buf_add_u64(&slug, i + 1);
            section->slug = cs_arena_text(&builder->arena, cs_buf_view(&slug));
            if (builder->arena.failed || slug.failed != CS_OK)
                break;
        }
        cs_buf_clear(&slug);
    }
}

/* ---- the whole ------------------------------------------------------------------ */

static enum cs_code parse_inputs(struct builder *builder,
                                 const struct cs_render_input *input, struct cs_err *err)
{
    const struct {
        struct cs_view text;
        struct cs_json **root;
    } parts[] = {
        {input->brief, &builder->brief},
        {input->state, &builder->state},
        {input->interactions, &builder->interactions},
        {input->progress, &builder->progress},
    };
    enum cs_code code = CS_OK;

    for (size_t i = 0; i < CS_COUNT(parts) && code == CS_OK; i++)
        if (parts[i].text.len > 0)
            code = cs_json_parse(parts[i].root, parts[i].text, NULL, err);
    return code;
}

static void set_record_facts(struct builder *builder, const struct cs_render_input *input)
{
    struct cs_document *document = &builder->document;

    document->campaign_id = line_of(builder, input->campaign_id);
    document->status = line_of(builder, input->status);
    document->created_at = line_of(builder, input->created_at);
    document->completed_at = line_of(builder, input->completed_at);
    document->execution_time = line_of(builder, input->execution_time);
    document->quality_score = line_of(builder, input->quality_score);
}

static enum cs_code build(struct builder *builder, const struct cs_render_input *input,
                          struct cs_err *err)
{
    struct cs_document *document = &builder->document;
    enum cs_code code = cs_markdown_init(&builder->markdown, MAX_TEXT, err);

    if (code != CS_OK)
        return code;
    code = parse_inputs(builder, input, err);
    if (code != CS_OK)
        return code;
    set_record_facts(builder, input);
    cs_facts_from_brief(document, &builder->arena, input->campaign_name, builder->brief,
                        builder->state);
    if (strcmp(document->status, "completed") == 0)
        document->status = cs_label(document->language, CS_LABEL_IS_COMPLETED);
    cs_value_writer_init(&builder->writer, &builder->markdown, document->language,
                         member_title, MAX_TEXT);
    add_sections(builder);
    for (size_t i = 0; i < document->section_count; i++)
        cs_markdown_level_headings(document->sections[i].content);
    set_slugs(builder);
    cs_facts_from_sections(document, &builder->arena, builder->brief, builder->state);
    return cs_arena_check(&builder->arena, err);
}

enum cs_code cs_document_new(struct cs_document **document_out,
                             const struct cs_render_input *input, struct cs_err *err)
{
    struct builder *builder = calloc(1, sizeof(*builder));
    enum cs_code code;

    *document_out = NULL;
    if (builder == NULL)
        return cs_err_nomem(err);
    cs_arena_init(&builder->arena);
    code = build(builder, input, err);
    cs_json_free(builder->brief);
    cs_json_free(builder->state);
    cs_json_free(builder->interactions);
    cs_json_free(builder->progress);
    builder->brief = builder->state = builder->interactions = builder->progress = NULL;
    cs_value_writer_clear(&builder->writer);
    cs_markdown_clear(&builder->markdown);
    if (code != CS_OK)
        cs_document_free(&builder->document);
    else
        *document_out = &builder->document;
    return code;
}

bool cs_section_charts_first(const struct cs_section *section)
{
    return section->kind == CS_SECTION_MEDIA || section->kind == CS_SECTION_TIMELINE ||
           section->content == NULL;
}

void cs_document_drop_section(struct cs_document *document, size_t section)
{
    struct cs_section *dropped = &document->sections[section];

    if (dropped->content != NULL)
        cmark_node_free(dropped->content);
    dropped->content = NULL;
    dropped->chart_count = 0;
}

void cs_document_free(struct cs_document *document)
{
    struct builder *builder = (struct builder *)document;

    if (document == NULL)
        return;
    for (size_t i = 0; i < document->section_count; i++)
        cs_document_drop_section(document, i);
    free(document->sections);
    cs_arena_clear(&builder->arena);
    free(builder);
}
