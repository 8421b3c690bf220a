/* render/pdf_vector.h: a growing array of plain values. */
#ifndef CS_RENDER_PDF_VECTOR_H
#define CS_RENDER_PDF_VECTOR_H

#include <stdlib.h>

#include "base/view.h"

struct cs_pdf_vector {
    void *items; /* free() it */
    size_t count, capacity;
};

/* Makes room for `more` further items of the size; false when out of memory. */
static inline bool cs_pdf_vector_room(struct cs_pdf_vector *vector, size_t more,
                                      size_t size)
{
    size_t capacity = vector->capacity < 32 ? 32 : vector->capacity;
    void *items;

    if (more <= vector->capacity - vector->count)
        return true;
    while (capacity - vector->count < more) {
        if (capacity > SIZE_MAX / 2 / size)
            return false;
        capacity *= 2;
    }
    if ((items = realloc(vector->items, capacity * size)) == NULL)
        return false;
    vector->items = items;
    vector->capacity = capacity;
    return true;
}

/* Appends a copy of the item. */
static inline bool cs_pdf_vector_add(struct cs_pdf_vector *vector, const void *item,
                                     size_t size)
{
    if (!cs_pdf_vector_room(vector, 1, size))
        return false;
    memcpy((char *)vector->items + vector->count * size, item, size);
    vector->count++;
    return true;
}

#endif
