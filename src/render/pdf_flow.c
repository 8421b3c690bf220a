#include "config.h"

#include "render/pdf_flow.h"

#include <math.h>
#include <stdlib.h>

#include "render/pdf_ops.h"
#include "render/pdf_vector.h"

#define PAGE_MAX (64u << 20) /* bytes of operators of one page, far above any */
#define EPSILON  0.01

struct strip {
    double x, width;
    struct cs_colour colour;
    bool begun; /* something stands on it already, so it runs through blanks */
};

/* Parts of `waiting` and of the lists of links and marks, by offsets. */
struct item {
    size_t gap, ground, end; /* operators: strips in the blank above, behind it, itself */
    size_t links_end, marks_end;
    double before, height;
    unsigned how;
};

struct link {
    struct cs_pdf_rect rect;
    size_t address; /* in `addresses` */
};

struct mark {
    size_t number;
    double top; /* while on an open page: from the item's top, then of the page */
    size_t page;
    bool known;
};

struct cs_pdf_flow {
    struct cs_pdf_doc *doc;
    const struct cs_pdf_frame *frame;
    bool dry, inserting;
    size_t before; /* page to insert before */

    struct cs_pdf_vector strips; /* struct strip */
    double space;                /* blank above the next item */

    struct cs_buf waiting;      /* operators of items that wait, see struct item */
    struct cs_pdf_vector items; /* struct item */
    struct cs_pdf_vector links; /* struct link of the waiting items */
    struct cs_pdf_vector marks; /* struct mark of the waiting items */
    struct cs_buf front;        /* operators of the item that was begun */
    struct cs_buf addresses;    /* of links, each ended by a NUL */

    struct cs_buf page;              /* operators of the open page */
    double y;                        /* height already used on it */
    bool open;                       /* something stands on it */
    struct cs_pdf_vector page_links; /* struct link, on the page's own coordinates */
    struct cs_pdf_vector places;     /* struct mark by number */
    struct cs_pdf_vector pages;      /* size_t: numbers in the document */
    struct cs_pdf_vector inner;      /* struct cs_pdf_inner_link */

    struct cs_buf repeat;
    double repeat_height;
    enum cs_code failed;
    struct cs_err err;
};

struct cs_pdf_flow *cs_pdf_flow_new(struct cs_pdf_doc *doc,
                                    const struct cs_pdf_frame *frame, bool dry)
{
    struct cs_pdf_flow *flow = calloc(1, sizeof(*flow));

    if (flow == NULL)
        return NULL;
    flow->doc = doc;
    flow->frame = frame;
    flow->dry = dry;
    cs_buf_init(&flow->waiting, PAGE_MAX);
    cs_buf_init(&flow->front, PAGE_MAX);
    cs_buf_init(&flow->page, PAGE_MAX);
    cs_buf_init(&flow->repeat, PAGE_MAX);
    cs_buf_init(&flow->addresses, PAGE_MAX);
    return flow;
}

void cs_pdf_flow_free(struct cs_pdf_flow *flow)
{
    if (flow == NULL)
        return;
    free(flow->strips.items);
    free(flow->items.items);
    free(flow->links.items);
    free(flow->marks.items);
    free(flow->page_links.items);
    free(flow->places.items);
    free(flow->pages.items);
    free(flow->inner.items);
    cs_buf_clear(&flow->waiting);
    cs_buf_clear(&flow->front);
    cs_buf_clear(&flow->page);
    cs_buf_clear(&flow->repeat);
    cs_buf_clear(&flow->addresses);
    free(flow);
}

static void keep_failure(struct cs_pdf_flow *flow, enum cs_code rc)
{
    if (flow->failed == CS_OK)
        flow->failed = rc;
}

static void push(struct cs_pdf_flow *flow, struct cs_pdf_vector *vector, const void *item,
                 size_t size)
{
    if (flow->failed == CS_OK && !cs_pdf_vector_add(vector, item, size))
        keep_failure(flow, cs_err_nomem(&flow->err));
}

