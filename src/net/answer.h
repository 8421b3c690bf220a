/* net/answer.h: reads one HTTP/1.1 answer (RFC 9112) from its bytes as they come;
 * private to this room. Pure: it neither waits nor receives. */
#ifndef CS_NET_ANSWER_H
#define CS_NET_ANSWER_H

#include "base/buf.h"

enum cs_net_answer_phase {
    CS_NET_ANSWER_HEAD,
    CS_NET_ANSWER_BODY,       /* `left` bytes of it */
    CS_NET_ANSWER_CHUNK_SIZE, /* RFC 9112 section 7.1 */
    CS_NET_ANSWER_CHUNK,
    CS_NET_ANSWER_CHUNK_END,
    CS_NET_ANSWER_TRAILER,
    CS_NET_ANSWER_TO_THE_END, /* of the connection */
    CS_NET_ANSWER_WHOLE
};

struct cs_net_answer {
    struct cs_buf *head; /* borrowed; status line and fields, those of 1xx left out */
    struct cs_buf *body; /* borrowed */
    struct cs_buf line;  /* of chunks: what came of it so far */
    enum cs_net_answer_phase phase;
    int status;
    size_t line_at; /* where in the head the line begins that is being read */
    uint64_t left;  /* of the body, or of the chunk */
    bool foldable;  /* the last line is a field that may go on in the next one */
    bool measured;  /* a Content-Length came */
    bool chunked;
    bool old;        /* HTTP/1.0 */
    bool closing;    /* "Connection: close" came, whatever else that header says */
    bool persistent; /* the connection may serve another request (section 9.3) */
};

/* For a request whose answer may have a body, that is, none by HEAD. End it with
 * cs_net_answer_clear(). */
void cs_net_answer_init(struct cs_net_answer *answer, struct cs_buf *head,
                        struct cs_buf *body);
void cs_net_answer_clear(struct cs_net_answer *answer);

/* Takes the next bytes, at least one. CS_EUPSTREAM for what is no HTTP/1.1,
 * CS_ETOOBIG for a head or a body above its ceiling, CS_ENOMEM. Once the answer is
 * whole, further bytes only make the connection one that is not kept. */
enum cs_code cs_net_answer_take(struct cs_net_answer *answer, struct cs_view bytes,
                                struct cs_err *err) CS_MUST_USE;

/* The connection has ended; whether that makes the answer whole. */
bool cs_net_answer_ends(struct cs_net_answer *answer);

#endif
