#include "config.h"

#include "net/answer.h"

#include "net/header.h"

#define LINE_MAX_BYTES 4096u /* of the lines between chunks */

void cs_net_answer_init(struct cs_net_answer *answer, struct cs_buf *head,
                        struct cs_buf *body)
{
    *answer = (struct cs_net_answer){.head = head, .body = body};
    cs_buf_init(&answer->line, LINE_MAX_BYTES);
}

void cs_net_answer_clear(struct cs_net_answer *answer)
{
    cs_buf_clear(&answer->line);
}

static enum cs_code strange(struct cs_err *err, const char *what)
{
    return cs_err_set(err, CS_EUPSTREAM, "not an HTTP answer: %s", what);
}

/* Moves bytes to `out`, up to the end of a line. */
static enum cs_code take_line(struct cs_buf *out, struct cs_view *bytes, bool *ended_out,
                              struct cs_err *err)
{
    size_t newline = cs_view_find_byte(*bytes, '\n');
    struct cs_view piece =
        cs_view_sub(*bytes, 0, newline == SIZE_MAX ? SIZE_MAX : newline + 1);

    cs_buf_add(out, piece);
    *bytes = cs_view_from(*bytes, piece.len);
    *ended_out = newline != SIZE_MAX;
    return cs_buf_check(out, err);
}

/* ---- the head ---- */

/* "HTTP/1.1 200 OK" */
static enum cs_code read_status(struct cs_net_answer *answer, struct cs_view line,
                                struct cs_err *err)
{
    struct cs_view version = cs_view_sub(line, 0, 8);
    struct cs_view digits = cs_view_sub(line, 9, 3);
    uint64_t status;

    if (!cs_view_starts(version, CS_LIT("HTTP/1.")) || line.len < 12 ||
        version.ptr[7] < '0' || version.ptr[7] > '9' || line.ptr[8] != ' ' ||
        (line.len > 12 && line.ptr[12] != ' ') || !cs_view_to_u64(digits, &status) ||
        status < 100)
        return strange(err, "its status line");
    if (status == 101)
        return strange(err, "a change of protocol that was not asked for");
    answer->status = (int)status;
    answer->old = version.ptr[7] == '0';
    answer->persistent = !answer->old;
    answer->measured = answer->chunked = answer->closing = answer->foldable = false;
    return CS_OK;
}

/* No space in it, nor between it and its colon: RFC 9112 section 5.1. */
static bool is_name(struct cs_view name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= ' ' || name.ptr[i] == 0x7f)
            return false;
    return name.len > 0;
}

static bool has_token(struct cs_view list, struct cs_view wanted)
{
    struct cs_view token;

    while (cs_view_split(&list, ',', &token))
        if (cs_view_eq_nocase(cs_view_trim(token), wanted))
            return true;
    return false;
}

static enum cs_code read_field(struct cs_net_answer *answer, struct cs_view line,
                               struct cs_err *err)
{
    size_t colon = cs_view_find_byte(line, ':');
    struct cs_view name = cs_view_sub(line, 0, colon);
    struct cs_view value = cs_view_trim(cs_view_from(line, colon + 1));
    uint64_t length;

    if (colon == SIZE_MAX || !is_name(name))
        return strange(err, "a header without a name");
    answer->foldable = false; /* what says where the answer ends says it in one line */
    if (cs_view_eq_nocase(name, CS_LIT("content-length"))) {
        if (!cs_view_to_u64(value, &length) ||
            (answer->measured && length != answer->left))
            return strange(err, "its Content-Length");
        answer->measured = true;
        answer->left = length;
    } else if (cs_view_eq_nocase(name, CS_LIT("transfer-encoding"))) {
        if (answer->chunked || !cs_view_eq_nocase(value, CS_LIT("chunked")))
            return strange(err, "a Transfer-Encoding that was not asked for");
        answer->chunked = true;
    } else if (cs_view_eq_nocase(name, CS_LIT("connection"))) {
        answer->closing = answer->closing || has_token(value, CS_LIT("close"));
        answer->persistent = !answer->closing && (answer->persistent ||
                                                  has_token(value, CS_LIT("keep-alive")));
    } else {
        answer->foldable = true;
    }
    return CS_OK;
}

/* RFC 9112 section 6.3: how long the body is. */
static void end_head(struct cs_net_answer *answer)
{
    if (answer->status / 100 == 1) { /* the answer itself is still to come */
        cs_buf_reset(answer->head);
        answer->status = 0;
    } else if (answer->status == 204 || answer->status == 304) {
        answer->phase = CS_NET_ANSWER_WHOLE;
    } else if (answer->chunked) {
        /* Both lengths at once are how requests get smuggled, and HTTP/1.0 knows no
         * chunks: such a connection ends (section 6.1). */
        answer->persistent = answer->persistent && !answer->measured && !answer->old;
        answer->phase = CS_NET_ANSWER_CHUNK_SIZE;
    } else if (answer->measured) {
        answer->phase = answer->left > 0 ? CS_NET_ANSWER_BODY : CS_NET_ANSWER_WHOLE;
    } else {
        answer->persistent = false;
        answer->phase = CS_NET_ANSWER_TO_THE_END;
    }
}

static enum cs_code unfold(struct cs_net_answer *answer, size_t line_at,
                           struct cs_err *err)
{
    if (!answer->foldable)
        return strange(err, "a line that goes on where none may");
    cs_net_header_unfold(answer->head->ptr, line_at);
    return CS_OK;
}