void cs_pdf_flow_before(struct cs_pdf_flow *flow, size_t page)
{
    flow->before = page;
    flow->inserting = true;
}

double cs_pdf_flow_width(const struct cs_pdf_flow *flow)
{
    return flow->frame->width - flow->frame->left - flow->frame->right;
}

double cs_pdf_flow_height(const struct cs_pdf_flow *flow)
{
    return flow->frame->height - flow->frame->top - flow->frame->bottom;
}

void cs_pdf_flow_space(struct cs_pdf_flow *flow, double points)
{
    flow->space = fmax(flow->space, points);
}

void cs_pdf_flow_push_strip(struct cs_pdf_flow *flow, double x, double width,
                            struct cs_colour colour)
{
    const struct strip strip = {x, width, colour, false};

    push(flow, &flow->strips, &strip, sizeof(strip));
}

void cs_pdf_flow_pop_strip(struct cs_pdf_flow *flow)
{
    if (flow->strips.count > 0)
        flow->strips.count--;
}

struct cs_buf *cs_pdf_flow_begin(struct cs_pdf_flow *flow)
{
    cs_buf_reset(&flow->front);
    return &flow->front;
}

void cs_pdf_flow_link(struct cs_pdf_flow *flow, struct cs_pdf_rect rect,
                      const char *address)
{
    const struct link link = {rect, flow->addresses.len};

    cs_buf_add(&flow->addresses, cs_view_of(address, strlen(address) + 1));
    if (cs_buf_check(&flow->addresses, &flow->err) != CS_OK)
        keep_failure(flow, flow->addresses.failed);
    push(flow, &flow->links, &link, sizeof(link));
}

void cs_pdf_flow_mark(struct cs_pdf_flow *flow, size_t number)
{
    const struct mark mark = {.number = number, .top = 0};

    push(flow, &flow->marks, &mark, sizeof(mark));
}

static void draw_strips(struct cs_pdf_flow *flow, double top, double height,
                        bool begun_alone)
{
    struct strip *strips = flow->strips.items;

    for (size_t i = 0; i < flow->strips.count; i++) {
        if (begun_alone && !strips[i].begun)
            continue;
        cs_pdf_fill_colour(&flow->waiting, strips[i].colour);
        cs_pdf_box(&flow->waiting, strips[i].x, top - height, strips[i].width,
                   height + 0.1);
    }
}

/* The page's vertical position of the body's height y. */
static double page_y(const struct cs_pdf_flow *flow, double y)
{
    return flow->frame->height - flow->frame->top - y;
}

static void add_part(struct cs_pdf_flow *flow, size_t from, size_t to)
{
    cs_buf_add(&flow->page, cs_view_sub(cs_buf_view(&flow->waiting), from, to - from));
}

/* The open page ends: it goes to the document, with its links. */
static void end_page(struct cs_pdf_flow *flow)
{
    const struct link *links = flow->page_links.items;
    size_t number = flow->pages.count;
    enum cs_code rc = CS_OK;

    if (!flow->open || flow->failed != CS_OK)
        return;
    if (cs_buf_check(&flow->page, &flow->err) != CS_OK)
        rc = flow->page.failed;
    else if (!flow->dry && flow->inserting)
        rc = cs_pdf_doc_page_before(flow->doc, flow->before, cs_buf_view(&flow->page),
                                    &number, &flow->err);
    else if (!flow->dry)
        rc = cs_pdf_doc_page(flow->doc, cs_buf_view(&flow->page), &number, &flow->err);
    for (size_t i = 0; rc == CS_OK && i < flow->page_links.count && !flow->dry; i++) {
        const char *address = flow->addresses.ptr + links[i].address;
        const struct cs_pdf_inner_link inner = {flow->pages.count, links[i].rect,
                                                links[i].address};

        if (address[0] == '#')
            push(flow, &flow->inner, &inner, sizeof(inner));
        else
            rc = cs_pdf_doc_link_uri(flow->doc, number, links[i].rect,
                                     cs_view_cstr(address), &flow->err);
    }
    keep_failure(flow, rc);
    push(flow, &flow->pages, &number, sizeof(number));
    cs_buf_reset(&flow->page);
    flow->page_links.count = 0;
    flow->open = false;
    flow->y = 0;
}

