/* net/header.h: one header field, as clients send it and signers sign it. */
#ifndef CS_NET_HEADER_H
#define CS_NET_HEADER_H

#include "base/view.h"

struct cs_net_header { /* borrowed views */
    struct cs_view name;
    struct cs_view value;
};

#endif
