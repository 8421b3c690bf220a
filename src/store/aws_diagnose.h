/* store/aws_diagnose.h: what the parts of the diagnosis share; private to
 * store/aws_diagnose*.c. */
#ifndef CS_STORE_AWS_DIAGNOSE_H
#define CS_STORE_AWS_DIAGNOSE_H

#include "store/aws_internal.h"

/* What later steps stand on. */
enum {
    CS_NEEDS_KEYS = 1u << 0,   /* credentials that are not refused */
    CS_NEEDS_BUCKET = 1u << 1, /* the bucket answers */
    CS_NEEDS_OBJECT = 1u << 2, /* the probe object was written */
    CS_NEEDS_BODY = 1u << 3,   /* and read */
    CS_NEEDS_TABLE = 1u << 4,  /* the table answers */
    CS_NEEDS_ITEM = 1u << 5,   /* the probe item was written */
    CS_NEEDS_COUNT = 6
};

#define CS_PROBE_ID_LEN 16u

struct cs_aws_diagnosis {
    struct cs_aws_store *store;
    cs_store_aws_step_fn *tell;
    void *payload;
    struct cs_deadline deadline; /* of the step that runs */
    struct cs_deadline end;      /* of all */
    enum cs_aws_service service; /* that the steps now ask */
    unsigned have;               /* CS_NEEDS_* */
    struct cs_buf caller;        /* ARN, or "" */
    struct cs_buf text;          /* filled by the step: what it found */
    struct cs_buf fix;           /* filled by the step where it knows better */
    struct cs_buf missing;
    char *version;                /* of the object that was put; "" or NULL: none */
    char algorithm[32];           /* that S3 encrypted it by; "": it did not say */
    char id[CS_PROBE_ID_LEN + 1]; /* random: of this run's objects and items */
};

/* CS_OK; CS_EUNSUPPORTED skips the step with the error's text; the rest fails it. */
typedef enum cs_code cs_aws_probe_fn(struct cs_aws_diagnosis *d, struct cs_err *err);

struct cs_aws_probe {
    const char *name;
    cs_aws_probe_fn *run;
    unsigned needs; /* else it is skipped */
    unsigned gives; /* there once it is CS_OK */
    unsigned loses; /* gone once it failed, unless for want of a permission alone */
    const char *operation; /* of aws/operations.h; NULL: no call of its own */
    const char *action;    /* where it is one of the operation's several; or NULL */
    const char *resource; /* behind the ARN of bucket or table: "", "/" and a star, ... */
    const char *fix;      /* for what no error code explains */
    const char *or_else;  /* behind the fix of a denial; or NULL */
    bool versioned;       /* the call names a version */
    const char *only_for; /* who alone needs it: not allowed, it is skipped; or NULL */
};

void cs_aws_probe_run(struct cs_aws_diagnosis *d, enum cs_aws_service service,
                      const struct cs_aws_probe *probes, size_t count);

/* The clock against the Date of the last answer of S3. */
cs_aws_probe_fn cs_aws_probe_clock;

/* The parts, by file. */
void cs_aws_diagnose_bucket(struct cs_aws_diagnosis *d);
void cs_aws_diagnose_table(struct cs_aws_diagnosis *d);

#endif
