#include "config.h"

#include "render/pdf_subset.h"

#include <stdlib.h>

#include "base/encoding.h"
#include "render/pdf_bytes.h"
#include "render/pdf_cff.h"

/* flags of a composite glyph's component */
enum {
    ARG_WORDS = 0x0001,
    HAS_SCALE = 0x0008,
    MORE_COMPONENTS = 0x0020,
    HAS_XY_SCALE = 0x0040,
    HAS_MATRIX = 0x0080,
    HAS_INSTRUCTIONS = 0x0100
};

struct slot {
    uint32_t text; /* offset into texts */
    uint16_t glyph;
    uint16_t advance;
    uint8_t text_count;
};

struct cs_pdf_subset {
    const struct cs_pdf_font *font;
    struct slot *slots; /* [0] is glyph 0 */
    size_t count, capacity;
    struct cs_buf texts; /* uint32_t code points in machine order */
    uint32_t *table;     /* open addressing: slot number, 0 is free */
    size_t table_size;   /* a power of two */
};

struct cs_pdf_subset *cs_pdf_subset_new(const struct cs_pdf_font *font)
{
    struct cs_pdf_subset *subset = calloc(1, sizeof(*subset));

    if (subset == NULL)
        return NULL;
    subset->font = font;
    subset->capacity = 128;
    subset->table_size = 256;
    subset->slots = calloc(subset->capacity, sizeof(*subset->slots));
    subset->table = calloc(subset->table_size, sizeof(*subset->table));
    cs_buf_init(&subset->texts,
                CS_PDF_SLOTS_MAX * CS_PDF_SLOT_TEXT_MAX * sizeof(uint32_t));
    if (subset->slots == NULL || subset->table == NULL) {
        cs_pdf_subset_free(subset);
        return NULL;
    }
    subset->slots[0].advance = cs_pdf_font_advance(font, 0);
    subset->count = 1;
    return subset;
}

void cs_pdf_subset_free(struct cs_pdf_subset *subset)
{
    if (subset == NULL)
        return;
    free(subset->slots);
    free(subset->table);
    cs_buf_clear(&subset->texts);
    free(subset);
}

size_t cs_pdf_subset_count(const struct cs_pdf_subset *subset)
{
    return subset->count;
}

uint16_t cs_pdf_subset_advance(const struct cs_pdf_subset *subset, uint16_t slot)
{
    return slot < subset->count ? subset->slots[slot].advance : 0;
}

uint16_t cs_pdf_subset_glyph(const struct cs_pdf_subset *subset, uint16_t slot)
{
    return slot < subset->count ? subset->slots[slot].glyph : 0;
}

static size_t hash_of(uint16_t glyph, const uint32_t *text, size_t count)
{
    uint64_t hash = 0x9e3779b97f4a7c15ull ^ glyph;

    for (size_t i = 0; i < count; i++)
        hash = (hash ^ text[i]) * 0xff51afd7ed558ccdull;
    return (size_t)(hash ^ hash >> 32);
}

static uint32_t text_at(const struct cs_pdf_subset *subset, const struct slot *slot,
                        size_t i)
{
    uint32_t code_point;

    memcpy(&code_point, subset->texts.ptr + (slot->text + i) * sizeof(uint32_t),
           sizeof(code_point));
    return code_point;
}

static bool slot_is(const struct cs_pdf_subset *subset, const struct slot *slot,
                    uint16_t glyph, const uint32_t *text, size_t count)
{
    if (slot->glyph != glyph || slot->text_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (text_at(subset, slot, i) != text[i])
            return false;
    }
    return true;
}

/* The place of a slot in the table: its own or the free one where it belongs. */
static size_t place_of(const struct cs_pdf_subset *subset, uint16_t glyph,
                       const uint32_t *text, size_t count)
{
    size_t at = hash_of(glyph, text, count) & (subset->table_size - 1);

    while (subset->table[at] != 0 &&
           !slot_is(subset, &subset->slots[subset->table[at]], glyph, text, count))
        at = (at + 1) & (subset->table_size - 1);
    return at;
}

static bool grow(struct cs_pdf_subset *subset)
{
    size_t capacity = subset->capacity * 2, size = subset->table_size * 2;
    struct slot *slots = realloc(subset->slots, capacity * sizeof(*slots));
    uint32_t text[CS_PDF_SLOT_TEXT_MAX] = {0}, *table;

    if (slots == NULL)
        return false;
    subset->slots = slots;
    if ((table = calloc(size, sizeof(*table))) == NULL)
        return false;
    free(subset->table);
    subset->table = table;
    subset->table_size = size;
    subset->capacity = capacity;
    for (size_t i = 1; i < subset->count; i++) {
        const struct slot *slot = &subset->slots[i];

        for (size_t k = 0; k < slot->text_count; k++)
            text[k] = text_at(subset, slot, k);
        subset->table[place_of(subset, slot->glyph, text, slot->text_count)] =
            (uint32_t)i;
    }
    return true;
}

