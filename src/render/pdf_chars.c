#include "config.h"

#include "render/pdf_chars.h"

static const uint16_t compositions[][3] = {
#include "render/pdf_compose.def"
};

enum { /* Hangul syllables, The Unicode Standard 3.12 */
       HANGUL_FIRST = 0xac00,
       LEAD_FIRST = 0x1100,
       LEAD_COUNT = 19,
       VOWEL_FIRST = 0x1161,
       VOWEL_COUNT = 21,
       TAIL_FIRST = 0x11a7,
       TAIL_COUNT = 28
};

struct range {
    uint32_t first, last;
};

static bool in_ranges(uint32_t code_point, const struct range *ranges, size_t count)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (ranges[mid].last < code_point)
            low = mid + 1;
        else
            high = mid;
    }
    return low < count && ranges[low].first <= code_point;
}

static uint32_t compose_hangul(uint32_t base, uint32_t mark)
{
    if (base >= LEAD_FIRST && base < LEAD_FIRST + LEAD_COUNT && mark >= VOWEL_FIRST &&
        mark < VOWEL_FIRST + VOWEL_COUNT)
        return HANGUL_FIRST +
               ((base - LEAD_FIRST) * VOWEL_COUNT + (mark - VOWEL_FIRST)) * TAIL_COUNT;
    if (base >= HANGUL_FIRST &&
        base < HANGUL_FIRST + LEAD_COUNT * VOWEL_COUNT * TAIL_COUNT &&
        (base - HANGUL_FIRST) % TAIL_COUNT == 0 && mark > TAIL_FIRST &&
        mark < TAIL_FIRST + TAIL_COUNT)
        return base + (mark - TAIL_FIRST);
    return 0;
}

uint32_t cs_pdf_compose(uint32_t base, uint32_t mark)
{
    size_t low = 0, high = CS_COUNT(compositions);
    uint64_t key = (uint64_t)mark << 32 | base;

    if (mark < 0x300 || mark > 0xffff || base > 0xffff)
        return 0;
    if (mark >= VOWEL_FIRST && mark < TAIL_FIRST + TAIL_COUNT)
        return compose_hangul(base, mark);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        uint64_t found = (uint64_t)compositions[mid][0] << 32 | compositions[mid][1];

        if (found == key)
            return compositions[mid][2];
        if (found < key)
            low = mid + 1;
        else
            high = mid;
    }
    return 0;
}

int cs_pdf_blank(uint32_t code_point)
{
    /* U+2000 EN QUAD to U+200A HAIR SPACE, by their names */
    static const int16_t fixed[] = {500, 1000, 500, 1000, 333, 250,
                                    167, 556,  250, 200,  100};

    if (code_point == ' ' || code_point == 0xa0 || code_point == '\t')
        return -1;
    if (code_point < 0x1680)
        return 0;
    if (code_point >= 0x2000 && code_point <= 0x200a)
        return fixed[code_point - 0x2000];
    if (code_point == 0x202f)
        return 180;
    if (code_point == 0x205f)
        return 222;
    if (code_point == 0x3000)
        return 1000;
    return code_point == 0x1680 ? -1 : 0;
}

bool cs_pdf_breaking_blank(uint32_t code_point)
{
    return code_point != 0xa0 && code_point != 0x202f && code_point != 0x2007 &&
           cs_pdf_blank(code_point) != 0;
}

bool cs_pdf_invisible(uint32_t code_point)
{
    static const struct range ranges[] = {
        {0x00, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},
        {0x61c, 0x61c},     {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
        {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},
        {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},
        {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
    };

    if (code_point < 0xad)
        return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
    return in_ranges(code_point, ranges, CS_COUNT(ranges));
}

bool cs_pdf_modifies(uint32_t code_point)
{
    return cs_pdf_invisible(code_point) ||
           (code_point >= 0x1f3fb && code_point <= 0x1f3ff);
}

bool cs_pdf_combining(uint32_t code_point)
{
    static const struct range ranges[] = {
        {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x5bf, 0x5bf},
        {0x5c1, 0x5c2},   {0x5c4, 0x5c5},   {0x5c7, 0x5c7},   {0x610, 0x61a},
        {0x64b, 0x65f},   {0x670, 0x670},   {0x6d6, 0x6dc},   {0x6df, 0x6e4},
        {0x6e7, 0x6e8},   {0x6ea, 0x6ed},   {0x93a, 0x93a},   {0x93c, 0x93c},
        {0x941, 0x948},   {0x94d, 0x94d},   {0x951, 0x957},   {0xe31, 0xe31},
        {0xe34, 0xe3a},   {0xe47, 0xe4e},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
        {0x20d0, 0x20f0}, {0x302a, 0x302f}, {0x3099, 0x309a}, {0xfe20, 0xfe2f},
    };

    return code_point >= 0x300 && in_ranges(code_point, ranges, CS_COUNT(ranges));
}

/* Scripts written without spaces: a line may break at every character. */
static bool ideographic(uint32_t code_point)
{
    static const struct range ranges[] = {
        {0x2e80, 0x2fff}, {0x3001, 0x312f}, {0x3131, 0x4dbf},   {0x4e00, 0x9fff},
        {0xa000, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},   {0xfe30, 0xfe4f},
        {0xff01, 0xff60}, {0xffe0, 0xffe6}, {0x1f000, 0x1faff}, {0x20000, 0x3fffd},
    };

    return code_point >= 0x2e80 && in_ranges(code_point, ranges, CS_COUNT(ranges));
}

static bool one_of(uint32_t code_point, const uint16_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == code_point)
            return true;
    }
    return false;
}

