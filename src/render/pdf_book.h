/* render/pdf_book.h: what the parts of a report share while it is written, and
 * the setting of one paragraph. */
#ifndef CS_RENDER_PDF_BOOK_H
#define CS_RENDER_PDF_BOOK_H

#include "render/pdf_flow.h"
#include "render/pdf_text.h"
#include "render/pdf_vector.h"

/* A heading: its level (2: a section), its text in `titles`, its mark in the flow. */
struct cs_pdf_heading {
    unsigned level;
    size_t title, title_len;
    size_t mark;
    bool detail; /* within a section of the appendix: not listed in the contents */
};

struct cs_pdf_book {
    struct cs_pdf_flow *flow;
    struct cs_pdf_text *text; /* the paragraph being made */
    struct cs_pdf_text *side; /* a second one: markers, labels */
    const struct cs_scheme *scheme;
    const char *language;
    double cap_height; /* of the text family, parts of the size */
    double scale;      /* of all type sizes: 1, less for an appendix */
    bool appendix;     /* what is made now belongs to it */
    bool rtl;
    struct cs_pdf_vector headings; /* struct cs_pdf_heading */
    struct cs_buf titles;
    enum cs_code failed; /* of the lists above; the others keep their own */
};

/* The column that a block may fill, from the left edge of the page's body. */
struct cs_pdf_area {
    double left, width;
};

/* How a paragraph is set. */
struct cs_pdf_setting {
    double leading; /* height of a line, before scaling */
    enum cs_pdf_align align;
    bool fixed;   /* the alignment stays in text from right to left */
    bool balance; /* lines of about the same length */
    bool keep;    /* stays with what follows */
    bool whole;   /* is never parted */
    size_t mark;  /* set on the first line, where has_mark */
    bool has_mark;
};

/* How far below the top of a line of that height the baseline is. */
double cs_pdf_book_baseline(const struct cs_pdf_book *book, double leading, double size);

/* A style of the size at the book's scale. */
struct cs_pdf_style cs_pdf_book_style(const struct cs_pdf_book *book, double size,
                                      unsigned font, struct cs_colour colour);

/* Writes something on the first line of a paragraph: a list's marker. */
typedef void (*cs_pdf_first_fn)(void *context, struct cs_buf *out, double baseline);

/* Sets book->text, shaped or not, as lines in the area; the text is empty after it. */
void cs_pdf_book_paragraph(struct cs_pdf_book *book, struct cs_pdf_area area,
                           const struct cs_pdf_setting *setting, cs_pdf_first_fn first,
                           void *context);

/* One line of plain text by book->side, cut with an ellipsis when it is wider
 * than width, at x (left end, centre or right end by align). Gives its width. */
double cs_pdf_book_label(struct cs_pdf_book *book, struct cs_buf *out,
                         struct cs_view utf8, const struct cs_pdf_style *style,
                         enum cs_pdf_align align, double x, double y, double width);

/* Adds a heading to the list; gives its mark. */
size_t cs_pdf_book_heading(struct cs_pdf_book *book, unsigned level,
                           struct cs_view title);

/* Stops long work early: true once anything failed. */
bool cs_pdf_book_failed(const struct cs_pdf_book *book);

#endif
