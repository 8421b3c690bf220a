#include "config.h"

#include "render/page.h"

#include "render/text.h"
#include "json/scan.h"

#define MIN_LETTERS 12u /* of visible text, below which a page is none */

static bool starts_nocase(struct cs_view text, struct cs_view prefix)
{
    return text.len >= prefix.len &&
           cs_view_eq_nocase(cs_view_of(text.ptr, prefix.len), prefix);
}

static size_t find_nocase(struct cs_view text, struct cs_view word, size_t from)
{
    for (size_t at = from; at + word.len <= text.len; at++)
        if (starts_nocase(cs_view_from(text, at), word))
            return at;
    return SIZE_MAX;
}

/* ---- finding the page in the text ---------------------------------------------------
 */

/* Offset behind the line of an opening ```html fence, or SIZE_MAX. */
static size_t find_fence(struct cs_view text)
{
    static const struct cs_view fences[] = {CS_LIT_INIT("```html"),
                                            CS_LIT_INIT("~~~html")};

    for (size_t i = 0; i < CS_COUNT(fences); i++) {
        size_t at = find_nocase(text, fences[i], 0);
        size_t feed;

        if (at == SIZE_MAX)
            continue;
        feed = cs_view_find_byte(cs_view_from(text, at), '\n');
        if (feed != SIZE_MAX)
            return at + feed + 1;
    }
    return SIZE_MAX;
}

static size_t find_last_nocase(struct cs_view text, struct cs_view word)
{
    for (size_t at = text.len; at-- > 0;)
        if (starts_nocase(cs_view_from(text, at), word))
            return at;
    return SIZE_MAX;
}

/* Cuts the page out of the talk around it. */
static struct cs_view cut_out(struct cs_view text)
{
    size_t fence = find_fence(text);
    size_t start = find_nocase(text, CS_LIT("<!doctype"), 0);
    size_t end;

    if (start == SIZE_MAX)
        start = find_nocase(text, CS_LIT("<html"), 0);
    if (start == SIZE_MAX)
        start = fence != SIZE_MAX ? fence : cs_view_find_byte(text, '<');
    if (start == SIZE_MAX)
        return cs_view_of("", 0);
    text = cs_view_from(text, start);
    end = find_last_nocase(text, CS_LIT("</html>"));
    if (end != SIZE_MAX)
        return cs_view_of(text.ptr, end + 7);
    if (fence != SIZE_MAX) {
        end = cs_view_find(text, CS_LIT("\n```"));
        if (end == SIZE_MAX)
            end = cs_view_find(text, CS_LIT("\n~~~"));
        if (end != SIZE_MAX)
            text.len = end;
    }
    return cs_view_trim(text);
}

/* ---- looking at the page -------------------------------------------------------------
 */

/* What one pass over the page finds. Offsets are SIZE_MAX where there is none. */
struct survey {
    size_t doctype_end;
    size_t html_start, html_end; /* of the <html> tag */
    size_t head_end;             /* behind <head> */
    size_t body_start;           /* of <body> */
    bool html_closed, body_closed;
    bool lang, charset, viewport, title;
    size_t letters; /* outside of tags, scripts and styles */
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Offset of the tag's '>' that is not within a quoted value, or SIZE_MAX. */
static size_t tag_end(struct cs_view page, size_t at)
{
    char quote = '\0';

    for (; at < page.len; at++) {
        char c = page.ptr[at];

        if (quote != '\0')
            quote = c == quote ? '\0' : quote;
        else if ((c == '"' || c == '\'') && page.ptr[at - 1] == '=')
            quote = c;
        else if (c == '>')
            return at;
    }
    return SIZE_MAX;
}

static struct cs_view tag_name(struct cs_view tag)
{
    size_t len = 0;