/* What may not begin a line: closing brackets, full stops, small kana. */
static bool no_start(uint32_t c)
{
    static const uint16_t list[] = {
        '!',    ')',    ',',    '.',    ':',    ';',    '?',    ']',    '}',    '%',
        0xbb,   0x2019, 0x201d, 0x2026, 0x203a, 0x3001, 0x3002, 0x3005, 0x3009, 0x300b,
        0x300d, 0x300f, 0x3011, 0x3015, 0x3017, 0x3019, 0x301b, 0x301c, 0x301f, 0x3041,
        0x3043, 0x3045, 0x3047, 0x3049, 0x3063, 0x3083, 0x3085, 0x3087, 0x308e, 0x30a1,
        0x30a3, 0x30a5, 0x30a7, 0x30a9, 0x30c3, 0x30e3, 0x30e5, 0x30e7, 0x30ee, 0x30fb,
        0x30fc, 0x30fd, 0x30fe, 0xff01, 0xff05, 0xff09, 0xff0c, 0xff0e, 0xff1a, 0xff1b,
        0xff1f, 0xff3d, 0xff5d, 0xff5e,
    };

    return one_of(c, list, CS_COUNT(list)) || cs_pdf_combining(c);
}

/* What may not end a line: opening brackets and quotes. */
static bool no_end(uint32_t c)
{
    static const uint16_t list[] = {
        '(',    '[',    '{',    '$',    '#',    0xab,   0x2018, 0x201c,
        0x2039, 0x3008, 0x300a, 0x300c, 0x300e, 0x3010, 0x3014, 0x3016,
        0x3018, 0x301a, 0x301d, 0xff08, 0xff3b, 0xff5b,
    };

    return one_of(c, list, CS_COUNT(list));
}

static bool word_letter(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0xc0;
}

static bool alphanumeric(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool cs_pdf_break_between(uint32_t before, uint32_t left, uint32_t right)
{
    if (alphanumeric(left) && right < 0x2e80)
        return false; /* most neighbours of most texts */
    if (no_start(right) || no_end(left))
        return false;
    switch (left) {
    case '-':
    case 0x2010:
        return word_letter(right) &&
               (word_letter(before) || (before >= '0' && before <= '9'));
    case 0x2013:
    case 0x2014:
        return before != 0;
    case '/':
        return word_letter(right) && before != 0 && before != '/' && before != ':';
    case '?':
    case '&':
    case '=':
    case '_':
        return word_letter(before) && word_letter(right) && left != '?';
    default:
        return ideographic(left) || ideographic(right);
    }
}

static bool regional_indicator(uint32_t c)
{
    return c >= 0x1f1e6 && c <= 0x1f1ff;
}

/* What follows an emoji and belongs to it. */
static bool extends_emoji(uint32_t c)
{
    return (c >= 0xfe00 && c <= 0xfe0f) || c == 0x20e3 ||
           (c >= 0x1f3fb && c <= 0x1f3ff) || (c >= 0xe0020 && c <= 0xe007f);
}

size_t cs_pdf_cluster(const uint32_t *text, size_t count)
{
    bool keycap = (text[0] >= '0' && text[0] <= '9') || text[0] == '#' || text[0] == '*';
    size_t len = 1;

    if (text[0] < 0x2000 && !keycap)
        return 1;
    if (keycap && (count < 2 || (text[1] != 0xfe0f && text[1] != 0x20e3)))
        return 1;
    if (regional_indicator(text[0]))
        return count > 1 && regional_indicator(text[1]) ? 2 : 1;
    for (;;) {
        while (len < count && extends_emoji(text[len]))
            len++;
        if (len + 1 >= count || text[len] != 0x200d || text[len + 1] < 0x2000)
            return len;
        len += 2;
    }
}
