/* Fonts: characters to glyphs, subsets, and files that are broken in many ways. */
#include "config.h"

#include "unit.h"

#include "render/pdf_bytes.h"
#include "render/pdf_cff.h"
#include "render/pdf_font.h"
#include "render/pdf_fonts.h"
#include "render/pdf_subset.h"

/* The file of the font that reports fall back to, or skips the test. */
static void read_font_file(struct cs_buf *out)
{
    static const char *const places[] = {
        "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
        "/usr/share/fonts/dejavu/DejaVuSans.ttf",
    };

    cs_buf_init(out, 16u << 20);
    for (size_t i = 0; i < CS_COUNT(places); i++) {
        if (cs_file_read(out, places[i], 16u << 20, NULL) == CS_OK)
            return;
    }
    print_message("the DejaVu fonts are not there: skipped\n");
    skip();
}

static void characters_have_glyphs(void **state)
{
    const uint32_t known[] = {'A', 0xe9, 0x416, 0x1ec5, 0x2192, 0x1f600};
    struct cs_pdf_font *font;
    struct cs_buf file;

    (void)state;
    read_font_file(&file);
    assert_ok(cs_pdf_font_read(&font, cs_buf_view(&file), 0, err));
    for (size_t i = 0; i < CS_COUNT(known); i++)
        assert_int_not_equal(cs_pdf_font_glyph(font, known[i]), 0);
    assert_int_equal(cs_pdf_font_glyph(font, 0x10ffff), 0);
    assert_int_equal(cs_pdf_font_glyph(font, 0xffffffffu), 0);
    assert_int_equal(cs_pdf_font_advance(font, cs_pdf_font_glyph(font, 'A')), 684);
    assert_string_equal(cs_pdf_font_facts(font)->name, "DejaVuSans");
    assert_string_equal(cs_pdf_font_facts(font)->family, "DejaVu Sans");
    assert_false(cs_pdf_font_facts(font)->bold);
    assert_true(cs_pdf_font_kern(font, cs_pdf_font_glyph(font, 'A'),
                                 cs_pdf_font_glyph(font, 'V')) < 0);
    cs_pdf_font_free(font);
    cs_buf_clear(&file);
}

static void files_of_other_kinds_are_refused(void **state)
{
    static const struct {
        struct cs_view bytes;
        enum cs_code code;
    } cases[] = {
        {CS_LIT_INIT(""), CS_EUNSUPPORTED},
        {CS_LIT_INIT("OTTO\0\1\0\0\0\0\0\0"), CS_EUNSUPPORTED},
        {CS_LIT_INIT("\x89PNG\r\n\x1a\n0000"), CS_EUNSUPPORTED},
        {CS_LIT_INIT("\0\1\0\0\0\0\0\0\0\0\0\0"), CS_EINVAL},
        {CS_LIT_INIT("\0\1\0\0\xff\xff\0\0\0\0\0\0"), CS_EINVAL},
        {CS_LIT_INIT("ttcf\0\1\0\0\0\0\0\1\xff\xff\xff\xff"), CS_EUNSUPPORTED},
    };
    struct cs_pdf_font *font;

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        assert_int_equal(cs_pdf_font_read(&font, cases[i].bytes, 0, NULL), cases[i].code);
        assert_null(font);
    }
    assert_int_equal(cs_pdf_font_open(&font, "/nonexistent/font.ttf", 0, NULL),
                     CS_ENOTFOUND);
    assert_int_equal(cs_pdf_font_open(&font, "/dev/null", 0, NULL), CS_EUNSUPPORTED);
}

/* Reads and subsets whatever the bytes say; only the sanitizers judge. */
static void use_font(struct cs_view bytes)
{
    struct cs_buf out = CS_BUF_INIT(32u << 20);
    struct cs_pdf_subset *subset;
    struct cs_pdf_font *font;
    uint16_t slot;

    if (cs_pdf_font_read(&font, bytes, 0, NULL) != CS_OK)
        return;
    subset = cs_pdf_subset_new(font);
    assert_non_null(subset);
    for (uint32_t c = 0x20; c < 0x2ff; c += 7) {
        uint16_t glyph = cs_pdf_font_glyph(font, c);

        (void)cs_pdf_font_advance(font, glyph);
        (void)cs_pdf_font_kern(font, glyph, 36);
        assert_int_equal(cs_pdf_subset_slot(subset, glyph, &c, 1, &slot, NULL), CS_OK);
    }
    cs_pdf_subset_font(subset, &out);
    cs_pdf_subset_to_unicode(subset, &out);
    cs_buf_clear(&out);
    cs_pdf_subset_free(subset);
    cs_pdf_font_free(font);
}