static void remember_place(struct cs_pdf_flow *flow, const struct mark *mark, double top)
{
    struct mark *places;

    while (flow->places.count <= mark->number && flow->failed == CS_OK) {
        const struct mark none = {.known = false};

        push(flow, &flow->places, &none, sizeof(none));
    }
    if (flow->failed != CS_OK)
        return;
    places = flow->places.items;
    places[mark->number] = (struct mark){
        .number = mark->number, .top = top, .page = flow->pages.count, .known = true};
}

static void place_links(struct cs_pdf_flow *flow, size_t from, size_t to, double top)
{
    const struct link *links = flow->links.items;

    for (size_t i = from; i < to; i++) {
        struct link link = links[i];

        link.rect.left += flow->frame->left;
        link.rect.right += flow->frame->left;
        link.rect.bottom += top;
        link.rect.top += top;
        push(flow, &flow->page_links, &link, sizeof(link));
    }
}

/* Moves the origin to the item's top left corner. */
static void begin_at(struct cs_pdf_flow *flow, double top)
{
    cs_buf_add(&flow->page, CS_LIT("q 1 0 0 1 "));
    cs_pdf_number(&flow->page, flow->frame->left);
    cs_pdf_number(&flow->page, top);
    cs_buf_add(&flow->page, CS_LIT("cm\n"));
}

static void place_repeat(struct cs_pdf_flow *flow)
{
    begin_at(flow, page_y(flow, flow->y));
    cs_buf_add(&flow->page, cs_buf_view(&flow->repeat));
    cs_buf_add(&flow->page, CS_LIT("Q\n"));
    flow->y += flow->repeat_height;
    flow->open = true;
}

static void place(struct cs_pdf_flow *flow, size_t index)
{
    const struct item *items = flow->items.items, *item = &items[index];
    size_t links = index > 0 ? items[index - 1].links_end : 0;
    size_t marks = index > 0 ? items[index - 1].marks_end : 0;
    bool gap = flow->open;
    double top;

    if (!flow->open && (item->how & CS_PDF_ROW) != 0 && flow->repeat.len > 0) {
        place_repeat(flow);
        gap = false;
    }
    if (gap)
        flow->y += item->before;
    top = page_y(flow, flow->y);
    begin_at(flow, top);
    if (gap)
        add_part(flow, item->gap, item->ground);
    add_part(flow, item->ground, item->end);
    cs_buf_add(&flow->page, CS_LIT("Q\n"));
    place_links(flow, links, item->links_end, top);
    for (size_t i = marks; i < item->marks_end; i++)
        remember_place(flow, (const struct mark *)flow->marks.items + i, top);
    flow->y += item->height;
    flow->open = true;
}

/* Whether the item's page is full before it. */
static bool overflows(const struct cs_pdf_flow *flow, double height)
{
    return flow->open && flow->y + height > cs_pdf_flow_height(flow) + EPSILON;
}

/* All waiting items, which belong together, find their place. */
static void place_group(struct cs_pdf_flow *flow)
{
    const struct item *items = flow->items.items;
    double height = 0;

    for (size_t i = 0; i < flow->items.count; i++)
        height += items[i].before + items[i].height;
    if (overflows(flow, height) && height <= cs_pdf_flow_height(flow))
        end_page(flow);
    for (size_t i = 0; i < flow->items.count && flow->failed == CS_OK; i++) {
        if (overflows(flow, items[i].before + items[i].height))
            end_page(flow);
        place(flow, i);
    }
    flow->items.count = flow->links.count = flow->marks.count = 0;
    cs_buf_reset(&flow->waiting);
}

