#include "config.h"

#include "render/pdf_ops.h"

#include <math.h>

#define NUMBER_MAX 30000.0

void cs_pdf_number(struct cs_buf *out, double value)
{
    char text[16];
    size_t at = sizeof(text);
    unsigned long hundredths;
    bool negative, digits = false;

    if (!isfinite(value) || fabs(value) > NUMBER_MAX)
        value = 0;
    negative = value < 0;
    hundredths = (unsigned long)(fabs(value) * 100 + 0.5);
    if (hundredths == 0)
        negative = false;
    text[--at] = ' ';
    for (int place = 0; place < 2; place++) {
        digits = digits || hundredths % 10 != 0;
        if (digits)
            text[--at] = (char)('0' + hundredths % 10);
        hundredths /= 10;
    }
    if (digits)
        text[--at] = '.';
    if (hundredths == 0 && !digits)
        text[--at] = '0';
    for (; hundredths != 0; hundredths /= 10)
        text[--at] = (char)('0' + hundredths % 10);
    if (negative)
        text[--at] = '-';
    cs_buf_add(out, cs_view_of(text + at, sizeof(text) - at));
}

/* A colour channel with three decimals: two would not give 256 values. */
static void channel(struct cs_buf *out, uint8_t value)
{
    unsigned thousandths = (value * 1000u + 127u) / 255u;
    const char text[5] = {'.', (char)('0' + thousandths / 100 % 10),
                          (char)('0' + thousandths / 10 % 10),
                          (char)('0' + thousandths % 10), ' '};

    if (thousandths == 1000)
        cs_buf_add(out, CS_LIT("1 "));
    else
        cs_buf_add(out, cs_view_of(text, sizeof(text)));
}

void cs_pdf_fill_colour(struct cs_buf *out, struct cs_colour colour)
{
    channel(out, colour.red);
    channel(out, colour.green);
    channel(out, colour.blue);
    cs_buf_add(out, CS_LIT("rg\n"));
}

void cs_pdf_line_colour(struct cs_buf *out, struct cs_colour colour)
{
    channel(out, colour.red);
    channel(out, colour.green);
    channel(out, colour.blue);
    cs_buf_add(out, CS_LIT("RG\n"));
}

void cs_pdf_box(struct cs_buf *out, double x, double y, double width, double height)
{
    cs_pdf_number(out, x);
    cs_pdf_number(out, y);
    cs_pdf_number(out, width);
    cs_pdf_number(out, height);
    cs_buf_add(out, CS_LIT("re f\n"));
}

static void point(struct cs_buf *out, double x, double y)
{
    cs_pdf_number(out, x);
    cs_pdf_number(out, y);
}

void cs_pdf_round_box(struct cs_buf *out, struct cs_colour colour, double x, double y,
                      double width, double height, double radius)
{
    double r = fmin(radius, fmin(width, height) / 2);

    cs_pdf_fill_colour(out, colour);
    if (r <= 0.05) {
        cs_pdf_box(out, x, y, width, height);
        return;
    }
    cs_pdf_line_colour(out, colour);
    cs_buf_add(out, CS_LIT("1 j "));
    cs_pdf_number(out, 2 * r);
    cs_buf_add(out, CS_LIT("w "));
    cs_pdf_number(out, x + r);
    cs_pdf_number(out, y + r);
    cs_pdf_number(out, fmax(width - 2 * r, 0.01));
    cs_pdf_number(out, fmax(height - 2 * r, 0.01));
    cs_buf_add(out, CS_LIT("re B\n"));
}

void cs_pdf_disc(struct cs_buf *out, struct cs_colour colour, double x, double y,
                 double radius)
{
    cs_pdf_line_colour(out, colour);
    cs_buf_add(out, CS_LIT("1 J "));
    cs_pdf_stroke_line(out, x, y, x, y, 2 * radius);
    cs_buf_add(out, CS_LIT("0 J\n"));
}

void cs_pdf_stroke_line(struct cs_buf *out, double x1, double y1, double x2, double y2,
                        double thickness)
{
    cs_pdf_number(out, thickness);
    cs_buf_add(out, CS_LIT("w "));
    point(out, x1, y1);
    cs_buf_add(out, CS_LIT("m "));
    point(out, x2, y2);
    cs_buf_add(out, CS_LIT("l S\n"));
}

static char *code_byte(char *to, unsigned byte)
{
    switch (byte) {
    case '(':
    case ')':
    case '\\':
        *to++ = '\\';
        break;
    case '\r':
        *to++ = '\\';
        byte = 'r';
        break;
    case '\n':
        *to++ = '\\';
        byte = 'n';
        break;
    default:
        break;
    }
    *to++ = (char)(unsigned char)byte;
    return to;
}

char *cs_pdf_code(char *to, unsigned code)
{
    return code_byte(code_byte(to, code >> 8 & 0xffu), code & 0xffu);
}
