#include "config.h"

#include "render/pdf_doc.h"

#include <hpdf.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/deflate.h"
#include "base/digest.h"
#include "base/encoding.h"

#define TITLE_MAX      400u  /* code points of an outline entry or fact */
#define URI_MAX        2000u /* bytes of a link after encoding */
#define WIDTHS_PER_ROW 8000u /* libharu's arrays are limited to 32767 entries */
#define FONT_MAX       (32u << 20)
#define STREAM_MAX     (128u << 20)
#define COMPRESSION    1 /* 5 % larger than 6, in half of its time */
#define OUTLINE_LEVELS 8u
#define OUTLINE_OPEN   1u

struct page {
    HPDF_Page page; /* borrowed from the HPDF_Doc */
    struct cs_buf content;
};

struct cs_pdf_doc {
    HPDF_Doc pdf;
    struct page *pages; /* in the order of making */
    size_t page_count, page_capacity;
    struct cs_deflate *deflate;
    struct cs_buf packed; /* what it made of one stream */
    HPDF_Dict font_names; /* the /Font dictionary that all pages share */
    HPDF_Outline outline[OUTLINE_LEVELS + 1]; /* [0] is NULL: the root */
    double width, height;
    enum cs_code failed; /* of a step of ours between libharu's */
};

/* The state of libharu after a call that answered `good`. */
static enum cs_code check(const struct cs_pdf_doc *doc, bool good, struct cs_err *err)
{
    unsigned long code = HPDF_GetError(doc->pdf);

    if (doc->failed == CS_ENOMEM)
        return cs_err_nomem(err);
    if (doc->failed != CS_OK)
        return cs_err_set(err, doc->failed, "a part of the PDF could not be made");
    if (good && code == HPDF_OK)
        return CS_OK;
    if (code == HPDF_FAILD_TO_ALLOC_MEM)
        return cs_err_nomem(err);
    return cs_err_set(err, CS_ERENDER, "writing the PDF failed: libharu error 0x%04lx",
                      code);
}

/* An indirect dictionary, owned by the document. */
static HPDF_Dict new_dict(const struct cs_pdf_doc *doc)
{
    HPDF_Dict dict = HPDF_Dict_New(doc->pdf->mmgr);

    if (dict != NULL && HPDF_Xref_Add(doc->pdf->xref, dict) != HPDF_OK)
        return NULL;
    return dict;
}

enum cs_code cs_pdf_doc_new(struct cs_pdf_doc **doc_out, double width, double height,
                            struct cs_err *err)
{
    struct cs_pdf_doc *doc = calloc(1, sizeof(*doc));
    enum cs_code rc;

    *doc_out = NULL;
    if (doc == NULL)
        return cs_err_nomem(err);
    doc->width = width;
    doc->height = height;
    cs_buf_init(&doc->packed, STREAM_MAX);
    doc->deflate = cs_deflate_new(COMPRESSION);
    /* no memory pool: libharu's hands out addresses that no struct may have */
    if (doc->deflate == NULL ||
        (doc->pdf = HPDF_NewEx(NULL, NULL, NULL, 0, NULL)) == NULL) {
        rc = cs_err_nomem(err);
        goto fail;
    }
    doc->pdf->pdf_version = HPDF_VER_17;
    doc->font_names = new_dict(doc);
    if ((rc = check(doc, doc->font_names != NULL, err)) != CS_OK)
        goto fail;
    *doc_out = doc;
    return CS_OK;
fail:
    cs_pdf_doc_free(doc);
    return rc;
}

void cs_pdf_doc_free(struct cs_pdf_doc *doc)
{
    if (doc == NULL)
        return;
    if (doc->pdf != NULL)
        HPDF_Free(doc->pdf);
    for (size_t i = 0; i < doc->page_count; i++)
        cs_buf_clear(&doc->pages[i].content);
    free(doc->pages);
    cs_deflate_free(doc->deflate);
    cs_buf_clear(&doc->packed);
    free(doc);
}