void cs_pdf_flow_end(struct cs_pdf_flow *flow, double height, unsigned how)
{
    struct strip *strips = flow->strips.items;
    struct item item = {.gap = flow->waiting.len, .height = height, .how = how};

    item.before = flow->space;
    flow->space = 0;
    if (item.before > 0)
        draw_strips(flow, item.before, item.before, true);
    item.ground = flow->waiting.len;
    draw_strips(flow, 0, height, false);
    for (size_t i = 0; i < flow->strips.count; i++)
        strips[i].begun = true;
    cs_buf_add(&flow->waiting, cs_buf_view(&flow->front));
    item.end = flow->waiting.len;
    item.links_end = flow->links.count;
    item.marks_end = flow->marks.count;
    if (flow->front.failed != CS_OK)
        keep_failure(flow, cs_buf_check(&flow->front, &flow->err));
    if (flow->waiting.failed != CS_OK)
        keep_failure(flow, cs_buf_check(&flow->waiting, &flow->err));
    push(flow, &flow->items, &item, sizeof(item));
    if ((how & CS_PDF_KEEP) == 0 || flow->failed != CS_OK)
        place_group(flow);
}

void cs_pdf_flow_repeat(struct cs_pdf_flow *flow, struct cs_view operators, double height)
{
    if (flow->items.count > 0 && operators.ptr == NULL)
        place_group(flow); /* rows that wait still need the head */
    cs_buf_reset(&flow->repeat);
    cs_buf_add(&flow->repeat, operators);
    flow->repeat_height = height;
    if (flow->repeat.failed != CS_OK)
        keep_failure(flow, cs_buf_check(&flow->repeat, &flow->err));
}

void cs_pdf_flow_break(struct cs_pdf_flow *flow)
{
    if (flow->items.count > 0)
        place_group(flow);
    end_page(flow);
    flow->space = 0;
}

double cs_pdf_flow_left(const struct cs_pdf_flow *flow)
{
    const struct item *items = flow->items.items;
    double used = flow->y;

    for (size_t i = 0; i < flow->items.count; i++)
        used += items[i].before + items[i].height;
    return fmax(0, cs_pdf_flow_height(flow) - used);
}

enum cs_code cs_pdf_flow_finish(struct cs_pdf_flow *flow, struct cs_err *err)
{
    cs_pdf_flow_break(flow);
    if (flow->failed == CS_OK)
        return CS_OK;
    return cs_err_set(err, flow->failed, "%s", flow->err.text);
}

size_t cs_pdf_flow_pages(const struct cs_pdf_flow *flow)
{
    return flow->pages.count;
}

size_t cs_pdf_flow_page(const struct cs_pdf_flow *flow, size_t i)
{
    return ((const size_t *)flow->pages.items)[i];
}

bool cs_pdf_flow_place(const struct cs_pdf_flow *flow, size_t mark,
                       struct cs_pdf_place *out)
{
    const struct mark *places = flow->places.items;

    *out = (struct cs_pdf_place){0};
    if (mark >= flow->places.count || !places[mark].known)
        return false;
    *out = (struct cs_pdf_place){places[mark].page, places[mark].top};
    return true;
}

const struct cs_pdf_inner_link *cs_pdf_flow_inner_links(const struct cs_pdf_flow *flow,
                                                        size_t *count_out)
{
    *count_out = flow->inner.count;
    return flow->inner.items;
}

const char *cs_pdf_flow_address(const struct cs_pdf_flow *flow,
                                const struct cs_pdf_inner_link *link)
{
    return flow->addresses.ptr + link->address;
}

bool cs_pdf_flow_failed(const struct cs_pdf_flow *flow)
{
    return flow->failed != CS_OK;
}