static void cut_and_damaged_fonts_do_no_harm(void **state)
{
    uint64_t noise = 88172645463325252ull;
    struct cs_buf file, copy;

    (void)state;
    read_font_file(&file);
    for (size_t len = 0; len < file.len; len += len < 2000 ? 61 : 7919)
        use_font(cs_view_sub(cs_buf_view(&file), 0, len));
    cs_buf_init(&copy, file.len);
    cs_buf_add(&copy, cs_buf_view(&file));
    for (int round = 0; round < 300; round++) {
        size_t places[8];

        for (size_t i = 0; i < CS_COUNT(places); i++) {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            /* most damage to the directory and the first tables */
            places[i] = (noise >> 20) % (i % 2 == 0 ? 512 : copy.len);
            copy.ptr[places[i]] = (char)(unsigned char)(noise & 0xff);
        }
        use_font(cs_buf_view(&copy));
        for (size_t i = 0; i < CS_COUNT(places); i++)
            copy.ptr[places[i]] = file.ptr[places[i]];
    }
    cs_buf_clear(&copy);
    cs_buf_clear(&file);
}

static void slots_tell_texts_apart(void **state)
{
    const uint32_t space[] = {' '}, no_break[] = {0xa0}, pair[] = {0x2600, 0xfe0f};
    struct cs_buf file, map = CS_BUF_INIT(1u << 16);
    struct cs_pdf_subset *subset;
    struct cs_pdf_font *font;
    uint16_t first, second, again, third;

    (void)state;
    read_font_file(&file);
    assert_ok(cs_pdf_font_read(&font, cs_buf_view(&file), 0, err));
    subset = cs_pdf_subset_new(font);
    assert_non_null(subset);
    assert_ok(cs_pdf_subset_slot(subset, 3, space, 1, &first, err));
    assert_ok(cs_pdf_subset_slot(subset, 3, no_break, 1, &second, err));
    assert_ok(cs_pdf_subset_slot(subset, 3, space, 1, &again, err));
    assert_ok(cs_pdf_subset_slot(subset, 9, pair, 2, &third, err));
    assert_int_equal(first, 1);
    assert_int_equal(second, 2);
    assert_int_equal(again, first);
    assert_int_equal(third, 3);
    cs_pdf_subset_to_unicode(subset, &map);
    assert_non_null(strstr(cs_buf_cstr(&map), "<0001> <0020>\n<0002> <00A0>\n"
                                              "<0003> <2600FE0F>\n"));
    cs_buf_clear(&map);
    cs_pdf_subset_free(subset);
    cs_pdf_font_free(font);
    cs_buf_clear(&file);
}

/* The written font is whole: its tables lie within it, and each slot's outline is
 * what the font has for the glyph, but for the instructions. */
static void subsets_are_fonts(void **state)
{
    struct cs_buf file, out = CS_BUF_INIT(1u << 20);
    struct cs_pdf_subset *subset;
    struct cs_pdf_font *font;
    uint16_t slot;

    (void)state;
    read_font_file(&file);
    assert_ok(cs_pdf_font_read(&font, cs_buf_view(&file), 0, err));
    subset = cs_pdf_subset_new(font);
    assert_non_null(subset);
    for (uint32_t c = 'A'; c <= 0x17f; c++) /* accented letters are composites */
        assert_ok(
            cs_pdf_subset_slot(subset, cs_pdf_font_glyph(font, c), &c, 1, &slot, err));
    cs_pdf_subset_font(subset, &out);
    assert_int_equal(out.failed, CS_OK);
    assert_true(out.len < 40000); /* of 740 KiB */
    assert_int_equal(cs_be16(cs_buf_view(&out), 4), 6);
    for (size_t i = 0; i < 6; i++) {
        size_t offset = cs_be32(cs_buf_view(&out), 12 + 16 * i + 8);
        size_t length = cs_be32(cs_buf_view(&out), 12 + 16 * i + 12);

        assert_true(offset % 4 == 0 && offset + length <= out.len);
    }
    cs_pdf_subset_free(subset);
    cs_pdf_font_free(font);
    cs_buf_clear(&out);
    cs_buf_clear(&file);
}