static enum cs_code take_head(struct cs_net_answer *answer, struct cs_view *bytes,
                              struct cs_err *err)
{
    struct cs_view line;
    size_t line_at = answer->line_at;
    bool ended;
    enum cs_code rc = take_line(answer->head, bytes, &ended, err);

    if (rc != CS_OK || !ended)
        return rc;
    line = cs_view_from(cs_buf_view(answer->head), line_at);
    line = cs_view_sub(line, 0, line.len - 1);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    answer->line_at = answer->head->len;
    /* Either would be another line's end, or a text's, to some (section 2.2). */
    if (cs_view_find_byte(line, '\r') != SIZE_MAX ||
        cs_view_find_byte(line, '\0') != SIZE_MAX)
        return strange(err, "CR or NUL within a line of its head");
    if (answer->status == 0)
        return read_status(answer, line, err);
    if (cs_net_header_starts_blank(line))
        return unfold(answer, line_at, err);
    if (line.len > 0)
        return read_field(answer, line, err);
    end_head(answer);
    answer->line_at = answer->head->len;
    return CS_OK;
}

/* ---- the body ---- */

static enum cs_code take_body(struct cs_net_answer *answer, struct cs_view *bytes,
                              enum cs_net_answer_phase next, struct cs_err *err)
{
    struct cs_view piece = cs_view_sub(
        *bytes, 0, answer->left < bytes->len ? (size_t)answer->left : bytes->len);
    enum cs_code rc;

    cs_buf_add(answer->body, piece);
    *bytes = cs_view_from(*bytes, piece.len);
    answer->left -= piece.len;
    if ((rc = cs_buf_check(answer->body, err)) == CS_OK && answer->left == 0)
        answer->phase = next;
    return rc;
}

static enum cs_code take_rest(struct cs_net_answer *answer, struct cs_view *bytes,
                              struct cs_err *err)
{
    cs_buf_add(answer->body, *bytes);
    *bytes = cs_view_from(*bytes, bytes->len);
    return cs_buf_check(answer->body, err);
}

/* "1a2b;extensions" */
static enum cs_code read_chunk_size(struct cs_net_answer *answer, struct cs_view line,
                                    struct cs_err *err)
{
    struct cs_view behind;
    size_t count = 0;

    answer->left = 0;
    for (; count < line.len; count++) {
        char c = line.ptr[count];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            break;
        if (answer->left > UINT64_MAX >> 4)
            return strange(err, "the size of a chunk");
        answer->left = answer->left << 4 | (uint64_t)digit;
    }
    behind = cs_view_from(line, count);
    while (cs_net_header_starts_blank(behind))
        behind = cs_view_from(behind, 1);
    if (count == 0 || (behind.len > 0 && behind.ptr[0] != ';'))
        return strange(err, "the size of a chunk");
    answer->phase = answer->left > 0 ? CS_NET_ANSWER_CHUNK : CS_NET_ANSWER_TRAILER;
    return CS_OK;
}

static enum cs_code read_chunk_line(struct cs_net_answer *answer, struct cs_view line,
                                    struct cs_err *err)
{
    if (answer->phase == CS_NET_ANSWER_CHUNK_SIZE)
        return read_chunk_size(answer, line, err);
    if (answer->phase == CS_NET_ANSWER_TRAILER) {
        if (line.len == 0)
            answer->phase = CS_NET_ANSWER_WHOLE;
        return CS_OK;
    }
    answer->phase = CS_NET_ANSWER_CHUNK_SIZE;
    return line.len == 0 ? CS_OK : strange(err, "a chunk longer than it said");
}

static enum cs_code take_chunk_line(struct cs_net_answer *answer, struct cs_view *bytes,
                                    struct cs_err *err)
{
    struct cs_view line;
    bool ended;
    enum cs_code rc = take_line(&answer->line, bytes, &ended, err);

    if (rc != CS_OK || !ended)
        return rc;
    line = cs_buf_view(&answer->line);
    line.len -= line.len > 1 && line.ptr[line.len - 2] == '\r' ? 2 : 1;
    rc = read_chunk_line(answer, line, err);
    cs_buf_reset(&answer->line);
    return rc;
}

/* ---- */

enum cs_code cs_net_answer_take(struct cs_net_answer *answer, struct cs_view bytes,
                                struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    while (rc == CS_OK && bytes.len > 0) {
        switch (answer->phase) {
        case CS_NET_ANSWER_HEAD:
            rc = take_head(answer, &bytes, err);
            break;
        case CS_NET_ANSWER_BODY:
            rc = take_body(answer, &bytes, CS_NET_ANSWER_WHOLE, err);
            break;
        case CS_NET_ANSWER_CHUNK:
            rc = take_body(answer, &bytes, CS_NET_ANSWER_CHUNK_END, err);
            break;
        case CS_NET_ANSWER_CHUNK_SIZE:
        case CS_NET_ANSWER_CHUNK_END:
        case CS_NET_ANSWER_TRAILER:
            rc = take_chunk_line(answer, &bytes, err);
            break;
        case CS_NET_ANSWER_TO_THE_END:
            rc = take_rest(answer, &bytes, err);
            break;
        case CS_NET_ANSWER_WHOLE:
            answer->persistent = false;
            return CS_OK;
        }
    }
    return rc;
}

bool cs_net_answer_ends(struct cs_net_answer *answer)
{
    answer->persistent = false;
    if (answer->phase == CS_NET_ANSWER_TO_THE_END)
        answer->phase = CS_NET_ANSWER_WHOLE;
    return answer->phase == CS_NET_ANSWER_WHOLE;
}