    while (len < tag.len &&
           (is_letter(tag.ptr[len]) || (tag.ptr[len] >= '0' && tag.ptr[len] <= '9')))
        len++;
    return cs_view_of(tag.ptr, len);
}

static void survey_meta(struct survey *survey, struct cs_view tag)
{
    if (find_nocase(tag, CS_LIT("viewport"), 0) != SIZE_MAX)
        survey->viewport = true;
    if (find_nocase(tag, CS_LIT("charset"), 0) != SIZE_MAX)
        survey->charset = find_nocase(tag, CS_LIT("utf-8"), 0) != SIZE_MAX;
}

/* Elements whose content is no markup: where they end. */
static const char *raw_end(struct cs_view name)
{
    static const struct {
        const char *name, *end;
    } raw[] = {{"script", "</script"},
               {"style", "</style"},
               {"textarea", "</textarea"},
               {"title", "</title"}};

    for (size_t i = 0; i < CS_COUNT(raw); i++)
        if (cs_view_eq_nocase(name, cs_view_cstr(raw[i].name)))
            return raw[i].end;
    return NULL;
}

/* Takes note of the tag between `start` ('<') and `end` ('>'). */
static void survey_tag(struct survey *survey, struct cs_view page, size_t start,
                       size_t end)
{
    struct cs_view tag = cs_view_of(page.ptr + start + 1, end - start - 1);
    struct cs_view name = tag_name(tag);

    if (cs_view_eq_nocase(name, CS_LIT("html")) && survey->html_end == SIZE_MAX) {
        survey->html_start = start;
        survey->html_end = end + 1;
        survey->lang = find_nocase(tag, CS_LIT(" lang="), 0) != SIZE_MAX;
    } else if (cs_view_eq_nocase(name, CS_LIT("head")) && survey->head_end == SIZE_MAX) {
        survey->head_end = end + 1;
    } else if (cs_view_eq_nocase(name, CS_LIT("body")) &&
               survey->body_start == SIZE_MAX) {
        survey->body_start = start;
    } else if (cs_view_eq_nocase(name, CS_LIT("title"))) {
        survey->title = true;
    } else if (cs_view_eq_nocase(name, CS_LIT("meta"))) {
        survey_meta(survey, tag);
    } else if (starts_nocase(tag, CS_LIT("/body"))) {
        survey->body_closed = true;
    } else if (starts_nocase(tag, CS_LIT("/html"))) {
        survey->html_closed = true;
    } else if (starts_nocase(tag, CS_LIT("!doctype"))) {
        survey->doctype_end = end + 1;
    }
}

/* Passes over a comment, a tag, or a raw element from its '<' on. Returns the offset
 * behind it, or SIZE_MAX with the fault in err. */
static size_t pass_markup(struct survey *survey, struct cs_view page, size_t at,
                          struct cs_err *err)
{
    struct cs_view rest = cs_view_from(page, at);
    struct cs_view name;
    const char *raw;
    size_t end;

    if (cs_view_starts(rest, CS_LIT("<!--"))) {
        end = cs_view_find(rest, CS_LIT("-->"));
        if (end == SIZE_MAX) {
            (void)cs_err_set(err, CS_ERENDER, "a comment is never closed");
            return SIZE_MAX;
        }
        return at + end + 3;
    }
    end = tag_end(page, at + 1);
    if (end == SIZE_MAX) {
        (void)cs_err_set(err, CS_ERENDER, "it ends within a tag");
        return SIZE_MAX;
    }
    survey_tag(survey, page, at, end);
    name = tag_name(cs_view_from(rest, 1));
    raw = raw_end(name);
    if (raw == NULL)
        return end + 1;
    at = find_nocase(page, cs_view_cstr(raw), end + 1);
    if (at == SIZE_MAX)
        (void)cs_err_set(err, CS_ERENDER, "a <%.*s> element is never closed",
                         CS_FMT(name));
    return at;
}

static enum cs_code survey_page(struct survey *survey, struct cs_view page,
                                struct cs_err *err)
{
    size_t at = 0;

