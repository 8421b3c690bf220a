#include "config.h"

#include "render/pdf_cff.h"

#include "render/pdf_bytes.h"

#define STACK_MAX   513u /* numbers, as CFF2 allows; CFF allows 48 */
#define CALLS_MAX   10u  /* nested calls of subroutines */
#define GLYPH_MAX   65535u
#define PRIVATE_MAX 65535u
#define FONTS_MAX   256u /* of a CID-keyed font: numbers of one byte */

enum { /* operators of dictionaries; those of two bytes are 0x0c00 and the second */
       OP_PRIVATE = 18,
       OP_SUBRS = 19,
       OP_CHARSTRINGS = 17,
       OP_CHARSET = 15,
       OP_FONT_MATRIX = 0x0c07,
       OP_ROS = 0x0c1e,
       OP_CID_COUNT = 0x0c22,
       OP_FD_ARRAY = 0x0c24,
       OP_FD_SELECT = 0x0c25
};

enum { /* operators of charstrings */
       CODE_HSTEM = 1,
       CODE_VSTEM = 3,
       CODE_VMOVETO = 4,
       CODE_RRCURVETO = 8,
       CODE_CALLSUBR = 10,
       CODE_RETURN = 11,
       CODE_ESCAPE = 12,
       CODE_ENDCHAR = 14,
       CODE_HSTEMHM = 18,
       CODE_HINTMASK = 19,
       CODE_CNTRMASK = 20,
       CODE_RMOVETO = 21,
       CODE_HMOVETO = 22,
       CODE_VSTEMHM = 23,
       CODE_RCURVELINE = 24,
       CODE_HHCURVETO = 27,
       CODE_SHORTINT = 28,
       CODE_CALLGSUBR = 29,
       CODE_VHCURVETO = 30,
       CODE_HVCURVETO = 31,
       ESCAPE_HFLEX = 34,
       ESCAPE_FLEX1 = 37
};

static unsigned byte_at(struct cs_view view, size_t at)
{
    return at < view.len ? (unsigned char)view.ptr[at] : 0;
}

/* ---- INDEX: an array of byte runs ------------------------------------------------- */

struct index {
    struct cs_view offsets, data; /* data begins with the byte before the first run */
    size_t count;
    unsigned size; /* bytes of an offset */
    size_t end;    /* of the whole, in the table; 0 for a broken one */
};

static size_t offset_at(const struct index *index, size_t i)
{
    size_t value = 0;

    for (unsigned k = 0; k < index->size; k++)
        value = value << 8 | byte_at(index->offsets, i * index->size + k);
    return value;
}

static struct index read_index(struct cs_view table, size_t at)
{
    struct index index = {.count = cs_be16(table, at), .size = byte_at(table, at + 2)};
    size_t offsets = (index.count + 1) * index.size;

    if (at > table.len || table.len - at < 2)
        return (struct index){.count = 0};
    if (index.count == 0) {
        index.end = at + 2;
        return index;
    }
    if (index.size < 1 || index.size > 4 || offsets > table.len - at ||
        table.len - at - offsets < 3)
        return (struct index){.count = 0};
    index.offsets = cs_view_sub(table, at + 3, offsets);
    index.data = cs_view_from(table, at + 3 + offsets - 1);
    index.end = at + 3 + offsets - 1 + offset_at(&index, index.count);
    return index.end <= table.len ? index : (struct index){.count = 0};
}

static struct cs_view index_run(const struct index *index, size_t i)
{
    size_t from, to;

    if (i >= index->count)
        return cs_view_of(NULL, 0);
    from = offset_at(index, i);
    to = offset_at(index, i + 1);
    if (from < 1 || to < from || to > index->data.len)
        return cs_view_of(NULL, 0);
    return cs_view_sub(index->data, from, to - from);
}

/* ---- DICT: operands and operators ---------------------------------------------------
 */

static size_t operand_size(struct cs_view dict, size_t at)
{
    unsigned first = byte_at(dict, at);
    size_t size = 1;

    if (first == 28)
        return 3;
    if (first == 29)
        return 5;
    if (first != 30)
        return first >= 247 && first <= 254 ? 2 : 1;
    while (at + size < dict.len && (byte_at(dict, at + size) & 0x0fu) != 0x0fu &&
           byte_at(dict, at + size) >> 4 != 0x0fu)
        size++;
    return size + 1;
}

/* The next operator of a dictionary with the bytes of its operands. */
struct entry {
    unsigned op_code;
    struct cs_view operands;
    struct cs_view whole; /* operands and operator */
};