enum cs_code cs_pdf_subset_slot(struct cs_pdf_subset *subset, uint16_t glyph,
                                const uint32_t *text, size_t count, uint16_t *slot_out,
                                struct cs_err *err)
{
    struct slot slot = {.glyph = glyph};
    size_t at;

    *slot_out = 0;
    if (count > CS_PDF_SLOT_TEXT_MAX)
        count = CS_PDF_SLOT_TEXT_MAX;
    at = place_of(subset, glyph, text, count);
    if (subset->table[at] != 0) {
        *slot_out = (uint16_t)subset->table[at];
        return CS_OK;
    }
    if (subset->count >= CS_PDF_SLOTS_MAX)
        return cs_err_set(err, CS_ETOOBIG,
                          "the text has more than %u different characters",
                          CS_PDF_SLOTS_MAX);
    if (subset->count == subset->capacity) {
        if (!grow(subset))
            return cs_err_nomem(err);
        at = place_of(subset, glyph, text, count);
    }
    slot.text = (uint32_t)(subset->texts.len / sizeof(uint32_t));
    slot.text_count = (uint8_t)count;
    slot.advance = cs_pdf_font_advance(subset->font, glyph);
    cs_buf_add(&subset->texts, cs_view_of(text, count * sizeof(*text)));
    if (cs_buf_check(&subset->texts, err) != CS_OK)
        return subset->texts.failed;
    subset->slots[subset->count] = slot;
    subset->table[at] = (uint32_t)subset->count;
    *slot_out = (uint16_t)subset->count++;
    return CS_OK;
}

/* The glyphs of the written font: those of the slots, then components. */
struct outlines {
    const struct cs_pdf_font *font;
    uint16_t *glyphs;
    size_t count, capacity;
    uint16_t *new_of; /* by old number: the new number of a component, or 0 */
    struct cs_buf glyf, loca;
    bool failed;
};

static unsigned component(struct outlines *out, uint16_t glyph)
{
    if (out->new_of[glyph] != 0)
        return out->new_of[glyph];
    if (out->count >= 0xfff0u)
        return 0;
    if (out->count == out->capacity) {
        size_t capacity = out->capacity * 2;
        uint16_t *glyphs = realloc(out->glyphs, capacity * sizeof(*glyphs));

        if (glyphs == NULL) {
            out->failed = true;
            return 0;
        }
        out->glyphs = glyphs;
        out->capacity = capacity;
    }
    out->glyphs[out->count] = glyph;
    out->new_of[glyph] = (uint16_t)out->count;
    return (unsigned)out->count++;
}

/* Copies a simple glyph without its instructions. */
static void add_simple(struct outlines *out, struct cs_view outline, unsigned contours)
{
    size_t ends = 10 + 2u * (size_t)contours;
    size_t instructions = cs_be16(outline, ends);

    if (ends + 2 + instructions > outline.len)
        return; /* broken: leave it blank */
    cs_buf_add(&out->glyf, cs_view_sub(outline, 0, ends));
    cs_be16_add(&out->glyf, 0);
    cs_buf_add(&out->glyf, cs_view_from(outline, ends + 2 + instructions));
}

static size_t component_size(unsigned flags)
{
    size_t size = (flags & ARG_WORDS) != 0 ? 8 : 6;

    if ((flags & HAS_SCALE) != 0)
        return size + 2;
    if ((flags & HAS_XY_SCALE) != 0)
        return size + 4;
    return (flags & HAS_MATRIX) != 0 ? size + 8 : size;
}

/* Copies a composite glyph with its components renumbered. */
static void add_composite(struct outlines *out, struct cs_view outline)
{
    size_t start = out->glyf.len, at = 10;
    unsigned flags;

    cs_buf_add(&out->glyf, cs_view_sub(outline, 0, 10));
    do {
        size_t size;

        flags = cs_be16(outline, at);
        size = component_size(flags);
        if (at + size > outline.len ||
            cs_be16(outline, at + 2) >= cs_pdf_font_facts(out->font)->glyph_count) {
            cs_buf_truncate(&out->glyf, start);
            return;
        }
        cs_be16_add(&out->glyf, flags & ~(unsigned)HAS_INSTRUCTIONS);
        cs_be16_add(&out->glyf, component(out, cs_be16(outline, at + 2)));
        cs_buf_add(&out->glyf, cs_view_sub(outline, at + 4, size - 4));
        at += size;
    } while ((flags & MORE_COMPONENTS) != 0);
}

