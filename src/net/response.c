#include "config.h"

#include "net/response.h"

void cs_net_response_init(struct cs_net_response *response, size_t body_max)
{
    *response = (struct cs_net_response){.status = 0};
    cs_buf_init(&response->body, body_max);
    cs_buf_init(&response->head, CS_NET_HEAD_MAX);
}

void cs_net_response_clear(struct cs_net_response *response)
{
    cs_net_release(response);
    cs_buf_clear(&response->body);
    cs_buf_clear(&response->head);
}

void cs_net_response_empty(struct cs_net_response *response)
{
    cs_buf_reset(&response->body);
    cs_buf_reset(&response->head);
    response->status = 0;
    response->fault = CS_NET_OK;
    response->bytes_sent = response->bytes_received = 0;
    response->connect_us = response->first_byte_us = response->total_us = 0;
    response->reused = false;
}

struct cs_view cs_net_response_header(const struct cs_net_response *response,
                                      const char *name)
{
    struct cs_view rest = cs_buf_view(&response->head);
    struct cs_view wanted = cs_view_cstr(name);
    struct cs_view line;

    while (cs_view_split(&rest, '\n', &line)) {
        size_t colon = cs_view_find_byte(line, ':');

        if (colon != SIZE_MAX && cs_view_eq_nocase(cs_view_sub(line, 0, colon), wanted))
            return cs_view_trim(cs_view_from(line, colon + 1));
    }
    return cs_view_of(NULL, 0);
}
