#include "config.h"

#include "store/aws_meter.h"

#include <sys/mman.h>

#include "store/aws_internal.h"

struct cs_store_aws_meter *cs_store_aws_meter_new(void)
{
    void *meter = mmap(NULL, sizeof(struct cs_store_aws_meter), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return meter != MAP_FAILED ? meter : NULL;
}

void cs_store_aws_meter_free(struct cs_store_aws_meter *meter)
{
    if (meter != NULL)
        (void)munmap(meter, sizeof(*meter));
}

void cs_aws_store_usage(const struct cs_store *base, struct cs_store_usage *out)
{
    const struct cs_aws_store *store = (const struct cs_aws_store *)base;
    const struct cs_aws_counts *counts = &store->meter->counts;

    *out = (struct cs_store_usage){.object_calls = counts->calls[CS_AWS_S3],
                                   .record_calls = counts->calls[CS_AWS_DYNAMODB],
                                   .retries = counts->retries,
                                   .throttled = counts->throttled,
                                   .failures = counts->failures,
                                   .capacity_milliunits = counts->milliunits};
}