/* Glyph by glyph; components met on the way are appended to the list that is
 * being walked. A component that holds itself is on the list already, so it ends. */
static void collect(struct outlines *out)
{
    for (size_t i = 0; i < out->count && !out->failed; i++) {
        struct cs_view outline = cs_pdf_font_outline(out->font, out->glyphs[i]);
        int contours = cs_be16s(outline, 0);

        cs_be32_add(&out->loca, (uint32_t)out->glyf.len);
        if (outline.len >= 12 && contours >= 0)
            add_simple(out, outline, (unsigned)contours);
        else if (outline.len >= 12)
            add_composite(out, outline);
        while (out->glyf.len % 4 != 0 && out->glyf.failed == CS_OK)
            cs_buf_add_byte(&out->glyf, '\0');
    }
    cs_be32_add(&out->loca, (uint32_t)out->glyf.len);
}

static uint32_t checksum(struct cs_view bytes)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < bytes.len; i += 4) {
        unsigned char word[4] = {0, 0, 0, 0};

        memcpy(word, bytes.ptr + i, bytes.len - i < 4 ? bytes.len - i : 4);
        sum += cs_be32(cs_view_of(word, sizeof(word)), 0);
    }
    return sum;
}

struct table {
    char tag[5];
    struct cs_buf bytes;
};

enum { T_GLYF, T_HEAD, T_HHEA, T_HMTX, T_LOCA, T_MAXP, T_COUNT }; /* sorted by tag */

static void write_file(struct table *tables, struct cs_buf *out)
{
    size_t start = out->len, offset = 12 + 16u * T_COUNT;

    cs_be32_add(out, 0x00010000u);
    cs_be16_add(out, T_COUNT);
    cs_be16_add(out, 64); /* search range, selector and shift for 6 tables */
    cs_be16_add(out, 2);
    cs_be16_add(out, 32);
    for (size_t i = 0; i < T_COUNT; i++) {
        struct cs_view bytes = cs_buf_view(&tables[i].bytes);

        cs_buf_add(out, cs_view_of(tables[i].tag, 4));
        cs_be32_add(out, checksum(bytes));
        cs_be32_add(out, (uint32_t)offset);
        cs_be32_add(out, (uint32_t)bytes.len);
        offset += (bytes.len + 3) / 4 * 4;
    }
    for (size_t i = 0; i < T_COUNT; i++) {
        cs_buf_add(out, cs_buf_view(&tables[i].bytes));
        while ((out->len - start) % 4 != 0 && out->failed == CS_OK)
            cs_buf_add_byte(out, '\0');
    }
}

static void patch16(struct cs_buf *bytes, size_t at, unsigned value)
{
    if (bytes->failed == CS_OK && at + 2 <= bytes->len) {
        bytes->ptr[at] = (char)(unsigned char)(value >> 8);
        bytes->ptr[at + 1] = (char)(unsigned char)value;
    }
}

static void write_metrics(const struct outlines *out, struct cs_buf *hmtx)
{
    for (size_t i = 0; i < out->count; i++) {
        uint16_t advance;
        int16_t bearing;

        cs_pdf_font_metrics(out->font, out->glyphs[i], &advance, &bearing);
        cs_be16_add(hmtx, advance);
        cs_be16_add(hmtx, (uint16_t)bearing);
    }
}

/* Numbers of instructions and the like: what is left of them without hinting. */
static void write_maxp(const struct outlines *out, struct cs_buf *maxp)
{
    static const uint8_t hinting[] = {16, 18, 20, 22, 24, 26};

    cs_buf_add(maxp, cs_view_sub(cs_pdf_font_table(out->font, "maxp"), 0, 32));
    patch16(maxp, 4, (unsigned)out->count);
    for (size_t i = 0; i < CS_COUNT(hinting); i++)
        patch16(maxp, hinting[i], 0);
    patch16(maxp, 14, 1);
}

static void write_tables(struct outlines *out, struct table *tables)
{
    struct cs_buf *head = &tables[T_HEAD].bytes, *hhea = &tables[T_HHEA].bytes;

    collect(out);
    cs_buf_add(head, cs_view_sub(cs_pdf_font_table(out->font, "head"), 0, 54));
    for (size_t at = 8; at < 12; at += 2)
        patch16(head, at, 0);
    patch16(head, 50, 1); /* long offsets */
    cs_buf_add(hhea, cs_view_sub(cs_pdf_font_table(out->font, "hhea"), 0, 36));
    patch16(hhea, 34, (unsigned)out->count);
    write_metrics(out, &tables[T_HMTX].bytes);
    write_maxp(out, &tables[T_MAXP].bytes);
    tables[T_GLYF].bytes = out->glyf;
    tables[T_LOCA].bytes = out->loca;
    cs_buf_init(&out->glyf, 0);
    cs_buf_init(&out->loca, 0);
}

