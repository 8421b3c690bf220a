/* render/pdf_flow.h: fills pages from top to bottom with items: a line of text,
 * a row of a table, a drawing. An item is written in coordinates of its own: x
 * from the left edge of the text column, y = 0 at its top and negative below.
 *
 * An item may ask to stay with the next one. Items that stay together move to
 * the next page together, as long as a page can hold them. */
#ifndef CS_RENDER_PDF_FLOW_H
#define CS_RENDER_PDF_FLOW_H

#include "render/palette.h"
#include "render/pdf_doc.h"

struct cs_pdf_frame {
    double width, height;            /* of the page, points */
    double left, right, top, bottom; /* margins */
};

struct cs_pdf_flow;

/* frame and doc are borrowed. dry: pages are counted and not made. */
struct cs_pdf_flow *cs_pdf_flow_new(struct cs_pdf_doc *doc,
                                    const struct cs_pdf_frame *frame, bool dry);
void cs_pdf_flow_free(struct cs_pdf_flow *flow);

/* Pages are put before this page of the document in place of the end. */
void cs_pdf_flow_before(struct cs_pdf_flow *flow, size_t page);

/* Width of the column, height of a page's body. */
double cs_pdf_flow_width(const struct cs_pdf_flow *flow);
double cs_pdf_flow_height(const struct cs_pdf_flow *flow);

/* Blank above the next item: the largest one asked for counts; none at the top
 * of a page. */
void cs_pdf_flow_space(struct cs_pdf_flow *flow, double points);

/* A coloured strip behind all items from here to the matching pop: a quote's
 * bar, the ground of a code block. */
void cs_pdf_flow_push_strip(struct cs_pdf_flow *flow, double x, double width,
                            struct cs_colour colour);
void cs_pdf_flow_pop_strip(struct cs_pdf_flow *flow);

/* Starts an item; its operators go into the buffer. */
struct cs_buf *cs_pdf_flow_begin(struct cs_pdf_flow *flow);

/* Of the item that was begun: an area that leads to an address or, where it
 * starts with '#', to a place of this document; a
 * mark whose place shall be known afterwards. */
void cs_pdf_flow_link(struct cs_pdf_flow *flow, struct cs_pdf_rect rect,
                      const char *address);
void cs_pdf_flow_mark(struct cs_pdf_flow *flow, size_t number);

enum {                  /* sums */
       CS_PDF_KEEP = 1, /* stays with the next item */
       CS_PDF_ROW = 2   /* at the top of a page it gets the repeated head */
};
void cs_pdf_flow_end(struct cs_pdf_flow *flow, double height, unsigned how);

/* Operators to repeat above CS_PDF_ROW items on each new page; NULL ptr: no more. */
void cs_pdf_flow_repeat(struct cs_pdf_flow *flow, struct cs_view operators,
                        double height);

/* Ends the page if anything is on it. */
void cs_pdf_flow_break(struct cs_pdf_flow *flow);

/* Height left below what is placed; items that wait for the next one count. */
double cs_pdf_flow_left(const struct cs_pdf_flow *flow);

/* Writes what is left; the first failure since the start is told here. */
enum cs_code cs_pdf_flow_finish(struct cs_pdf_flow *flow, struct cs_err *err) CS_MUST_USE;

/* After the end: pages made, the first failure's absence given. */
size_t cs_pdf_flow_pages(const struct cs_pdf_flow *flow);

/* The number in the document of the i-th page made. */
size_t cs_pdf_flow_page(const struct cs_pdf_flow *flow, size_t i);

/* The i-th page on which a mark was met, and how high; false for an unknown mark.
 * The place's page counts the flow's own pages. */
bool cs_pdf_flow_place(const struct cs_pdf_flow *flow, size_t mark,
                       struct cs_pdf_place *out);

/* Links within the document that were met, for the caller to make. */
struct cs_pdf_inner_link {
    size_t page; /* of the flow's own pages */
    struct cs_pdf_rect rect;
    size_t address; /* cs_pdf_flow_address() has it: "#..." */
};
const struct cs_pdf_inner_link *cs_pdf_flow_inner_links(const struct cs_pdf_flow *flow,
                                                        size_t *count_out);
const char *cs_pdf_flow_address(const struct cs_pdf_flow *flow,
                                const struct cs_pdf_inner_link *link);

/* Whether something failed, so that a caller can stop early. */
bool cs_pdf_flow_failed(const struct cs_pdf_flow *flow);

#endif