static bool next_entry(struct cs_view *rest, struct entry *entry)
{
    size_t at = 0, end;

    while (at < rest->len && byte_at(*rest, at) > 21)
        at += operand_size(*rest, at);
    if (at >= rest->len)
        return false;
    entry->op_code = byte_at(*rest, at);
    end = at + 1;
    if (entry->op_code == CODE_ESCAPE) {
        entry->op_code = 0x0c00u | byte_at(*rest, end);
        end++;
    }
    if (end > rest->len)
        return false;
    entry->operands = cs_view_sub(*rest, 0, at);
    entry->whole = cs_view_sub(*rest, 0, end);
    *rest = cs_view_from(*rest, end);
    return true;
}

static bool find_entry(struct cs_view dict, unsigned op_code, struct entry *entry)
{
    while (next_entry(&dict, entry))
        if (entry->op_code == op_code)
            return true;
    return false;
}

/* The n-th operand, an integer that is not negative; 0 for any other. */
static size_t operand(struct cs_view operands, size_t n)
{
    size_t at = 0;
    unsigned first;
    int64_t value = 0;

    while (n-- > 0 && at < operands.len)
        at += operand_size(operands, at);
    first = byte_at(operands, at);
    if (first == 28)
        value = cs_be16s(operands, at + 1);
    else if (first == 29)
        value = (int32_t)cs_be32(operands, at + 1);
    else if (first >= 32 && first <= 246)
        value = (int64_t)first - 139;
    else if (first >= 247 && first <= 250)
        value = ((int64_t)first - 247) * 256 + byte_at(operands, at + 1) + 108;
    return value > 0 ? (size_t)value : 0;
}

static size_t number_in(struct cs_view dict, unsigned op_code)
{
    struct entry entry;

    return find_entry(dict, op_code, &entry) ? operand(entry.operands, 0) : 0;
}

/* ---- the font -----------------------------------------------------------------------
 */

struct cff {
    struct cs_view table;
    struct cs_view top; /* its dictionary */
    struct index global, charstrings, fonts;
    struct cs_view select; /* FDSelect; empty when there is one font */
};

static bool read_font(struct cff *cff, struct cs_view table)
{
    struct index names = read_index(table, byte_at(table, 2)), tops, strings;
    size_t fonts, select;

    *cff = (struct cff){.table = table};
    if (byte_at(table, 0) != 1 || names.end == 0)
        return false;
    tops = read_index(table, names.end);
    strings = read_index(table, tops.end);
    if (tops.end == 0 || strings.end == 0)
        return false;
    cff->top = index_run(&tops, 0);
    cff->global = read_index(table, strings.end);
    cff->charstrings = read_index(table, number_in(cff->top, OP_CHARSTRINGS));
    if (cff->global.end == 0 || cff->charstrings.count == 0)
        return false;
    fonts = number_in(cff->top, OP_FD_ARRAY);
    select = number_in(cff->top, OP_FD_SELECT);
    if (fonts == 0)
        return true;
    cff->fonts = read_index(table, fonts);
    cff->select = select < table.len ? cs_view_from(table, select) : cs_view_of(NULL, 0);
    return cff->fonts.count > 0 && cff->fonts.count <= FONTS_MAX;
}

enum cs_code cs_pdf_cff_check(struct cs_view table, struct cs_err *err)
{
    struct cff cff;

    if (!read_font(&cff, table))
        return cs_err_set(err, CS_EINVAL, "the font's PostScript outlines can't be read");
    return CS_OK;
}

/* The font of the array that a glyph belongs to. */
static unsigned font_of(const struct cff *cff, unsigned glyph)
{
    unsigned format = byte_at(cff->select, 0), found = 0;

    if (format == 0 && cff->select.len > 0) {
        found = byte_at(cff->select, 1 + (size_t)glyph);
    } else if (format == 3) {
        size_t low = 0, high = cs_be16(cff->select, 1);

        while (high - low > 1) { /* the last range that does not begin behind it */
            size_t middle = low + (high - low) / 2;

            if (cs_be16(cff->select, 3 + 3 * middle) <= glyph)
                low = middle;
            else
                high = middle;
        }
        found = byte_at(cff->select, 3 + 3 * low + 2);
    }
    return found < cff->fonts.count ? found : 0;
}

static struct cs_view font_dict(const struct cff *cff, size_t font)
{
    return cff->fonts.count > 0 ? index_run(&cff->fonts, font) : cff->top;
}

