/* net/response.h: what the exchanges of this room do with a response; private to it. */
#ifndef CS_NET_RESPONSE_H
#define CS_NET_RESPONSE_H

#include "net/client.h"

#define CS_NET_HEAD_MAX 65536u /* bytes, of a request or an answer */

/* Makes it ready for the next exchange; its memory, ceiling, sink and tries stay. */
void cs_net_response_empty(struct cs_net_response *response);

#endif
