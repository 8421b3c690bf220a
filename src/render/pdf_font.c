#include "config.h"

#include "render/pdf_font.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "render/pdf_bytes.h"
#include "render/pdf_cff.h"

#define FILE_MAX   (128u << 20) /* the largest collections of today have some 60 MiB */
#define TABLES_MAX 64u

enum { NAME_FAMILY = 1, NAME_POSTSCRIPT = 6, NAME_TYPO_FAMILY = 16 };

struct cs_pdf_font {
    void *map; /* NULL when the bytes are borrowed */
    size_t map_len;
    struct cs_view file;
    size_t directory; /* offset of the font's table directory */
    unsigned table_count;
    struct cs_view cmap4, cmap12; /* the subtables; either may be missing */
    struct cs_view glyf, loca, hmtx;
    struct cs_view kern; /* a format 0 subtable's pairs */
    size_t kern_pairs;
    unsigned metric_count;
    bool long_loca;
    struct cs_pdf_font_facts facts;
};

struct cs_view cs_pdf_font_table(const struct cs_pdf_font *font, const char tag[4])
{
    for (unsigned i = 0; i < font->table_count; i++) {
        size_t at = font->directory + 12 + 16u * i;
        struct cs_view entry = cs_view_sub(font->file, at, 16);

        if (entry.len == 16 && memcmp(entry.ptr, tag, 4) == 0) {
            size_t offset = cs_be32(entry, 8);

            if (offset > font->file.len)
                return (struct cs_view){NULL, 0};
            return cs_view_sub(font->file, offset, cs_be32(entry, 12));
        }
    }
    return (struct cs_view){NULL, 0};
}

static enum cs_code find_directory(struct cs_pdf_font *font, unsigned index,
                                   struct cs_err *err)
{
    uint32_t kind = cs_be32(font->file, 0);

    font->directory = 0;
    if (kind == 0x74746366u) { /* "ttcf" */
        if (index >= cs_be32(font->file, 8))
            return cs_err_set(err, CS_EINVAL, "the font collection has no font %u",
                              index);
        font->directory = cs_be32(font->file, 12 + (size_t)index * 4);
        kind = cs_be32(font->file, font->directory);
    } else if (index != 0) {
        return cs_err_set(err, CS_EINVAL, "the font file is not a collection");
    }
    if (kind != 0x00010000u && kind != 0x74727565u && kind != 0x4f54544fu)
        return cs_err_set(err, CS_EUNSUPPORTED, "the file is not an OpenType font");
    font->table_count = cs_be16(font->file, font->directory + 4);
    if (font->table_count == 0 || font->table_count > TABLES_MAX)
        return cs_err_set(err, CS_EINVAL, "the font has no readable table directory");
    return CS_OK;
}

/* Rank of a cmap subtable by platform and encoding; 0: of no use. */
static unsigned cmap_rank(unsigned platform, unsigned encoding, unsigned format)
{
    bool unicode = platform == 0 || (platform == 3 && (encoding == 1 || encoding == 10));

    if (!unicode || (format != 4 && format != 12))
        return 0;
    return platform == 3 ? 2 : 1;
}

static void find_cmaps(struct cs_pdf_font *font)
{
    struct cs_view cmap = cs_pdf_font_table(font, "cmap");
    unsigned count = cs_be16(cmap, 2), best4 = 0, best12 = 0;

    for (unsigned i = 0; i < count && 4 + 8u * i + 8 <= cmap.len; i++) {
        size_t at = 4 + 8u * i;
        struct cs_view table = cs_view_from(cmap, cs_be32(cmap, at + 4));
        unsigned format = cs_be16(table, 0);
        unsigned rank = cmap_rank(cs_be16(cmap, at), cs_be16(cmap, at + 2), format);

        if (format == 4 && rank > best4) {
            font->cmap4 = table;
            best4 = rank;
        } else if (format == 12 && rank > best12) {
            font->cmap12 = table;
            best12 = rank;
        }
    }
}

static int per_mille(const struct cs_pdf_font *font, int units)
{
    int em = font->facts.units_per_em;
    long scaled = (long)units * 1000;

    return (int)(scaled >= 0 ? (scaled + em / 2) / em : -((-scaled + em / 2) / em));
}

/* A name as ASCII, other characters left out; UTF-16 and Mac Roman are both
 * read, as the names that matter are ASCII in every font. */