/* The private dictionary of a font and where it is, as its subroutines count from it. */
static struct cs_view private_of(const struct cff *cff, size_t font, size_t *at_out)
{
    struct entry entry;

    *at_out = 0;
    if (!find_entry(font_dict(cff, font), OP_PRIVATE, &entry))
        return cs_view_of(NULL, 0);
    *at_out = operand(entry.operands, 1);
    if (*at_out > cff->table.len || operand(entry.operands, 0) > PRIVATE_MAX)
        return cs_view_of(NULL, 0);
    return cs_view_sub(cff->table, *at_out, operand(entry.operands, 0));
}

static struct index local_of(const struct cff *cff, size_t font)
{
    size_t at, subrs;
    struct cs_view dict = private_of(cff, font, &at);

    subrs = number_in(dict, OP_SUBRS);
    if (subrs == 0)
        return (struct index){.count = 0};
    return read_index(cff->table, at + subrs);
}

/* ---- charstrings --------------------------------------------------------------------
 */

/* A number on the stack: where its bytes are in the output. */
struct number {
    size_t from, to;
    int32_t value;
};

/* The writing of one charstring. */
struct flat {
    const struct cff *cff;
    const struct index *local;
    struct cs_buf *out;
    size_t limit; /* of the output: calls of calls could make it huge */
    struct number stack[STACK_MAX];
    size_t depth;
    size_t stems;
    bool ended;
};

static size_t number_size(unsigned first)
{
    if (first == CODE_SHORTINT)
        return 3;
    if (first == 255)
        return 5;
    return first >= 247 ? 2 : 1;
}

static int32_t number_value(struct cs_view code, size_t at)
{
    int32_t first = (int32_t)byte_at(code, at), second = (int32_t)byte_at(code, at + 1);

    if (first == CODE_SHORTINT)
        return cs_be16s(code, at + 1);
    if (first == 255)
        return cs_be16s(code, at + 1); /* the integral half */
    if (first >= 251)
        return -(first - 251) * 256 - second - 108;
    if (first >= 247)
        return (first - 247) * 256 + second + 108;
    return first - 139;
}

static bool push(struct flat *flat, struct cs_view code, size_t at, size_t size)
{
    if (flat->depth == STACK_MAX || at + size > code.len)
        return false;
    flat->stack[flat->depth++] =
        (struct number){flat->out->len, flat->out->len + size, number_value(code, at)};
    cs_buf_add(flat->out, cs_view_sub(code, at, size));
    return true;
}

/* The subroutine that the number on top of the stack means; the number goes. */
static bool called(struct flat *flat, const struct index *subrs, struct cs_view *code_out)
{
    int64_t bias = subrs->count < 1240 ? 107 : subrs->count < 33900 ? 1131 : 32768;
    const struct number *top;
    int64_t number;

    if (flat->depth == 0)
        return false;
    top = &flat->stack[--flat->depth];
    number = top->value + bias;
    if (top->to != flat->out->len || number < 0 || (size_t)number >= subrs->count)
        return false;
    cs_buf_truncate(flat->out, top->from);
    *code_out = index_run(subrs, (size_t)number);
    return true;
}

/* An operator that leaves the stack empty, with what follows it; gives its length, 0
 * for one that has no place here. */
static size_t drawing(struct flat *flat, struct cs_view code, size_t at)
{
    unsigned op = byte_at(code, at), second = byte_at(code, at + 1);
    size_t size = 1;

    if (op == CODE_HSTEM || op == CODE_VSTEM || op == CODE_HSTEMHM ||
        op == CODE_VSTEMHM) {
        flat->stems += flat->depth / 2;
    } else if (op == CODE_HINTMASK || op == CODE_CNTRMASK) {
        flat->stems += flat->depth / 2;
        size += (flat->stems + 7) / 8;
    } else if (op == CODE_ESCAPE && second >= ESCAPE_HFLEX && second <= ESCAPE_FLEX1) {
        size = 2;
    } else if (op == CODE_ENDCHAR) {
        if (flat->depth >= 4)
            return 0; /* an accented letter by the numbers of its parts */
        flat->ended = true;
    } else if (!((op >= CODE_VMOVETO && op <= CODE_RRCURVETO) || op == CODE_RMOVETO ||
                 op == CODE_HMOVETO || (op >= CODE_RCURVELINE && op <= CODE_HHCURVETO) ||
                 op == CODE_VHCURVETO || op == CODE_HVCURVETO)) {
        return 0; /* arithmetic, which fonts do not use, or nothing known */
    }
    if (at + size > code.len)
        return 0;
    cs_buf_add(flat->out, cs_view_sub(code, at, size));
    flat->depth = 0;
    return size;
}

