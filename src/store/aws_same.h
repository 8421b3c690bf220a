/* store/aws_same.h: records of the last answers, by the very bytes of those answers.
 * Every answer is fetched, so nothing here is ever stale; but what a record is follows
 * from the bytes, and clients that watch a campaign are given the same ones over and
 * over. Private to the AWS store. */
#ifndef CS_STORE_AWS_SAME_H
#define CS_STORE_AWS_SAME_H

#include "base/buf.h"
#include "store/store.h"

#define CS_AWS_SAME_ANSWERS 4u
#define CS_AWS_SAME_BYTES   16384u /* longer ones are not kept */

struct cs_aws_same {
    struct {
        struct cs_buf answer;
        struct cs_record *record;
    } kept[CS_AWS_SAME_ANSWERS];
    size_t next; /* to make room */
};

void cs_aws_same_init(struct cs_aws_same *same);
void cs_aws_same_clear(struct cs_aws_same *same);

/* The record that these bytes were, borrowed; NULL where they are not known. */
const struct cs_record *cs_aws_same_find(const struct cs_aws_same *same,
                                         struct cs_view answer);
/* Keeps a copy of both, memory allowing. */
void cs_aws_same_keep(struct cs_aws_same *same, struct cs_view answer,
                      const struct cs_record *record);

#endif
