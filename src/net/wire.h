/* net/wire.h: short exchanges, one after another, with a server that is asked all
 * the time; private to this room.
 *
 * libcurl finds the address, connects, encrypts, sends and receives, but the request
 * is written and the answer read here: what curl_easy_perform() does around them, above
 * all formatting each header byte by byte, costs more than all else together (bench/aws
 * has the figures). For bodies in memory alone; everything else is net/transfer.h's. */
#ifndef CS_NET_WIRE_H
#define CS_NET_WIRE_H

#include <curl/curl.h>

#include "net/client.h"

struct cs_net_wire;

/* No connection yet. The arguments are borrowed for its life. NULL without memory. */
struct cs_net_wire *cs_net_wire_new(const struct cs_net_options *options, CURLSH *share);
void cs_net_wire_free(struct cs_net_wire *wire);

struct cs_net_wire_news {
    bool connected; /* a connection was opened for it */
    bool died_idle; /* the kept connection ended before a byte of the answer came */
};

/* One exchange, with the codes of cs_net_perform(). The body of the request is none or
 * of bytes, the response has neither sink nor hold. fresh: not on the kept connection. */
enum cs_code cs_net_wire_exchange(struct cs_net_wire *wire,
                                  const struct cs_net_request *request,
                                  struct cs_net_response *response, bool fresh,
                                  struct cs_net_wire_news *news,
                                  struct cs_err *err) CS_MUST_USE;

#endif
