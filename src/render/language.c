#include "config.h"

#include "render/language.h"

#include "base/encoding.h"

#define LOOK_AT 6144u

static const struct {
    const char *code;
    const char *words; /* between spaces; none of them common in another of the list */
} small_words[] = {
    {"en", " the and of with for is your this that are from we it "},
    {"fr", " le les des une est pour dans avec vous nous au qui du et sur pas "},
    {"de", " der die und das ist mit nicht ein eine für auf wir sie von zu "},
    {"es", " el los las una es para con por que del su y más como "},
    {"it", " il gli che di per con una è della nel sono più non e "},
    {"pt", " os uma para com não é do da em você mais ao dos e "},
    {"nl", " het een van en voor met zijn niet op je dat wij ook de "},
    {"pl", " nie się że jest na dla jak oraz przez są już tylko aby czy "},
    {"vi", " và của cho là các với không được trong một những này đến có "},
};

/* Scripts that tell the language, more or less, by themselves. */
static const struct {
    uint32_t first, last;
    const char *code;
} scripts[] = {
    {0x0370, 0x03ff, "el"}, {0x0400, 0x04ff, "ru"}, {0x0590, 0x05ff, "he"},
    {0x0600, 0x06ff, "ar"}, {0x0900, 0x097f, "hi"}, {0x0e00, 0x0e7f, "th"},
    {0x3040, 0x30ff, "ja"}, {0xac00, 0xd7af, "ko"}, {0x4e00, 0x9fff, "zh"},
};

static const char *guess_by_script(struct cs_view text)
{
    size_t counts[CS_COUNT(scripts)] = {0};
    size_t letters = 0, best = 0;
    uint32_t c;

    while (text.len > 0) {
        if (!cs_utf8_next(&text, &c)) {
            text = cs_view_from(text, 1);
            continue;
        }
        letters += (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? 1 : 0;
        for (size_t i = 0; c >= 0x370 && i < CS_COUNT(scripts); i++)
            if (c >= scripts[i].first && c <= scripts[i].last)
                counts[i]++;
    }
    for (size_t i = 0; i < CS_COUNT(scripts); i++)
        best = counts[i] > counts[best] ? i : best;
    /* Japanese is mostly Chinese characters with some of its own between them. */
    if (strcmp(scripts[best].code, "zh") == 0)
        for (size_t i = 0; i < CS_COUNT(scripts); i++)
            if (strcmp(scripts[i].code, "ja") == 0 && counts[i] * 10 > counts[best])
                best = i;
    return counts[best] * 2 > letters ? scripts[best].code : NULL;
}

static bool in_words(const char *words, struct cs_view word)
{
    char padded[12];

    if (word.len + 2 >= sizeof(padded))
        return false;
    padded[0] = ' ';
    for (size_t i = 0; i < word.len; i++)
        padded[i + 1] = (char)(word.ptr[i] >= 'A' && word.ptr[i] <= 'Z' ? word.ptr[i] + 32
                                                                        : word.ptr[i]);
    padded[word.len + 1] = ' ';
    padded[word.len + 2] = '\0';
    return strstr(words, padded) != NULL;
}

static bool in_word(char c)
{
    return (unsigned char)c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static const char *guess_by_words(struct cs_view text)
{
    size_t counts[CS_COUNT(small_words)] = {0};
    size_t best = 0;

    for (size_t at = 0; at < text.len;) {
        size_t from = at;

        while (at < text.len && in_word(text.ptr[at]))
            at++;
        for (size_t i = 0; at > from && i < CS_COUNT(small_words); i++)
            counts[i] +=
                in_words(small_words[i].words, cs_view_of(text.ptr + from, at - from));
        at += at == from ? 1 : 0;
    }
    for (size_t i = 0; i < CS_COUNT(small_words); i++)
        best = counts[i] > counts[best] ? i : best;
    return small_words[best].code;
}

struct cs_language cs_language_guess(struct cs_view text)
{
    struct cs_view start = cs_view_sub(text, 0, LOOK_AT);
    const char *code = guess_by_script(start);

    if (code == NULL)
        code = guess_by_words(start);
    return (struct cs_language){code, cs_language_is_rtl(cs_view_cstr(code))};
}

bool cs_language_is_tag(struct cs_view tag)
{
    size_t run = 0;
    bool first = true;

    if (tag.len < 2 || tag.len > 35)
        return false;
    for (size_t i = 0; i < tag.len; i++) {
        char c = tag.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (c == '-') {
            if (run < 2 || (first && run > 3))
                return false;
            first = false;
            run = 0;
        } else if (!letter && (first || c < '0' || c > '9')) {
            return false;
        } else if (++run > 8) {
            return false;
        }
    }
    return run >= 2 && (!first || run <= 3);
}

bool cs_language_is_rtl(struct cs_view tag)
{
    static const char *const codes[] = {"ar", "he", "fa", "ur", "ps", "yi", "dv", "ckb"};

    for (size_t i = 0; i < CS_COUNT(codes); i++) {
        struct cs_view code = cs_view_cstr(codes[i]);

        if (cs_view_eq_nocase(cs_view_sub(tag, 0, code.len), code) &&
            (tag.len == code.len || tag.ptr[code.len] == '-'))
            return true;
    }
    return false;
}