    *survey = (struct survey){SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, false,
                              false,    false,    false,    false,    false,    0};
    while (at < page.len) {
        char c = page.ptr[at];

        if (c == '<' && at + 1 < page.len &&
            (is_letter(page.ptr[at + 1]) || page.ptr[at + 1] == '/' ||
             page.ptr[at + 1] == '!')) {
            at = pass_markup(survey, page, at, err);
            if (at == SIZE_MAX)
                return CS_ERENDER;
            continue;
        }
        survey->letters += is_letter(c) || (unsigned char)c >= 0x80 ? 1 : 0;
        at++;
    }
    if (survey->letters < MIN_LETTERS)
        return cs_err_set(err, CS_ERENDER, "it has next to no text");
    return CS_OK;
}

/* ---- writing it ----------------------------------------------------------------------
 */

static void add_head_parts(struct cs_buf *out, const struct survey *survey,
                           const struct cs_page_facts *facts)
{
    if (!survey->charset)
        cs_buf_add_cstr(out, "\n<meta charset=\"utf-8\">");
    if (!survey->viewport)
        cs_buf_add_cstr(
            out,
            "\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    if (!survey->title) {
        cs_buf_add_cstr(out, "\n<title>");
        cs_text_html(out, cs_view_cstr(facts->title));
        cs_buf_add_cstr(out, "</title>");
    }
}

static void add_html_tag(struct cs_buf *out, struct cs_view page,
                         const struct survey *survey, const struct cs_page_facts *facts)
{
    if (survey->html_end == SIZE_MAX) {
        cs_buf_add_cstr(out, "<html lang=\"");
        cs_text_html(out, cs_view_cstr(facts->language));
        cs_buf_add_cstr(out, "\">");
        return;
    }
    cs_buf_add_cstr(out, "<html");
    if (!survey->lang) {
        cs_buf_add_cstr(out, " lang=\"");
        cs_text_html(out, cs_view_cstr(facts->language));
        cs_buf_add_byte(out, '"');
    }
    cs_buf_add(out, cs_view_sub(page, survey->html_start + 5,
                                survey->html_end - survey->html_start - 5));
}

static void write_page(struct cs_buf *out, struct cs_view page,
                       const struct survey *survey, const struct cs_page_facts *facts)
{
    size_t at = survey->doctype_end != SIZE_MAX ? survey->doctype_end : 0;

    cs_buf_add_cstr(out, "<!DOCTYPE html>\n");
    if (survey->html_end != SIZE_MAX) {
        cs_buf_add(
            out,
            cs_view_sub(page, at, survey->html_start > at ? survey->html_start - at : 0));
        at = survey->html_end;
    }
    add_html_tag(out, page, survey, facts);
    if (survey->head_end != SIZE_MAX && survey->head_end > at) {
        cs_buf_add(out, cs_view_sub(page, at, survey->head_end - at));
        add_head_parts(out, survey, facts);
        at = survey->head_end;
    } else {
        cs_buf_add_cstr(out, "\n<head>");
        add_head_parts(out, survey, facts);
        /* Without <head>, what stands before <body> belongs to it. */
        if (survey->body_start != SIZE_MAX && survey->body_start > at) {
            cs_buf_add(out, cs_view_sub(page, at, survey->body_start - at));
            at = survey->body_start;
        }
        cs_buf_add_cstr(out, "\n</head>\n");
    }
    cs_buf_add(out, cs_view_from(page, at));
    if (survey->body_start != SIZE_MAX && !survey->body_closed && !survey->html_closed)
        cs_buf_add_cstr(out, "\n</body>");
    if (!survey->html_closed)
        cs_buf_add_cstr(out, "\n</html>");
    cs_buf_add_byte(out, '\n');
}

enum cs_code cs_page_clean(struct cs_buf *out, struct cs_view text,
                           const struct cs_page_facts *facts, struct cs_err *err)
{
    struct cs_buf clean = CS_BUF_INIT(out->max);
    struct survey survey;
    struct cs_view page;
    enum cs_code code;

    cs_text_clean(&clean, text);
    code = cs_buf_check(&clean, err);
    page = cut_out(cs_buf_view(&clean));
    if (code == CS_OK && page.len == 0)
        code = cs_err_set(err, CS_ERENDER, "there is no HTML in it");
    if (code == CS_OK)
        code = survey_page(&survey, page, err);
    if (code == CS_OK) {
        write_page(out, page, &survey, facts);
        code = cs_buf_check(out, err);
    }
    cs_buf_clear(&clean);
    return code;
}

enum cs_code cs_page_from_state(struct cs_buf *out, struct cs_view state,
                                const struct cs_page_facts *facts, struct cs_err *err)
{
    static const struct {
        const char *artifact, *member, *pointer;
    } places[] = {
        {"html_validation", "corrected_html",
         "/artifacts/html_validation/corrected_html"},
        {"web_developer", "campaign_website",
         "/artifacts/web_developer/campaign_website"},
    };
    struct cs_view artifacts = cs_json_slice(state, "artifacts");
    enum cs_code code = CS_ENOTFOUND;

    for (size_t i = 0; i < CS_COUNT(places) && code != CS_OK; i++) {
        struct cs_buf text = CS_BUF_INIT(out->max);
        struct cs_view artifact = cs_json_slice(artifacts, places[i].artifact);
        struct cs_err fault = CS_ERR_NONE;

        if (cs_json_slice_string(&text, artifact, places[i].member) && text.len > 0) {
            code = cs_page_clean(out, cs_buf_view(&text), facts, &fault);
            if (code != CS_OK)
                (void)cs_err_field(err, code, places[i].pointer, "page", "%s",
                                   fault.text);
        }
        cs_buf_clear(&text);
    }
    return code;
}
