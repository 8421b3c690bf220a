#include "config.h"

#include "store/aws_same.h"

void cs_aws_same_init(struct cs_aws_same *same)
{
    *same = (struct cs_aws_same){.next = 0};
    for (size_t i = 0; i < CS_AWS_SAME_ANSWERS; i++)
        cs_buf_init(&same->kept[i].answer, CS_AWS_SAME_BYTES);
}

static void drop(struct cs_aws_same *same, size_t i)
{
    cs_buf_clear(&same->kept[i].answer);
    cs_record_free(same->kept[i].record);
    same->kept[i].record = NULL;
}

void cs_aws_same_clear(struct cs_aws_same *same)
{
    for (size_t i = 0; i < CS_AWS_SAME_ANSWERS; i++)
        drop(same, i);
}

const struct cs_record *cs_aws_same_find(const struct cs_aws_same *same,
                                         struct cs_view answer)
{
    for (size_t i = 0; i < CS_AWS_SAME_ANSWERS; i++)
        if (same->kept[i].record != NULL &&
            cs_view_eq(cs_buf_view(&same->kept[i].answer), answer))
            return same->kept[i].record;
    return NULL;
}

void cs_aws_same_keep(struct cs_aws_same *same, struct cs_view answer,
                      const struct cs_record *record)
{
    size_t i = same->next;

    if (answer.len > CS_AWS_SAME_BYTES)
        return;
    drop(same, i);
    cs_buf_add(&same->kept[i].answer, answer);
    same->kept[i].record = cs_record_copy(record);
    if (cs_buf_check(&same->kept[i].answer, NULL) != CS_OK)
        drop(same, i);
    same->next = (i + 1) % CS_AWS_SAME_ANSWERS;
}