/* A font of two glyphs: the second draws by a global and a local subroutine, with a
 * hint mask before. */
static const char small_cff[] =
    "\1\0\4\1" /* header */
    "\0\1\1\1\2"
    "A" /* names */
    "\0\1\1\1\14"
    "\34\0\45\21"
    "\34\0\6\34\0\70\22" /* charstrings at 37, private at 56 */
    "\0\0"               /* strings */
    "\0\1\1\1\5"
    "\213\225\5\13" /* global: 0 10 rlineto return */
    "\0\2\1\1\2\16"
    "\16" /* endchar */
    "\225\213\1\225\213\23\200"
    "\40\35"
    "\40\12"
    "\16"
    "\213\24"
    "\34\0\6\23" /* default width, subroutines at 6 */
    "\0\1\1\1\5"
    "\225\213\25\13"; /* local: 10 0 rmoveto return */

static void postscript_outlines_lose_their_calls(void **state)
{
    const struct cs_view table = cs_view_of(small_cff, sizeof(small_cff) - 1);
    const uint16_t glyphs[] = {0, 1, 1}, same[] = {0, 1, 2};
    struct cs_buf out = CS_BUF_INIT(1u << 16), again = CS_BUF_INIT(1u << 16);

    (void)state;
    assert_ok(cs_pdf_cff_check(table, err));
    cs_pdf_cff_subset(table, "A", glyphs, 3, &out);
    assert_int_equal(out.failed, CS_OK);
    assert_true(
        cs_view_find(cs_buf_view(&out),
                     CS_LIT("\16\225\213\1\225\213\23\200\213\225\5\225\213\25\16"
                            "\225\213\1\225\213\23\200\213\225\5\225\213\25\16")) !=
        SIZE_MAX);
    assert_ok(cs_pdf_cff_check(cs_buf_view(&out), err));
    cs_pdf_cff_subset(cs_buf_view(&out), "A", same, 3, &again);
    assert_int_equal(again.len, out.len);
    assert_memory_equal(again.ptr, out.ptr, out.len);
    cs_buf_clear(&out);
    cs_buf_clear(&again);
}

static void damaged_postscript_outlines_do_no_harm(void **state)
{
    const uint16_t glyphs[] = {0, 1, 7};

    (void)state;
    for (size_t at = 0; at + 1 < sizeof(small_cff); at++) {
        for (unsigned value = 0; value < 256; value++) {
            char table[sizeof(small_cff) - 1];
            struct cs_view view = cs_view_of(table, sizeof(table));
            struct cs_buf out = CS_BUF_INIT(1u << 24);

            memcpy(table, small_cff, sizeof(table));
            table[at] = (char)(unsigned char)value;
            if (cs_pdf_cff_check(view, NULL) == CS_OK)
                cs_pdf_cff_subset(view, "A", glyphs, CS_COUNT(glyphs), &out);
            cs_buf_clear(&out);
        }
        /* the private dictionary and its subroutines are looked for later */
        assert_int_equal(cs_pdf_cff_check(cs_view_of(small_cff, at), NULL),
                         at < 56 ? CS_EINVAL : CS_OK);
    }
}

/* Where the fonts for Chinese, Japanese and Korean are those of Noto, each language gets
 * its own. */
