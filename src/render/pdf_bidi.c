#include "config.h"

#include "render/pdf_bidi.h"

#include <fribidi.h>
#include <limits.h>
#include <stdlib.h>

bool cs_pdf_bidi_needed(const uint32_t *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t c = text[i];

        if (c >= 0x590 &&
            ((c <= 0x8ff) || c == 0x200f || (c >= 0xfb1d && c <= 0xfdff) ||
             (c >= 0xfe70 && c <= 0xfefe) || (c >= 0x10800 && c <= 0x10fff) ||
             (c >= 0x1e800 && c <= 0x1efff)))
            return true;
    }
    return false;
}

struct work {
    FriBidiCharType *types;
    FriBidiBracketType *brackets;
    FriBidiLevel *levels;
    FriBidiArabicProp *joins;
};

static bool resolve(struct work *work, const uint32_t *text, FriBidiStrIndex count,
                    bool *rtl, uint32_t *shapes_out)
{
    FriBidiParType base = *rtl ? FRIBIDI_PAR_WRTL : FRIBIDI_PAR_WLTR;
    FriBidiFlags flags = FRIBIDI_FLAG_SHAPE_MIRRORING | FRIBIDI_FLAG_SHAPE_ARAB_PRES |
                         FRIBIDI_FLAG_SHAPE_ARAB_LIGA;

    fribidi_get_bidi_types(text, count, work->types);
    fribidi_get_bracket_types(text, count, work->types, work->brackets);
    if (fribidi_get_par_embedding_levels_ex(work->types, work->brackets, count, &base,
                                            work->levels) == 0)
        return false;
    *rtl = FRIBIDI_IS_RTL(base) != 0;
    fribidi_get_joining_types(text, count, work->joins);
    fribidi_join_arabic(work->types, count, work->levels, work->joins);
    memcpy(shapes_out, text, (size_t)count * sizeof(*text));
    fribidi_shape(flags, work->levels, count, work->joins, shapes_out);
    return true;
}

enum cs_code cs_pdf_bidi(const uint32_t *text, size_t count, bool *rtl,
                         uint8_t *levels_out, uint32_t *shapes_out, struct cs_err *err)
{
    struct work work = {
        .types = malloc((count + 1) * sizeof(*work.types)),
        .brackets = malloc((count + 1) * sizeof(*work.brackets)),
        .levels = malloc((count + 1) * sizeof(*work.levels)),
        .joins = malloc((count + 1) * sizeof(*work.joins)),
    };
    bool good = work.types != NULL && work.brackets != NULL && work.levels != NULL &&
                work.joins != NULL && count <= INT_MAX &&
                resolve(&work, text, (FriBidiStrIndex)count, rtl, shapes_out);

    for (size_t i = 0; good && i < count; i++)
        levels_out[i] = (uint8_t)work.levels[i];
    free(work.types);
    free(work.brackets);
    free(work.levels);
    free(work.joins);
    return good ? CS_OK : cs_err_nomem(err);
}

void cs_pdf_bidi_order(const uint8_t *levels, size_t count, size_t *order_out)
{
    unsigned highest = 0, lowest_odd = 256;

    for (size_t i = 0; i < count; i++) {
        order_out[i] = i;
        if (levels[i] > highest)
            highest = levels[i];
        if ((levels[i] & 1u) != 0 && levels[i] < lowest_odd)
            lowest_odd = levels[i];
    }
    for (unsigned level = highest; level >= lowest_odd; level--) {
        for (size_t i = 0; i < count; i++) {
            size_t end = i;

            while (end < count && levels[order_out[end]] >= level)
                end++;
            for (size_t a = i, b = end; b > a + 1; a++, b--) {
                size_t swap = order_out[a];

                order_out[a] = order_out[b - 1];
                order_out[b - 1] = swap;
            }
            if (end > i)
                i = end;
        }
    }
}