/* Writes code without its calls; false for what can't be. */
static bool flatten(struct flat *flat, struct cs_view code, unsigned calls)
{
    for (size_t at = 0, size; at < code.len && !flat->ended; at += size) {
        unsigned op = byte_at(code, at);

        if (flat->out->len > flat->limit || flat->out->failed != CS_OK)
            return false;
        size = 1;
        if (op >= 32 || op == CODE_SHORTINT) {
            size = number_size(op);
            if (!push(flat, code, at, size))
                return false;
        } else if (op == CODE_CALLSUBR || op == CODE_CALLGSUBR) {
            struct cs_view inner;

            if (calls == CALLS_MAX ||
                !called(flat, op == CODE_CALLSUBR ? flat->local : &flat->cff->global,
                        &inner) ||
                !flatten(flat, inner, calls + 1))
                return false;
        } else if (op == CODE_RETURN) {
            return true;
        } else if ((size = drawing(flat, code, at)) == 0) {
            return false;
        }
    }
    return true;
}

static void add_charstring(const struct cff *cff, const struct index *local,
                           unsigned glyph, struct cs_buf *out)
{
    struct flat flat = {.cff = cff, .local = local, .out = out};
    size_t start = out->len;

    flat.limit = start + GLYPH_MAX;
    if (!flatten(&flat, index_run(&cff->charstrings, glyph), 0)) {
        cs_buf_truncate(out, start);
        flat.ended = false;
    }
    if (!flat.ended)
        cs_buf_add_byte(out, CODE_ENDCHAR);
}

/* ---- writing ------------------------------------------------------------------------
 */

static void add_integer(struct cs_buf *out, size_t value)
{
    cs_buf_add_byte(out, 29);
    cs_be32_add(out, (uint32_t)value);
}

static void add_operator(struct cs_buf *out, unsigned op_code)
{
    if (op_code > 0xff)
        cs_buf_add_byte(out, CODE_ESCAPE);
    cs_buf_add_byte(out, (char)(unsigned char)(op_code & 0xffu));
}

static void copy_entry(struct cs_buf *out, struct cs_view dict, unsigned op_code)
{
    struct entry entry;

    if (find_entry(dict, op_code, &entry))
        cs_buf_add(out, entry.whole);
}

/* An index of runs that stand in `data`, by where each begins. */
static void add_index(struct cs_buf *out, const uint32_t *starts, size_t count,
                      struct cs_view data)
{
    cs_be16_add(out, (unsigned)count);
    cs_buf_add_byte(out, 4);
    for (size_t i = 0; i < count; i++)
        cs_be32_add(out, starts[i] + 1);
    cs_be32_add(out, (uint32_t)data.len + 1);
    cs_buf_add(out, data);
}

/* The parts whose places the top dictionary tells; all offsets are from the start. */
struct places {
    size_t charset, select, charstrings, fonts;
};

static void add_top(const struct cff *cff, size_t count, const struct places *places,
                    struct cs_buf *out)
{
    add_integer(out, 391); /* the first two strings of our own: Adobe, Identity */
    add_integer(out, 392);
    add_integer(out, 0);
    add_operator(out, OP_ROS);
    copy_entry(out, cff->top, OP_FONT_MATRIX);
    add_integer(out, count);
    add_operator(out, OP_CID_COUNT);
    add_integer(out, places->charset);
    add_operator(out, OP_CHARSET);
    add_integer(out, places->charstrings);
    add_operator(out, OP_CHARSTRINGS);
    add_integer(out, places->fonts);
    add_operator(out, OP_FD_ARRAY);
    add_integer(out, places->select);
    add_operator(out, OP_FD_SELECT);
}

/* What is before the charset: its length does not depend on the places. */
static void add_front(const struct cff *cff, const char *name, size_t count,
                      const struct places *places, struct cs_buf *out)
{
    static const uint32_t first = 0, strings[] = {0, 5};
    struct cs_buf top = CS_BUF_INIT(1u << 16);

    cs_buf_add(out, CS_LIT("\1\0\4\4"));
    add_index(out, &first, 1, cs_view_cstr(name));
    add_top(cff, count, places, &top);
    add_index(out, &first, 1, cs_buf_view(&top));
    add_index(out, strings, 2, CS_LIT("AdobeIdentity"));
    cs_be16_add(out, 0); /* no global subroutines */
    if (top.failed != CS_OK)
        out->failed = top.failed;
    cs_buf_clear(&top);
}