static void languages_choose_their_characters(void **state)
{
    static const struct {
        const char *language, *font;
    } cases[] = {{"ja", "NotoSansCJKjp-Regular"},
                 {"ko-KR", "NotoSansCJKkr-Regular"},
                 {"zh", "NotoSansCJKsc-Regular"},
                 {"zh-TW", "NotoSansCJKtc-Regular"},
                 {NULL, "NotoSansCJKsc-Regular"}};
    const uint32_t straight = 0x76f4; /* is drawn in three ways */
    struct cs_pdf_font_files *files;

    (void)state;
    if (cs_pdf_font_files_new(&files, NULL, NULL) != CS_OK)
        skip();
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_pdf_fonts *fonts = cs_pdf_fonts_new(files, cases[i].language);
        struct cs_pdf_glyph glyph;
        const char *name;

        assert_non_null(fonts);
        assert_ok(cs_pdf_fonts_glyph(fonts, 0, straight, &straight, 1, &glyph, err));
        name = cs_pdf_font_facts(cs_pdf_fonts_font(fonts, glyph.face))->name;
        if (strncmp(name, "NotoSansCJK", 11) == 0)
            assert_string_equal(name, cases[i].font);
        else
            print_message("%s draws it here\n", name);
        cs_pdf_fonts_free(fonts);
    }
    cs_pdf_font_files_free(files);
}

static void missing_characters_get_a_mark(void **state)
{
    const uint32_t nobodys = 0xf1234;
    struct cs_pdf_font_files *files;
    struct cs_pdf_fonts *fonts;
    struct cs_pdf_glyph glyph;
    struct cs_err fault = CS_ERR_NONE;

    (void)state;
    if (cs_pdf_font_files_new(&files, NULL, NULL) != CS_OK)
        skip();
    fonts = cs_pdf_fonts_new(files, NULL);
    assert_non_null(fonts);
    assert_ok(cs_pdf_fonts_glyph(fonts, 0, nobodys, &nobodys, 1, &glyph, err));
    assert_true(glyph.missing);
    assert_true(glyph.slot != 0 && glyph.advance != 0);
    assert_false(cs_pdf_fonts_has(fonts, 0, nobodys));
    assert_true(cs_pdf_fonts_has(fonts, CS_PDF_MONO | CS_PDF_BOLD, 'A'));
    cs_pdf_fonts_free(fonts);
    cs_pdf_font_files_free(files);
    assert_int_equal(cs_pdf_font_files_new(&files, "/nonexistent", &fault), CS_ENOTFOUND);
    assert_string_equal(fault.field, "RENDER_FONTS");
    cs_err_clear(&fault);
    assert_int_equal(cs_pdf_font_files_new(&files, "/dev", &fault), CS_ENOTFOUND);
    assert_string_equal(fault.field, "RENDER_FONTS");
    assert_non_null(strstr(fault.text, "fonts-dejavu-core"));
}

/* Resident KiB of the font files that are mapped, -1 where the system does not tell. */
static long resident_fonts(void)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[4096];
    bool of_font = false;
    unsigned long start, end;
    long sum = 0, size;

    if (maps == NULL)
        return -1;
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            of_font = strstr(line, ".ttf\n") != NULL || strstr(line, ".ttc\n") != NULL ||
                      strstr(line, ".otf\n") != NULL;
        else if (of_font && sscanf(line, "Rss: %ld kB", &size) == 1)
            sum += size;
    }
    (void)fclose(maps);
    return sum;
}

/* The process that opens them for its children keeps nothing of them in its memory. */
static void opened_fonts_take_no_memory(void **state)
{
    struct cs_pdf_font_files *files = NULL;

    (void)state;
    if (resident_fonts() < 0 || cs_pdf_font_files_new(&files, NULL, NULL) != CS_OK)
        skip();
    assert_int_equal(resident_fonts(), 0);
    assert_int_not_equal(
        cs_pdf_font_glyph(
            cs_pdf_font_files_at(files, (size_t)cs_pdf_font_files_style(files, 0))->font,
            'A'),
        0);
    assert_true(resident_fonts() > 0);
    cs_pdf_font_files_free(files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_have_glyphs),
        cmocka_unit_test(files_of_other_kinds_are_refused),
        cmocka_unit_test(cut_and_damaged_fonts_do_no_harm),
        cmocka_unit_test(slots_tell_texts_apart),
        cmocka_unit_test(subsets_are_fonts),
        cmocka_unit_test(postscript_outlines_lose_their_calls),
        cmocka_unit_test(damaged_postscript_outlines_do_no_harm),
        cmocka_unit_test(languages_choose_their_characters),
        cmocka_unit_test(missing_characters_get_a_mark),
        cmocka_unit_test(opened_fonts_take_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