static void copy_name(char *out, size_t size, struct cs_view text, bool wide, bool strict)
{
    size_t len = 0;

    for (size_t i = wide ? 1 : 0; i < text.len && len + 1 < size; i += wide ? 2 : 1) {
        char c = text.ptr[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                      (c >= '0' && c <= '9') || c == '-';

        if (letter || (!strict && c == ' '))
            out[len++] = c;
    }
    out[len] = '\0';
}

static void read_names(struct cs_pdf_font *font)
{
    struct cs_view name = cs_pdf_font_table(font, "name");
    struct cs_view strings = cs_view_from(name, cs_be16(name, 4));
    unsigned count = cs_be16(name, 2);
    bool typographic = false;

    for (unsigned i = 0; i < count && 6 + 12u * i + 12 <= name.len; i++) {
        size_t at = 6 + 12u * i;
        unsigned platform = cs_be16(name, at), id = cs_be16(name, at + 6);
        struct cs_view text =
            cs_view_sub(strings, cs_be16(name, at + 10), cs_be16(name, at + 8));
        bool wide = platform == 0 || platform == 3;

        if (id == NAME_POSTSCRIPT && font->facts.name[0] == '\0')
            copy_name(font->facts.name, sizeof(font->facts.name), text, wide, true);
        if (id == NAME_TYPO_FAMILY || (id == NAME_FAMILY && !typographic)) {
            copy_name(font->facts.family, sizeof(font->facts.family), text, wide, false);
            typographic = id == NAME_TYPO_FAMILY;
        }
    }
    if (font->facts.name[0] == '\0')
        memcpy(font->facts.name, "Font", sizeof("Font"));
}

static void read_style(struct cs_pdf_font *font, struct cs_view head)
{
    struct cs_view os2 = cs_pdf_font_table(font, "OS/2");
    struct cs_view post = cs_pdf_font_table(font, "post");
    unsigned mac = cs_be16(head, 44), selection = cs_be16(os2, 62);
    struct cs_pdf_font_facts *facts = &font->facts;

    facts->bold = (mac & 1u) != 0 || (selection & 0x20u) != 0;
    facts->italic = (mac & 2u) != 0 || (selection & 1u) != 0;
    facts->italic_angle = (int16_t)cs_be16(post, 4);
    facts->fixed_pitch = cs_be32(post, 12) != 0;
    if (os2.len >= 90 && cs_be16(os2, 0) >= 2) {
        facts->x_height = per_mille(font, cs_be16s(os2, 86));
        facts->cap_height = per_mille(font, cs_be16s(os2, 88));
    }
    if (facts->cap_height <= 0 || facts->cap_height > 1000)
        facts->cap_height = 716;
    if (facts->x_height <= 0 || facts->x_height > 1000)
        facts->x_height = 520;
}

static void find_kerning(struct cs_pdf_font *font)
{
    struct cs_view kern = cs_pdf_font_table(font, "kern");
    size_t at = 4;

    if (kern.len < 18 || cs_be16(kern, 0) != 0)
        return;
    for (unsigned i = 0; i < cs_be16(kern, 2) && at + 14 <= kern.len; i++) {
        unsigned length = cs_be16(kern, at + 2), coverage = cs_be16(kern, at + 4);

        if (coverage == 1) { /* horizontal, format 0 */
            font->kern_pairs = cs_be16(kern, at + 6);
            font->kern = cs_view_from(kern, at + 14);
            if (font->kern_pairs > font->kern.len / 6)
                font->kern_pairs = font->kern.len / 6;
            return;
        }
        if (length < 6)
            return;
        at += length;
    }
}

static enum cs_code read_tables(struct cs_pdf_font *font, struct cs_err *err)
{
    struct cs_view head = cs_pdf_font_table(font, "head");
    struct cs_view hhea = cs_pdf_font_table(font, "hhea");
    struct cs_view maxp = cs_pdf_font_table(font, "maxp");
    struct cs_view cff = cs_pdf_font_table(font, "CFF ");
    struct cs_pdf_font_facts *facts = &font->facts;
    enum cs_code rc;

    font->glyf = cs_pdf_font_table(font, "glyf");
    font->loca = cs_pdf_font_table(font, "loca");
    font->hmtx = cs_pdf_font_table(font, "hmtx");
    facts->cff = font->glyf.len == 0 || font->loca.len == 0;
    if (facts->cff && cff.len == 0)
        return cs_err_set(err, CS_EUNSUPPORTED, "the font has no outlines");
    if (facts->cff && (rc = cs_pdf_cff_check(cff, err)) != CS_OK)
        return rc;
    if (head.len < 54 || hhea.len < 36 || maxp.len < 6 || font->hmtx.len < 4)
        return cs_err_set(err, CS_EINVAL, "the font lacks a table that it must have");
    facts->units_per_em = cs_be16(head, 18);
    if (facts->units_per_em < 16 || facts->units_per_em > 16384)
        return cs_err_set(err, CS_EINVAL, "the font's units per em are out of range");
    facts->glyph_count = cs_be16(maxp, 4);
    font->long_loca = cs_be16(head, 50) != 0;
    font->metric_count = cs_be16(hhea, 34);
    if (font->metric_count > font->hmtx.len / 4)
        font->metric_count = (unsigned)(font->hmtx.len / 4);
    if (font->metric_count == 0 || facts->glyph_count == 0)
        return cs_err_set(err, CS_EINVAL, "the font has no glyphs");
    facts->ascent = per_mille(font, cs_be16s(hhea, 4));
    facts->descent = per_mille(font, cs_be16s(hhea, 6));
    for (size_t i = 0; i < 4; i++)
        facts->box[i] = per_mille(font, cs_be16s(head, 36 + 2 * i));
    find_cmaps(font);
    if (font->cmap4.len == 0 && font->cmap12.len == 0)
        return cs_err_set(err, CS_EUNSUPPORTED, "the font has no Unicode character map");
    read_names(font);
    read_style(font, head);
    find_kerning(font);
    return CS_OK;
}

enum cs_code cs_pdf_font_read(struct cs_pdf_font **font_out, struct cs_view bytes,
                              unsigned index, struct cs_err *err)
{
    struct cs_pdf_font *font = calloc(1, sizeof(*font));
    enum cs_code rc;

    *font_out = NULL;
    if (font == NULL)
        return cs_err_nomem(err);
    font->file = bytes;
    if ((rc = find_directory(font, index, err)) == CS_OK)
        rc = read_tables(font, err);
    if (rc != CS_OK) {
        cs_pdf_font_free(font);
        return rc;
    }
    *font_out = font;
    return CS_OK;
}

static enum cs_code map_file(struct cs_view *bytes_out, const char *path,
                             struct cs_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum cs_code rc = CS_OK;
    struct stat facts;
    void *map;

    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return cs_err_set(err, CS_ENOTFOUND, "there is no font %s", path);
        return cs_err_errno(err, errno, "opening the font %s failed", path);
    }
    if (fstat(fd, &facts) != 0) {
        rc = cs_err_errno(err, errno, "reading the font %s failed", path);
    } else if (!S_ISREG(facts.st_mode) || facts.st_size < 12) {
        rc = cs_err_set(err, CS_EUNSUPPORTED, "%s is not a font file", path);
    } else if (facts.st_size > (off_t)FILE_MAX) {
        rc = cs_err_set(err, CS_ETOOBIG, "the font %s has more than %u bytes", path,
                        FILE_MAX);
    } else if ((map = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) ==
               MAP_FAILED) {
        rc = cs_err_errno(err, errno, "mapping the font %s failed", path);
    } else {
        *bytes_out = cs_view_of(map, (size_t)facts.st_size);
    }
    (void)close(fd);
    return rc;
}