static bool write_stream(HPDF_Stream stream, struct cs_view bytes)
{
    size_t at = 0;

    while (at < bytes.len) {
        struct cs_view part = cs_view_sub(bytes, at, 1u << 20);

        if (HPDF_Stream_Write(stream, (const HPDF_BYTE *)part.ptr, (HPDF_UINT)part.len) !=
            HPDF_OK)
            return false;
        at += part.len;
    }
    return true;
}

static bool room_for_page(struct cs_pdf_doc *doc)
{
    size_t capacity = doc->page_capacity != 0 ? doc->page_capacity * 2 : 64;
    struct page *pages;

    if (doc->page_count < doc->page_capacity)
        return true;
    if ((pages = realloc(doc->pages, capacity * sizeof(*pages))) == NULL)
        return false;
    doc->pages = pages;
    doc->page_capacity = capacity;
    return true;
}

/* Called by libharu at the end of a stream's dictionary: it would compress what
 * is compressed already if it knew of the filter. */
static HPDF_STATUS write_filter(HPDF_Dict dict, HPDF_Stream out)
{
    (void)dict;
    return HPDF_Stream_WriteStr(out, "/Filter /FlateDecode\n");
}

/* Compressing is ours: libharu's level is fixed, at nearly twice the time. */
static enum cs_code fill_stream(struct cs_pdf_doc *doc, HPDF_Dict dict,
                                struct cs_view bytes, struct cs_err *err)
{
    enum cs_code rc;

    cs_buf_reset(&doc->packed);
    rc = cs_deflate_add(doc->deflate, &doc->packed, bytes, err);
    dict->filter = HPDF_STREAM_FILTER_NONE;
    dict->write_fn = write_filter;
    if (rc == CS_OK)
        rc = check(doc, write_stream(dict->stream, cs_buf_view(&doc->packed)), err);
    return rc;
}

static bool set_up_page(struct cs_pdf_doc *doc, HPDF_Page page)
{
    HPDF_Dict resources = HPDF_Dict_GetItem(page, "Resources", HPDF_OCLASS_DICT);

    return resources != NULL &&
           HPDF_Dict_Add(resources, "Font", doc->font_names) == HPDF_OK &&
           HPDF_Page_SetWidth(page, (HPDF_REAL)doc->width) == HPDF_OK &&
           HPDF_Page_SetHeight(page, (HPDF_REAL)doc->height) == HPDF_OK;
}

static enum cs_code add_page(struct cs_pdf_doc *doc, HPDF_Page before,
                             struct cs_view content, size_t *page_out, struct cs_err *err)
{
    struct page new = {.content = CS_BUF_INIT(STREAM_MAX)};
    enum cs_code rc;

    *page_out = 0;
    if (doc->page_count >= CS_PDF_PAGES_MAX)
        return cs_err_set(err, CS_ERENDER, "the report would have more than %u pages",
                          CS_PDF_PAGES_MAX);
    if (!room_for_page(doc))
        return cs_err_nomem(err);
    new.page =
        before != NULL ? HPDF_InsertPage(doc->pdf, before) : HPDF_AddPage(doc->pdf);
    if ((rc = check(doc, new.page != NULL, err)) != CS_OK ||
        (rc = check(doc, set_up_page(doc, new.page), err)) != CS_OK)
        return rc;
    cs_buf_add(&new.content, content);
    if ((rc = cs_buf_check(&new.content, err)) != CS_OK)
        return rc;
    doc->pages[doc->page_count] = new;
    *page_out = doc->page_count++;
    return CS_OK;
}

enum cs_code cs_pdf_doc_page(struct cs_pdf_doc *doc, struct cs_view content,
                             size_t *page_out, struct cs_err *err)
{
    return add_page(doc, NULL, content, page_out, err);
}

enum cs_code cs_pdf_doc_page_before(struct cs_pdf_doc *doc, size_t before,
                                    struct cs_view content, size_t *page_out,
                                    struct cs_err *err)
{
    return add_page(doc, doc->pages[before].page, content, page_out, err);
}

