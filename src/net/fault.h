/* net/fault.h: what ends an exchange, as a code and a sentence; private to this room. */
#ifndef CS_NET_FAULT_H
#define CS_NET_FAULT_H

#include <curl/curl.h>

#include "net/client.h"

/* What a result of libcurl's means for the exchange. */
enum cs_net_fault cs_net_fault_of(CURLcode result);

struct cs_net_outcome {
    enum cs_net_fault fault;
    enum cs_code local; /* why, where the fault is CS_NET_LOCAL */
    const char *url;    /* its host is named */
    const char *detail; /* what libcurl said, or "" */
    bool slow;          /* the fault is CS_NET_CONNECT: it took too long */
};

/* Fills err with it; returns the code that cs_net_perform() documents. */
enum cs_code cs_net_fault_report(const struct cs_net_outcome *outcome,
                                 struct cs_err *err);

#endif
