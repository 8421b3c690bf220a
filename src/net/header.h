/* net/header.h: one header field, as clients send it and signers sign it. */
#ifndef CS_NET_HEADER_H
#define CS_NET_HEADER_H

#include "base/view.h"

struct cs_net_header { /* borrowed views */
    struct cs_view name;
    struct cs_view value;
};

/* Whether it can be sent: a name, and no line break or NUL in either. */
static inline bool cs_net_header_is_plain(const struct cs_net_header *header)
{
    static const char refused[] = "\r\n"; /* and the NUL behind them */

    for (size_t i = 0; i < sizeof(refused); i++)
        if (cs_view_find_byte(header->name, refused[i]) != SIZE_MAX ||
            cs_view_find_byte(header->value, refused[i]) != SIZE_MAX)
            return false;
    return header->name.len > 0;
}

/* Begins with a space or tab. */
static inline bool cs_net_header_starts_blank(struct cs_view line)
{
    return line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
}

/* A line that does, at `at` in the head, goes on with the field before it: what ended
 * that one's line becomes spaces (RFC 9112 section 5.2). */
static inline void cs_net_header_unfold(char *head, size_t at)
{
    while (at > 0 && (head[at - 1] == '\n' || head[at - 1] == '\r'))
        head[--at] = ' ';
}

#endif
