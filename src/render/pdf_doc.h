/* render/pdf_doc.h: the PDF file: pages, links, outline, fonts and facts about
 * the document, written by libharu. The only module that sees <hpdf.h>.
 *
 * libharu's own fonts are not used: they know no character above U+FFFF and read
 * one kind of character map. Pages come as ready content streams instead, and
 * fonts as subsets (render/pdf_subset.h); libharu writes the objects, the cross
 * reference and the compressed streams. Its errors are read after the calls: no
 * handler of ours jumps or is called. */
#ifndef CS_RENDER_PDF_DOC_H
#define CS_RENDER_PDF_DOC_H

#include "render/pdf_fonts.h"

struct cs_pdf_doc;

/* Points (1/72 inch), from the lower left corner of the page. */
struct cs_pdf_rect {
    double left, bottom, right, top;
};

#define CS_PDF_PAGES_MAX 20000u

/* All pages have the same size. */
enum cs_code cs_pdf_doc_new(struct cs_pdf_doc **doc_out, double width, double height,
                            struct cs_err *err) CS_MUST_USE;
void cs_pdf_doc_free(struct cs_pdf_doc *doc);

/* A new page with content operators: at the end, or before another page. Pages
 * keep the number they get here, wherever they stand. */
enum cs_code cs_pdf_doc_page(struct cs_pdf_doc *doc, struct cs_view content,
                             size_t *page_out, struct cs_err *err) CS_MUST_USE;
enum cs_code cs_pdf_doc_page_before(struct cs_pdf_doc *doc, size_t before,
                                    struct cs_view content, size_t *page_out,
                                    struct cs_err *err) CS_MUST_USE;

/* Further operators behind those that a page has. */
enum cs_code cs_pdf_doc_add(struct cs_pdf_doc *doc, size_t page, struct cs_view content,
                            struct cs_err *err) CS_MUST_USE;

/* A link to an address, of which all but URI characters are percent-encoded.
 * One that is not http:, https: or mailto: is left out. */
enum cs_code cs_pdf_doc_link_uri(struct cs_pdf_doc *doc, size_t page,
                                 struct cs_pdf_rect rect, struct cs_view uri,
                                 struct cs_err *err) CS_MUST_USE;

/* A place in the document: top is the height that shall be at the window's top. */
struct cs_pdf_place {
    size_t page;
    double top;
};

enum cs_code cs_pdf_doc_link_place(struct cs_pdf_doc *doc, size_t page,
                                   struct cs_pdf_rect rect, struct cs_pdf_place target,
                                   struct cs_err *err) CS_MUST_USE;

/* An entry of the outline below the last one of a lower level; levels start at
 * 1, entries below level `open` are folded. title is UTF-8. */
enum cs_code cs_pdf_doc_outline(struct cs_pdf_doc *doc, unsigned level,
                                struct cs_view title, struct cs_pdf_place target,
                                struct cs_err *err) CS_MUST_USE;

/* Embeds the fonts in use; they are called /F0, /F1, ... on every page. */
enum cs_code cs_pdf_doc_fonts(struct cs_pdf_doc *doc, const struct cs_pdf_fonts *fonts,
                              struct cs_err *err) CS_MUST_USE;

struct cs_pdf_doc_facts {
    struct cs_view title, author, subject, keywords; /* UTF-8 */
    const char *language;                            /* BCP 47 */
    int64_t time_us; /* creation and change, microseconds since 1970 */
    bool has_time;
    struct cs_view identity; /* what makes the document this one and no other */
};

enum cs_code cs_pdf_doc_describe(struct cs_pdf_doc *doc,
                                 const struct cs_pdf_doc_facts *facts,
                                 struct cs_err *err) CS_MUST_USE;

/* Appends the file. */
enum cs_code cs_pdf_doc_save(struct cs_pdf_doc *doc, struct cs_buf *out,
                             struct cs_err *err) CS_MUST_USE;

#endif
