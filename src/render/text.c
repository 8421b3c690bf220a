#include "config.h"

#include "render/text.h"

#include "base/encoding.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define SLUG_MAX    60u

/* Control characters but TAB and LF, and what Unicode reserves as no character. */
static bool unfit(uint32_t c)
{
    return (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7f && c < 0xa0) ||
           (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

static bool overrides_direction(uint32_t c)
{
    return c >= 0x202a && c <= 0x202e;
}

/* How many bytes from the front are plain ASCII that needs no change. */
static size_t plain_run(struct cs_view text)
{
    size_t len = 0;

    while (len < text.len) {
        unsigned char byte = (unsigned char)text.ptr[len];

        if (byte >= 0x7f || (byte < 0x20 && byte != '\n' && byte != '\t'))
            break;
        len++;
    }
    return len;
}

void cs_text_clean(struct cs_buf *out, struct cs_view text)
{
    cs_buf_reserve(out, text.len);
    while (text.len > 0) {
        size_t run = plain_run(text);
        const char *from;
        uint32_t c;

        cs_buf_add(out, cs_view_of(text.ptr, run));
        text = cs_view_from(text, run);
        if (text.len == 0)
            break;
        from = text.ptr;
        if (!cs_utf8_next(&text, &c)) {
            cs_buf_add_cstr(out, REPLACEMENT);
            text = cs_view_from(text, 1);
        } else if (c == '\r') {
            if (text.len == 0 || text.ptr[0] != '\n')
                cs_buf_add_byte(out, '\n');
        } else if (unfit(c)) {
            cs_buf_add_cstr(out, REPLACEMENT);
        } else if (!overrides_direction(c)) {
            cs_buf_add(out, cs_view_of(from, (size_t)(text.ptr - from)));
        }
    }
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void cs_text_line(struct cs_buf *out, struct cs_view text)
{
    struct cs_buf clean = CS_BUF_INIT(out->max);
    struct cs_view rest;
    bool gap = false;

    cs_text_clean(&clean, text);
    rest = cs_view_trim(cs_buf_view(&clean));
    for (size_t i = 0; i < rest.len; i++) {
        if (is_space(rest.ptr[i])) {
            gap = true;
            continue;
        }
        if (gap)
            cs_buf_add_byte(out, ' ');
        gap = false;
        cs_buf_add_byte(out, rest.ptr[i]);
    }
    if (clean.failed != CS_OK && out->failed == CS_OK)
        out->failed = clean.failed;
    cs_buf_clear(&clean);
}

/* A line that may open or close a fence of back-ticks, without its white space. */
struct fence_line {
    size_t start, end; /* of the line with its line feed */
    struct cs_view info;
    bool fence;
};

static struct fence_line next_line(struct cs_view text, size_t at)
{
    struct cs_view rest = cs_view_from(text, at);
    size_t feed = cs_view_find_byte(rest, '\n');
    struct fence_line line = {.start = at};
    struct cs_view body;

    line.end = feed == SIZE_MAX ? text.len : at + feed + 1;
    body = cs_view_trim(cs_view_of(text.ptr + at, line.end - at));
    line.fence = cs_view_starts(body, CS_LIT("```"));
    if (line.fence) {
        while (body.len > 0 && body.ptr[0] == '`')
            body = cs_view_from(body, 1);
        line.info = cs_view_trim(body);
        /* ```code``` in one line is a code span, not a fence. */
        line.fence = cs_view_find_byte(body, '`') == SIZE_MAX;
    }
    return line;
}

static bool next_fence(struct cs_view text, size_t at, struct fence_line *out)
{
    while (at < text.len) {
        *out = next_line(text, at);
        if (out->fence)
            return true;
        at = out->end;
    }
    return false;
}

static bool wraps_markdown(struct cs_view info)
{
    return cs_view_eq_nocase(info, CS_LIT("markdown")) ||
           cs_view_eq_nocase(info, CS_LIT("md")) ||
           cs_view_eq_nocase(info, CS_LIT("gfm")) ||
           cs_view_eq_nocase(info, CS_LIT("mdx"));
}

/* Finds the fence that closes a ```markdown block opened before `at`, past the
 * blocks inside it. A bare fence is taken as the opening of an inner block when
 * another bare one follows it. */
static bool closing_fence(struct cs_view text, size_t at, struct fence_line *out)
{
    struct fence_line line, after;
    bool inside = false;

    while (next_fence(text, at, &line)) {
        at = line.end;
        if (inside) {
            inside = line.info.len > 0;
        } else if (line.info.len > 0) {
            inside = true;
        } else if (next_fence(text, at, &after) && after.info.len == 0) {
            inside = true;
        } else {
            *out = line;
            return true;
        }
    }
    return false;
}

static bool starts_nocase(struct cs_view text, struct cs_view prefix)
{
    return text.len >= prefix.len &&
           cs_view_eq_nocase(cs_view_of(text.ptr, prefix.len), prefix);
}

/* A whole page without fences: its tags are shown, as Markdown would lose them. */
static bool add_page_as_code(struct cs_buf *out, struct cs_view text)
{
    struct cs_view body = cs_view_trim(text);
    size_t ticks = 3;

    if (!starts_nocase(body, CS_LIT("<!doctype")) &&
        !starts_nocase(body, CS_LIT("<html")))
        return false;
    for (size_t i = 0, run = 0; i < body.len; i++) {
        run = body.ptr[i] == '`' ? run + 1 : 0;
        ticks = run >= ticks ? run + 1 : ticks;
    }
    for (size_t i = 0; i < ticks; i++)
        cs_buf_add_byte(out, '`');
    cs_buf_add_cstr(out, "html\n");
    cs_buf_add(out, body);
    cs_buf_add_byte(out, '\n');
    for (size_t i = 0; i < ticks; i++)
        cs_buf_add_byte(out, '`');
    cs_buf_add_byte(out, '\n');
    return true;
}

static void unwrap(struct cs_buf *out, struct cs_view text)
{
    struct fence_line line, close;
    size_t done = 0;
    size_t at = 0;

    while (next_fence(text, at, &line)) {
        at = line.end;
        if (!wraps_markdown(line.info)) {
            /* Past the end of an ordinary block, whose inside is not ours. */
            while (next_fence(text, at, &line)) {
                at = line.end;
                if (line.info.len == 0)
                    break;
            }
            continue;
        }
        cs_buf_add(out, cs_view_sub(text, done, line.start - done));
        cs_buf_add_byte(out, '\n');
        done = line.end;
        if (!closing_fence(text, at, &close))
            break;
        cs_buf_add(out, cs_view_sub(text, done, close.start - done));
        cs_buf_add_byte(out, '\n');
        done = at = close.end;
    }
    cs_buf_add(out, cs_view_from(text, done));
}

/* JSON that stands bare between lines of text: from a line "{" to a line "}". */
static bool is_json_edge(struct cs_view line, char edge)
{
    line = cs_view_of(line.ptr, cs_view_trim(line).len);
    return line.len == 1 && line.ptr[0] == edge;
}

/* Puts fences around such JSON, so that its lines are kept. Fenced blocks are
 * passed over; an edge without its other end is left as it is. */
static void fence_json(struct cs_buf *out, struct cs_view text)
{
    size_t done = 0, open = SIZE_MAX;
    bool inside = false;
    char close = '}';

    for (size_t at = 0; at < text.len;) {
        struct fence_line line = next_line(text, at);
        struct cs_view body = cs_view_of(text.ptr + at, line.end - at);

        at = line.end;
        if (line.fence && open == SIZE_MAX) {
            inside = !inside;
        } else if (open == SIZE_MAX && !inside &&
                   (is_json_edge(body, '{') || is_json_edge(body, '['))) {
            open = line.start;
            close = body.ptr[0] == '{' ? '}' : ']';
        } else if (open != SIZE_MAX && (is_json_edge(body, close) || line.fence)) {
            if (!line.fence) {
                cs_buf_add(out, cs_view_sub(text, done, open - done));
                cs_buf_add_cstr(out, "```json\n");
                cs_buf_add(out, cs_view_sub(text, open, at - open));
                cs_buf_add_cstr(out,
                                body.ptr[body.len - 1] == '\n' ? "```\n" : "\n```\n");
                done = at;
            } else {
                inside = !inside;
            }
            open = SIZE_MAX;
        }
    }
    cs_buf_add(out, cs_view_from(text, done));
}

void cs_text_markdown(struct cs_buf *out, struct cs_view text)
{
    struct cs_buf clean = CS_BUF_INIT(out->max), bare = CS_BUF_INIT(out->max);

    cs_text_clean(&clean, text);
    if (!add_page_as_code(out, cs_buf_view(&clean))) {
        unwrap(&bare, cs_buf_view(&clean));
        fence_json(out, cs_buf_view(&bare));
    }
    if (out->failed == CS_OK)
        out->failed = clean.failed != CS_OK ? clean.failed : bare.failed;
    cs_buf_clear(&clean);
    cs_buf_clear(&bare);
}

void cs_text_cut(struct cs_buf *out, struct cs_view text, size_t max)
{
    size_t len = text.len;

    if (len <= max) {
        cs_buf_add(out, text);
        return;
    }
    len = max > 3 ? max - 3 : 0;
    while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--;
    for (size_t back = len; back > len / 2; back--) {
        if (text.ptr[back] == ' ') {
            len = back;
            break;
        }
    }
    cs_buf_add(out, cs_view_of(text.ptr, len));
    cs_buf_add_cstr(out, "…");
}

/* U+00C0 to U+017F without their marks; '-' where there is no base letter. */
static const char latin_base[] =
    "aaaaaaaceeeeiiiidnooooo-ouuuuytsaaaaaaaceeeeiiiidnooooo-ouuuuyty"
    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll"
    "lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

void cs_text_slug(struct cs_buf *out, struct cs_view text)
{
    char slug[SLUG_MAX];
    size_t len = 0;
    uint32_t c;

    while (text.len > 0 && len < SLUG_MAX) {
        char letter = '-';

        if (!cs_utf8_next(&text, &c)) {
            text = cs_view_from(text, 1);
            c = '-';
        }
        if (c >= 'A' && c <= 'Z')
            letter = (char)(c - 'A' + 'a');
        else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            letter = (char)c;
        else if (c >= 0xc0 && c <= 0x17f)
            letter = latin_base[c - 0xc0];
        if (letter != '-' || (len > 0 && slug[len - 1] != '-'))
            slug[len++] = letter;
    }
    while (len > 0 && slug[len - 1] == '-')
        len--;
    cs_buf_add(out, cs_view_of(slug, len));
}

static bool tidy_url(struct cs_view url)
{
    for (size_t i = 0; i < url.len; i++) {
        unsigned char byte = (unsigned char)url.ptr[i];

        if (byte <= 0x20 || byte == 0x7f || byte == '"' || byte == '<' || byte == '>' ||
            byte == '\\' || byte == '`')
            return false;
    }
    return true;
}

void cs_text_url(struct cs_buf *out, struct cs_view url)
{
    for (size_t i = 0; i < url.len; i++) {
        unsigned char byte = (unsigned char)url.ptr[i];

        if (byte > 0x20 && byte < 0x7f && strchr("[]{}|^", url.ptr[i]) == NULL)
            cs_buf_add_byte(out, url.ptr[i]);
        else
            cs_percent_encode(out, cs_view_of(url.ptr + i, 1), false);
    }
}

bool cs_text_is_web_url(struct cs_view url)
{
    return url.len > 8 && tidy_url(url) &&
           (starts_nocase(url, CS_LIT("https://")) ||
            starts_nocase(url, CS_LIT("http://")));
}

bool cs_text_link_allowed(struct cs_view url)
{
    if (cs_text_is_web_url(url))
        return true;
    if (!tidy_url(url))
        return false;
    return (url.len > 1 && url.ptr[0] == '#') ||
           (url.len > 7 && starts_nocase(url, CS_LIT("mailto:")));
}

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void cs_text_html(struct cs_buf *out, struct cs_view text)
{
    size_t done = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char *escaped = entity(text.ptr[i]);

        if (escaped == NULL)
            continue;
        cs_buf_add(out, cs_view_of(text.ptr + done, i - done));
        cs_buf_add_cstr(out, escaped);
        done = i + 1;
    }
    if (done < text.len)
        cs_buf_add(out, cs_view_of(text.ptr + done, text.len - done));
}