enum cs_code cs_pdf_font_open(struct cs_pdf_font **font_out, const char *path,
                              unsigned index, struct cs_err *err)
{
    struct cs_err inner = CS_ERR_NONE;
    struct cs_view bytes = {NULL, 0};
    enum cs_code rc;
    void *map;

    *font_out = NULL;
    if ((rc = map_file(&bytes, path, err)) != CS_OK)
        return rc;
    memcpy(&map, &bytes.ptr, sizeof(map)); /* the mapping is ours to unmap */
    if ((rc = cs_pdf_font_read(font_out, bytes, index, &inner)) != CS_OK) {
        (void)munmap(map, bytes.len);
        return cs_err_set(err, rc, "%s: %s", path, inner.text);
    }
    (*font_out)->map = map;
    (*font_out)->map_len = bytes.len;
    return CS_OK;
}

void cs_pdf_font_free(struct cs_pdf_font *font)
{
    if (font == NULL)
        return;
    if (font->map != NULL)
        (void)munmap(font->map, font->map_len);
    free(font);
}

void cs_pdf_font_rest(const struct cs_pdf_font *font)
{
    if (font->map != NULL)
        (void)madvise(font->map, font->map_len, MADV_DONTNEED);
}

const struct cs_pdf_font_facts *cs_pdf_font_facts(const struct cs_pdf_font *font)
{
    return &font->facts;
}