enum cs_code cs_pdf_doc_add(struct cs_pdf_doc *doc, size_t page, struct cs_view content,
                            struct cs_err *err)
{
    cs_buf_add(&doc->pages[page].content, content);
    return cs_buf_check(&doc->pages[page].content, err);
}

static HPDF_Rect rect_of(struct cs_pdf_rect rect)
{
    return (HPDF_Rect){(HPDF_REAL)rect.left, (HPDF_REAL)rect.bottom,
                       (HPDF_REAL)rect.right, (HPDF_REAL)rect.top};
}

/* Characters of RFC 3986 stay, '%' with them; the rest is percent-encoded. */
static void encode_uri(struct cs_buf *out, struct cs_view uri)
{
    static const char kept[] = "-._~:/?#[]@!$&'()*+,;=%";

    for (size_t i = 0; i < uri.len; i++) {
        char c = uri.ptr[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool plain =
            letter || (c >= '0' && c <= '9') || (c != '\0' && strchr(kept, c) != NULL);

        if (plain)
            cs_buf_add_byte(out, c);
        else
            cs_buf_add_fmt(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}

static bool starts_nocase(struct cs_view view, struct cs_view prefix)
{
    return view.len > prefix.len &&
           cs_view_eq_nocase(cs_view_sub(view, 0, prefix.len), prefix);
}

enum cs_code cs_pdf_doc_link_uri(struct cs_pdf_doc *doc, size_t page,
                                 struct cs_pdf_rect rect, struct cs_view uri,
                                 struct cs_err *err)
{
    struct cs_buf text = CS_BUF_INIT(URI_MAX);
    HPDF_Annotation link;
    enum cs_code rc = CS_OK;

    if (!starts_nocase(uri, CS_LIT("http://")) &&
        !starts_nocase(uri, CS_LIT("https://")) && !starts_nocase(uri, CS_LIT("mailto:")))
        return CS_OK;
    encode_uri(&text, uri);
    if (text.failed == CS_ENOMEM) {
        rc = cs_err_nomem(err);
    } else if (text.failed == CS_OK) { /* a longer address stays text */
        link = HPDF_Page_CreateURILinkAnnot(doc->pages[page].page, rect_of(rect),
                                            cs_buf_cstr(&text));
        rc = check(
            doc, link != NULL && HPDF_LinkAnnot_SetBorderStyle(link, 0, 0, 0) == HPDF_OK,
            err);
    }
    cs_buf_clear(&text);
    return rc;
}

/* "[page /XYZ left top zoom]" by hand: libharu refuses the zoom 0, which leaves
 * the reader's own as it is. */
static HPDF_Destination destination(const struct cs_pdf_doc *doc,
                                    struct cs_pdf_place target)
{
    HPDF_Page page = doc->pages[target.page].page;
    HPDF_Destination place = HPDF_Page_CreateDestination(page);

    if (place == NULL)
        return NULL;
    HPDF_Array_Clear(place);
    if (HPDF_Array_Add(place, page) != HPDF_OK ||
        HPDF_Array_AddName(place, "XYZ") != HPDF_OK ||
        HPDF_Array_AddNumber(place, 0) != HPDF_OK ||
        HPDF_Array_AddReal(place, (HPDF_REAL)target.top) != HPDF_OK ||
        HPDF_Array_AddNumber(place, 0) != HPDF_OK)
        return NULL;
    return place;
}

enum cs_code cs_pdf_doc_link_place(struct cs_pdf_doc *doc, size_t page,
                                   struct cs_pdf_rect rect, struct cs_pdf_place target,
                                   struct cs_err *err)
{
    HPDF_Destination place = destination(doc, target);
    HPDF_Annotation link = NULL;

    if (place != NULL)
        link = HPDF_Page_CreateLinkAnnot(doc->pages[page].page, rect_of(rect), place);
    return check(doc,
                 link != NULL && HPDF_LinkAnnot_SetBorderStyle(link, 0, 0, 0) == HPDF_OK,
                 err);
}

/* UTF-16 with a byte order mark, as a hexadecimal string: nothing in it can end
 * the string. */
static HPDF_Binary text_string(const struct cs_pdf_doc *doc, struct cs_view text)
{
    HPDF_BYTE bytes[2 + TITLE_MAX * 4] = {0xfe, 0xff};
    uint32_t code_point;
    size_t len = 2;

    while (len + 4 <= sizeof(bytes) && cs_utf8_next(&text, &code_point)) {
        uint32_t unit = code_point;

        if (code_point > 0xffff) {
            unit = 0xd800u + ((code_point - 0x10000u) >> 10);
            bytes[len++] = (HPDF_BYTE)(unit >> 8);
            bytes[len++] = (HPDF_BYTE)(unit & 0xffu);
            unit = 0xdc00u + ((code_point - 0x10000u) & 0x3ffu);
        }
        bytes[len++] = (HPDF_BYTE)(unit >> 8);
        bytes[len++] = (HPDF_BYTE)(unit & 0xffu);
    }
    return HPDF_Binary_New(doc->pdf->mmgr, bytes, (HPDF_UINT)len);
}

enum cs_code cs_pdf_doc_outline(struct cs_pdf_doc *doc, unsigned level,
                                struct cs_view title, struct cs_pdf_place target,
                                struct cs_err *err)
{
    HPDF_Outline entry, parent = NULL;
    HPDF_Destination place = destination(doc, target);
    bool good;

    if (level < 1)
        level = 1;
    if (level > OUTLINE_LEVELS)
        level = OUTLINE_LEVELS;
    for (unsigned i = level; i > 0 && parent == NULL; i--)
        parent = doc->outline[i - 1];
    entry = HPDF_CreateOutline(doc->pdf, parent, "", NULL);
    good = place != NULL && entry != NULL &&
           HPDF_Dict_Add(entry, "Title", text_string(doc, title)) == HPDF_OK &&
           HPDF_Outline_SetDestination(entry, place) == HPDF_OK &&
           HPDF_Outline_SetOpened(entry, level < OUTLINE_OPEN) == HPDF_OK;
    for (unsigned i = level; i <= OUTLINE_LEVELS; i++)
        doc->outline[i] = NULL;
    doc->outline[level] = entry;
    return check(doc, good, err);
}

static HPDF_Dict stream_of(struct cs_pdf_doc *doc, const struct cs_buf *bytes)
{
    HPDF_Dict stream = HPDF_DictStream_New(doc->pdf->mmgr, doc->pdf->xref);

    if (stream == NULL)
        return NULL;
    doc->failed = fill_stream(doc, stream, cs_buf_view(bytes), NULL);
    return doc->failed == CS_OK ? stream : NULL;
}

/* "/ABCDEF+Name": the tag says that the font is a subset; it numbers the face. */
static void base_name(struct cs_buf *out, const struct cs_pdf_font *font, size_t face)
{
    for (unsigned i = 0; i < 6; i++) {
        cs_buf_add_byte(out, (char)('A' + face % 26));
        face /= 26;
    }
    cs_buf_add_fmt(out, "+%s", cs_pdf_font_facts(font)->name);
}

static HPDF_Array numbers(const struct cs_pdf_doc *doc, const int *values, size_t count)
{
    HPDF_Array array = HPDF_Array_New(doc->pdf->mmgr);

    for (size_t i = 0; array != NULL && i < count; i++) {
        if (HPDF_Array_AddNumber(array, values[i]) != HPDF_OK) {
            HPDF_Array_Free(array);
            return NULL;
        }
    }
    return array;
}

/* /W: "first code, widths of it and the codes behind it", in rows. */
static bool add_widths(const struct cs_pdf_doc *doc, HPDF_Dict cid,
                       const struct cs_pdf_subset *subset)
{
    HPDF_Array rows = HPDF_Array_New(doc->pdf->mmgr), row = NULL;

    if (HPDF_Dict_Add(cid, "W", rows) != HPDF_OK)
        return false;
    for (size_t i = 0; i < cs_pdf_subset_count(subset); i++) {
        if (i % WIDTHS_PER_ROW == 0) {
            row = HPDF_Array_New(doc->pdf->mmgr);
            if (HPDF_Array_AddNumber(rows, (HPDF_INT32)i) != HPDF_OK ||
                HPDF_Array_Add(rows, row) != HPDF_OK)
                return false;
        }
        if (HPDF_Array_AddNumber(row, cs_pdf_subset_advance(subset, (uint16_t)i)) !=
            HPDF_OK)
            return false;
    }
    return true;
}

static HPDF_Dict font_descriptor(struct cs_pdf_doc *doc, const struct cs_pdf_font *font,
                                 const char *name, const struct cs_buf *file)
{
    const struct cs_pdf_font_facts *facts = cs_pdf_font_facts(font);
    unsigned flags = 4u | (facts->fixed_pitch ? 1u : 0u) | (facts->italic ? 64u : 0u);
    HPDF_Dict descriptor = new_dict(doc), stream = stream_of(doc, file);

    if (descriptor == NULL || stream == NULL ||
        (facts->cff ? HPDF_Dict_AddName(stream, "Subtype", "CIDFontType0C")
                    : HPDF_Dict_AddNumber(stream, "Length1", (HPDF_INT32)file->len)) !=
            HPDF_OK ||
        HPDF_Dict_AddName(descriptor, "Type", "FontDescriptor") != HPDF_OK ||
        HPDF_Dict_AddName(descriptor, "FontName", name) != HPDF_OK ||
        HPDF_Dict_AddNumber(descriptor, "Flags", (HPDF_INT32)flags) != HPDF_OK ||
        HPDF_Dict_Add(descriptor, "FontBBox", numbers(doc, facts->box, 4)) != HPDF_OK ||
        HPDF_Dict_AddNumber(descriptor, "ItalicAngle", facts->italic_angle) != HPDF_OK ||
        HPDF_Dict_AddNumber(descriptor, "Ascent", facts->ascent) != HPDF_OK ||
        HPDF_Dict_AddNumber(descriptor, "Descent", facts->descent) != HPDF_OK ||
        HPDF_Dict_AddNumber(descriptor, "CapHeight", facts->cap_height) != HPDF_OK ||
        HPDF_Dict_AddNumber(descriptor, "StemV", facts->bold ? 140 : 80) != HPDF_OK ||
        HPDF_Dict_Add(descriptor, facts->cff ? "FontFile3" : "FontFile2", stream) !=
            HPDF_OK)
        return NULL;
    return descriptor;
}

static bool add_system_info(const struct cs_pdf_doc *doc, HPDF_Dict cid)
{
    HPDF_MMgr mmgr = doc->pdf->mmgr;
    HPDF_Dict info = HPDF_Dict_New(mmgr);

    return HPDF_Dict_Add(cid, "CIDSystemInfo", info) == HPDF_OK &&
           HPDF_Dict_Add(info, "Registry", HPDF_String_New(mmgr, "Adobe", NULL)) ==
               HPDF_OK &&
           HPDF_Dict_Add(info, "Ordering", HPDF_String_New(mmgr, "Identity", NULL)) ==
               HPDF_OK &&
           HPDF_Dict_AddNumber(info, "Supplement", 0) == HPDF_OK;
}

static bool add_type0(struct cs_pdf_doc *doc, HPDF_Dict type0, HPDF_Dict cid,
                      const char *name, const struct cs_buf *to_unicode)
{
    HPDF_Array descendants = HPDF_Array_New(doc->pdf->mmgr);
    HPDF_Dict map = stream_of(doc, to_unicode);

    return HPDF_Dict_Add(type0, "DescendantFonts", descendants) == HPDF_OK &&
           HPDF_Array_Add(descendants, cid) == HPDF_OK && map != NULL &&
           HPDF_Dict_Add(type0, "ToUnicode", map) == HPDF_OK &&
           HPDF_Dict_AddName(type0, "Type", "Font") == HPDF_OK &&
           HPDF_Dict_AddName(type0, "Subtype", "Type0") == HPDF_OK &&
           HPDF_Dict_AddName(type0, "BaseFont", name) == HPDF_OK &&
           HPDF_Dict_AddName(type0, "Encoding", "Identity-H") == HPDF_OK;
}

static enum cs_code embed(struct cs_pdf_doc *doc, const struct cs_pdf_fonts *fonts,
                          size_t face, struct cs_err *err)
{
    const struct cs_pdf_subset *subset = cs_pdf_fonts_subset(fonts, face);
    const struct cs_pdf_font *font = cs_pdf_fonts_font(fonts, face);
    struct cs_buf file = CS_BUF_INIT(FONT_MAX), map = CS_BUF_INIT(FONT_MAX);
    struct cs_buf name = CS_BUF_INIT(128), key = CS_BUF_INIT(16);
    bool good, cff = cs_pdf_font_facts(font)->cff;
    HPDF_Dict type0, cid, descriptor;
    enum cs_code rc;

    base_name(&name, font, face);
    cs_buf_add_fmt(&key, "F%zu", face);
    cs_pdf_subset_font(subset, &file);
    cs_pdf_subset_to_unicode(subset, &map);
    if ((rc = cs_buf_check(&name, err)) != CS_OK ||
        (rc = cs_buf_check(&key, err)) != CS_OK ||
        (rc = cs_buf_check(&file, err)) != CS_OK ||
        (rc = cs_buf_check(&map, err)) != CS_OK)
        goto out;
    type0 = new_dict(doc);
    cid = new_dict(doc);
    descriptor = font_descriptor(doc, font, cs_buf_cstr(&name), &file);
    good = type0 != NULL && cid != NULL && descriptor != NULL &&
           HPDF_Dict_AddName(cid, "Type", "Font") == HPDF_OK &&
           HPDF_Dict_AddName(cid, "Subtype", cff ? "CIDFontType0" : "CIDFontType2") ==
               HPDF_OK &&
           HPDF_Dict_AddName(cid, "BaseFont", cs_buf_cstr(&name)) == HPDF_OK &&
           (cff || HPDF_Dict_AddName(cid, "CIDToGIDMap", "Identity") == HPDF_OK) &&
           HPDF_Dict_Add(cid, "FontDescriptor", descriptor) == HPDF_OK &&
           add_system_info(doc, cid) && add_widths(doc, cid, subset) &&
           add_type0(doc, type0, cid, cs_buf_cstr(&name), &map) &&
           HPDF_Dict_Add(doc->font_names, cs_buf_cstr(&key), type0) == HPDF_OK;
    rc = check(doc, good, err);
out:
    cs_buf_clear(&file);
    cs_buf_clear(&map);
    cs_buf_clear(&name);
    cs_buf_clear(&key);
    return rc;
}

enum cs_code cs_pdf_doc_fonts(struct cs_pdf_doc *doc, const struct cs_pdf_fonts *fonts,
                              struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < cs_pdf_fonts_count(fonts); i++) {
        const struct cs_pdf_subset *subset = cs_pdf_fonts_subset(fonts, i);

        if (subset != NULL && cs_pdf_subset_count(subset) > 1)
            rc = embed(doc, fonts, i, err);
    }
    return rc;
}

static bool add_text(const struct cs_pdf_doc *doc, HPDF_Dict dict, const char *key,
                     struct cs_view text)
{
    return text.len == 0 || HPDF_Dict_Add(dict, key, text_string(doc, text)) == HPDF_OK;
}

static int digits(const char *text, size_t at, size_t count)
{
    uint64_t value = 0;

    return cs_view_to_u64(cs_view_of(text + at, count), &value) ? (int)value : 0;
}

static bool add_times(const struct cs_pdf_doc *doc, int64_t time_us)
{
    char text[CS_TIME_TEXT_LEN + 1];
    HPDF_Date date = {.ind = 'Z'};

    cs_time_text(text, time_us); /* "2024-12-01T12:00:00.123000Z" */
    date.year = digits(text, 0, 4);
    date.month = digits(text, 5, 2);
    date.day = digits(text, 8, 2);
    date.hour = digits(text, 11, 2);
    date.minutes = digits(text, 14, 2);
    date.seconds = digits(text, 17, 2);
    return HPDF_SetInfoDateAttr(doc->pdf, HPDF_INFO_CREATION_DATE, date) == HPDF_OK &&
           HPDF_SetInfoDateAttr(doc->pdf, HPDF_INFO_MOD_DATE, date) == HPDF_OK;
}

static bool add_identity(struct cs_pdf_doc *doc, struct cs_view identity)
{
    HPDF_Array pair = HPDF_Array_New(doc->pdf->mmgr);
    uint8_t digest[CS_SHA256_LEN];

    doc->failed = cs_sha256_of(digest, identity, NULL);
    if (HPDF_Dict_Add(doc->pdf->trailer, "ID", pair) != HPDF_OK || doc->failed != CS_OK)
        return false;
    for (int i = 0; i < 2; i++) {
        if (HPDF_Array_Add(pair, HPDF_Binary_New(doc->pdf->mmgr, digest, 16)) != HPDF_OK)
            return false;
    }
    return true;
}

enum cs_code cs_pdf_doc_describe(struct cs_pdf_doc *doc,
                                 const struct cs_pdf_doc_facts *facts, struct cs_err *err)
{
    HPDF_Dict view = HPDF_Dict_New(doc->pdf->mmgr);
    bool good =
        HPDF_Dict_Add(doc->pdf->catalog, "ViewerPreferences", view) == HPDF_OK &&
        HPDF_Dict_AddBoolean(view, "DisplayDocTitle", HPDF_TRUE) == HPDF_OK &&
        HPDF_SetInfoAttr(doc->pdf, HPDF_INFO_CREATOR, "campaignstore") == HPDF_OK &&
        add_text(doc, doc->pdf->info, "Title", facts->title) &&
        add_text(doc, doc->pdf->info, "Author", facts->author) &&
        add_text(doc, doc->pdf->info, "Subject", facts->subject) &&
        add_text(doc, doc->pdf->info, "Keywords", facts->keywords) &&
        add_text(doc, doc->pdf->catalog, "Lang", cs_view_cstr(facts->language)) &&
        (!facts->has_time || add_times(doc, facts->time_us)) &&
        add_identity(doc, facts->identity);

    if (good && doc->outline[1] != NULL)
        good = HPDF_SetPageMode(doc->pdf, HPDF_PAGE_MODE_USE_OUTLINE) == HPDF_OK;
    return check(doc, good, err);
}

static enum cs_code fill_pages(struct cs_pdf_doc *doc, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t i = 0; i < doc->page_count && rc == CS_OK; i++) {
        struct page *page = &doc->pages[i];

        rc = fill_stream(doc, ((HPDF_PageAttr)page->page->attr)->contents,
                         cs_buf_view(&page->content), err);
        cs_buf_clear(&page->content);
    }
    return rc;
}

/* What libharu writes goes to the caller's buffer, not to a copy of the file first. */
static HPDF_STATUS write_out(HPDF_Stream stream, const HPDF_BYTE *bytes, HPDF_UINT size)
{
    struct cs_buf *out = stream->attr;

    cs_buf_add(out, cs_view_of(bytes, size));
    return out->failed == CS_OK ? HPDF_OK : HPDF_FAILD_TO_ALLOC_MEM;
}

enum cs_code cs_pdf_doc_save(struct cs_pdf_doc *doc, struct cs_buf *out,
                             struct cs_err *err)
{
    enum cs_code rc = fill_pages(doc, err);
    bool good;

    if (rc != CS_OK)
        return rc;
    doc->pdf->stream = HPDF_CallbackWriter_New(doc->pdf->mmgr, write_out, out);
    good = doc->pdf->stream != NULL && HPDF_SaveToStream(doc->pdf) == HPDF_OK;
    if ((rc = cs_buf_check(out, err)) != CS_OK)
        return rc;
    return check(doc, good, err);
}