/* The array of fonts and their private dictionaries, without subroutines. `at` is where
 * the array begins. */
static void add_fonts(const struct cff *cff, size_t at, struct cs_buf *out)
{
    size_t count = cff->fonts.count > 0 ? cff->fonts.count : 1, end;
    struct cs_buf privates = CS_BUF_INIT(1u << 24), dicts = CS_BUF_INIT(1u << 24);
    uint32_t starts[FONTS_MAX];

    /* The length of the dictionaries first: the private ones come behind them. */
    for (size_t round = 0; round < 2; round++) {
        end = at + 3 + 4 * (count + 1) + dicts.len;
        cs_buf_reset(&dicts);
        cs_buf_reset(&privates);
        for (size_t i = 0; i < count; i++) {
            size_t place, start = privates.len;
            struct cs_view rest = private_of(cff, i, &place);
            struct entry entry;

            while (next_entry(&rest, &entry))
                if (entry.op_code != OP_SUBRS)
                    cs_buf_add(&privates, entry.whole);
            starts[i] = (uint32_t)dicts.len;
            if (cff->fonts.count > 0)
                copy_entry(&dicts, font_dict(cff, i), OP_FONT_MATRIX);
            add_integer(&dicts, privates.len - start);
            add_integer(&dicts, end + start);
            add_operator(&dicts, OP_PRIVATE);
        }
    }
    add_index(out, starts, count, cs_buf_view(&dicts));
    cs_buf_add(out, cs_buf_view(&privates));
    if (privates.failed != CS_OK || dicts.failed != CS_OK)
        out->failed = privates.failed != CS_OK ? privates.failed : dicts.failed;
    cs_buf_clear(&privates);
    cs_buf_clear(&dicts);
}

static void add_charstrings(const struct cff *cff, const uint16_t *glyphs, size_t count,
                            struct cs_buf *out)
{
    struct cs_buf data = CS_BUF_INIT(out->max), starts = CS_BUF_INIT(out->max);
    struct index local = {.count = 0};
    size_t local_font = SIZE_MAX;

    for (size_t i = 0; i < count; i++) {
        size_t font = font_of(cff, glyphs[i]);
        uint32_t start = (uint32_t)data.len;

        if (font != local_font)
            local = local_of(cff, font);
        local_font = font;
        cs_buf_add(&starts, cs_view_of(&start, sizeof(start)));
        add_charstring(cff, &local, glyphs[i], &data);
    }
    if (starts.failed != CS_OK || data.failed != CS_OK)
        out->failed = starts.failed != CS_OK ? starts.failed : data.failed;
    else
        add_index(out, (const uint32_t *)(const void *)starts.ptr, count,
                  cs_buf_view(&data));
    cs_buf_clear(&data);
    cs_buf_clear(&starts);
}

void cs_pdf_cff_subset(struct cs_view table, const char *name, const uint16_t *glyphs,
                       size_t count, struct cs_buf *out)
{
    struct cs_buf front = CS_BUF_INIT(1u << 16), body = CS_BUF_INIT(out->max);
    struct places places = {0};
    struct cff cff;

    if (!read_font(&cff, table)) {
        out->failed = CS_EINVAL; /* it was checked when it was opened */
        return;
    }
    add_front(&cff, name, count, &places, &front);
    places.charset = front.len;
    cs_buf_add_byte(&body, 2); /* one range: CIDs are numbers of glyphs */
    cs_be16_add(&body, 1);
    cs_be16_add(&body, count > 1 ? (unsigned)count - 2 : 0);
    places.select = front.len + body.len;
    cs_buf_add_byte(&body, 0);
    for (size_t i = 0; i < count; i++)
        cs_buf_add_byte(&body, (char)(unsigned char)font_of(&cff, glyphs[i]));
    places.charstrings = front.len + body.len;
    add_charstrings(&cff, glyphs, count, &body);
    places.fonts = front.len + body.len;
    add_fonts(&cff, places.fonts, &body);
    add_front(&cff, name, count, &places, out);
    cs_buf_add(out, cs_buf_view(&body));
    if (front.failed != CS_OK || body.failed != CS_OK)
        out->failed = front.failed != CS_OK ? front.failed : body.failed;
    cs_buf_clear(&front);
    cs_buf_clear(&body);
}