static void write_cff(const struct cs_pdf_subset *subset, struct cs_buf *out)
{
    uint16_t *glyphs = calloc(subset->count, sizeof(*glyphs));

    if (glyphs == NULL) {
        out->failed = CS_ENOMEM;
        return;
    }
    for (size_t i = 0; i < subset->count; i++)
        glyphs[i] = subset->slots[i].glyph;
    cs_pdf_cff_subset(cs_pdf_font_table(subset->font, "CFF "),
                      cs_pdf_font_facts(subset->font)->name, glyphs, subset->count, out);
    free(glyphs);
}

static void write_truetype(const struct cs_pdf_subset *subset, struct cs_buf *out)
{
    struct table tables[T_COUNT] = {{.tag = "glyf"}, {.tag = "head"}, {.tag = "hhea"},
                                    {.tag = "hmtx"}, {.tag = "loca"}, {.tag = "maxp"}};
    struct outlines work = {.font = subset->font, .count = subset->count};

    for (size_t i = 0; i < T_COUNT; i++)
        cs_buf_init(&tables[i].bytes, out->max);
    cs_buf_init(&work.glyf, out->max);
    cs_buf_init(&work.loca, out->max);
    work.capacity = subset->count + 64;
    work.glyphs = malloc(work.capacity * sizeof(*work.glyphs));
    work.new_of = calloc(0x10000u, sizeof(*work.new_of));
    if (work.glyphs == NULL || work.new_of == NULL) {
        out->failed = CS_ENOMEM;
        goto out;
    }
    for (size_t i = 0; i < subset->count; i++)
        work.glyphs[i] = subset->slots[i].glyph;
    write_tables(&work, tables);
    for (size_t i = 0; i < T_COUNT; i++) {
        if (tables[i].bytes.failed != CS_OK)
            out->failed = tables[i].bytes.failed;
    }
    if (work.failed)
        out->failed = CS_ENOMEM;
    write_file(tables, out);
out:
    for (size_t i = 0; i < T_COUNT; i++)
        cs_buf_clear(&tables[i].bytes);
    cs_buf_clear(&work.glyf);
    cs_buf_clear(&work.loca);
    free(work.glyphs);
    free(work.new_of);
}

void cs_pdf_subset_font(const struct cs_pdf_subset *subset, struct cs_buf *out)
{
    if (cs_pdf_font_facts(subset->font)->cff)
        write_cff(subset, out);
    else
        write_truetype(subset, out);
}

static void add_hex16(struct cs_buf *out, unsigned value)
{
    static const char digit[] = "0123456789ABCDEF";
    const char text[4] = {digit[value >> 12 & 15u], digit[value >> 8 & 15u],
                          digit[value >> 4 & 15u], digit[value & 15u]};

    cs_buf_add(out, cs_view_of(text, sizeof(text)));
}

static void add_utf16(struct cs_buf *out, uint32_t code_point)
{
    if (code_point <= 0xffff) {
        add_hex16(out, code_point);
        return;
    }
    add_hex16(out, 0xd800u + ((code_point - 0x10000u) >> 10));
    add_hex16(out, 0xdc00u + ((code_point - 0x10000u) & 0x3ffu));
}

void cs_pdf_subset_to_unicode(const struct cs_pdf_subset *subset, struct cs_buf *out)
{
    cs_buf_add_cstr(out,
                    "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
                    "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> "
                    "def\n/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
                    "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n");
    for (size_t i = 1; i < subset->count;) {
        size_t rows = subset->count - i < 100 ? subset->count - i : 100;

        cs_buf_add_u64(out, rows);
        cs_buf_add_cstr(out, " beginbfchar\n");
        for (; rows > 0; rows--, i++) {
            const struct slot *slot = &subset->slots[i];

            cs_buf_add_byte(out, '<');
            add_hex16(out, (unsigned)i);
            cs_buf_add_cstr(out, "> <");
            for (size_t k = 0; k < slot->text_count; k++)
                add_utf16(out, text_at(subset, slot, k));
            cs_buf_add_cstr(out, ">\n");
        }
        cs_buf_add_cstr(out, "endbfchar\n");
    }
    cs_buf_add_cstr(out,
                    "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n");
}