/* Format 4: segments sorted by their last code, in four parallel arrays. */
static unsigned lookup4(struct cs_view map, uint32_t code_point)
{
    size_t doubled = cs_be16(map, 6) & ~1u;
    size_t ends = 14, starts = 16 + doubled, deltas = starts + doubled,
           offsets = deltas + doubled;
    size_t low = 0, high = doubled / 2;

    if (code_point > 0xffff)
        return 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (cs_be16(map, ends + 2 * mid) < code_point)
            low = mid + 1;
        else
            high = mid;
    }
    if (low >= doubled / 2 || cs_be16(map, starts + 2 * low) > code_point)
        return 0;
    unsigned start = cs_be16(map, starts + 2 * low),
             delta = cs_be16(map, deltas + 2 * low);
    unsigned offset = cs_be16(map, offsets + 2 * low);

    if (offset == 0)
        return (code_point + delta) & 0xffffu;
    unsigned glyph =
        cs_be16(map, offsets + 2 * low + offset + 2 * (size_t)(code_point - start));
    return glyph != 0 ? (glyph + delta) & 0xffffu : 0;
}

/* Format 12: groups of (first code, last code, first glyph), sorted. */
static unsigned lookup12(struct cs_view map, uint32_t code_point)
{
    size_t low = 0, high = cs_be32(map, 12);

    if (high > (map.len - 16) / 12)
        high = (map.len - 16) / 12;
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (cs_be32(map, 16 + 12 * mid + 4) < code_point)
            low = mid + 1;
        else
            high = mid;
    }
    uint32_t first = cs_be32(map, 16 + 12 * low);

    if (16 + 12 * low + 12 > map.len || first > code_point ||
        cs_be32(map, 16 + 12 * low + 4) < code_point)
        return 0;
    uint64_t glyph = (uint64_t)cs_be32(map, 16 + 12 * low + 8) + (code_point - first);

    return glyph <= 0xffff ? (unsigned)glyph : 0;
}

uint16_t cs_pdf_font_glyph(const struct cs_pdf_font *font, uint32_t code_point)
{
    unsigned glyph = 0;

    if (font->cmap12.len >= 28)
        glyph = lookup12(font->cmap12, code_point);
    if (glyph == 0 && font->cmap4.len >= 16)
        glyph = lookup4(font->cmap4, code_point);
    return glyph < font->facts.glyph_count ? (uint16_t)glyph : 0;
}

void cs_pdf_font_metrics(const struct cs_pdf_font *font, uint16_t glyph,
                         uint16_t *advance_out, int16_t *bearing_out)
{
    unsigned row = glyph < font->metric_count ? glyph : font->metric_count - 1;

    *advance_out = cs_be16(font->hmtx, 4u * row);
    if (glyph < font->metric_count)
        *bearing_out = cs_be16s(font->hmtx, 4u * row + 2);
    else
        *bearing_out = cs_be16s(font->hmtx, 4u * font->metric_count +
                                                2u * (glyph - font->metric_count));
}

uint16_t cs_pdf_font_advance(const struct cs_pdf_font *font, uint16_t glyph)
{
    uint16_t advance;
    int16_t bearing;
    int scaled;

    cs_pdf_font_metrics(font, glyph, &advance, &bearing);
    scaled = per_mille(font, advance);
    return scaled < 10000 ? (uint16_t)scaled : 10000;
}

struct cs_view cs_pdf_font_outline(const struct cs_pdf_font *font, uint16_t glyph)
{
    size_t start, end, step = font->long_loca ? 4 : 2;

    if (glyph >= font->facts.glyph_count || (glyph + 2u) * step > font->loca.len)
        return (struct cs_view){NULL, 0};
    if (font->long_loca) {
        start = cs_be32(font->loca, glyph * step);
        end = cs_be32(font->loca, (glyph + 1u) * step);
    } else {
        start = 2u * (size_t)cs_be16(font->loca, glyph * step);
        end = 2u * (size_t)cs_be16(font->loca, (glyph + 1u) * step);
    }
    if (end <= start || end > font->glyf.len || end - start < 10)
        return (struct cs_view){NULL, 0};
    return cs_view_sub(font->glyf, start, end - start);
}

int cs_pdf_font_kern(const struct cs_pdf_font *font, uint16_t left, uint16_t right)
{
    uint32_t key = (uint32_t)left << 16 | right;
    size_t low = 0, high = font->kern_pairs;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        uint32_t pair = cs_be32(font->kern, 6 * mid);

        if (pair == key)
            return per_mille(font, cs_be16s(font->kern, 6 * mid + 4));
        if (pair < key)
            low = mid + 1;
        else
            high = mid;
    }
    return 0;
}
