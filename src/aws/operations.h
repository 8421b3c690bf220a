/* aws/operations.h: every operation that is ever called, with the IAM actions that
 * allow it. cs_aws_perform() refuses what is not listed here, so what is made from
 * this table (a policy, the name of a missing permission) can't fall behind. Not listed
 * is AssumeRole: credentials are had before any policy of theirs counts.
 *
 * Source: AWS Service Authorization Reference, "Actions, resources, and condition
 * keys" for Amazon S3 and for Amazon DynamoDB; Amazon S3 User Guide, "Required
 * permissions for Amazon S3 API operations"; DynamoDB Developer Guide, "IAM with
 * DynamoDB transactions". */
#ifndef CS_AWS_OPERATIONS_H
#define CS_AWS_OPERATIONS_H

#include "aws/endpoint.h"

/* What an operation is called for: one statement of a policy each. */
enum cs_aws_purpose {
    CS_AWS_FOR_OBJECTS,     /* reading and writing them */
    CS_AWS_FOR_LISTS,       /* of objects */
    CS_AWS_FOR_NEW_BUCKET,  /* making a bucket and setting it up */
    CS_AWS_FOR_VERSIONING,  /* switching it on */
    CS_AWS_FOR_BUCKET_TAGS, /* of a new bucket */
    CS_AWS_FOR_ITEMS,       /* reading and writing them */
    CS_AWS_FOR_ALL_ITEMS,   /* going through all of them; for maintenance alone */
    CS_AWS_FOR_INDEXES,     /* querying them */
    CS_AWS_FOR_NEW_TABLE,   /* making a table, adding an index, its expiry */
    CS_AWS_FOR_TABLE_STATE, /* whether it is there and active */
    CS_AWS_FOR_BUCKET_LOOK, /* how the bucket is set up; for diagnosis alone */
    CS_AWS_FOR_TABLE_LOOK,  /* how the table is set up; the same */
    CS_AWS_FOR_IDENTITY,    /* STS; allowed to everybody or by the role's own policy */
    CS_AWS_PURPOSE_COUNT
};

#define CS_AWS_ACTIONS_MAX 4u

struct cs_aws_operation {
    enum cs_aws_service service;
    const char *name; /* "PutObject" */
    enum cs_aws_purpose purpose;
    /* "s3:PutObject"; NULL after the last. More than one where the operation is
     * allowed by its parts: all that the parts call for. */
    const char *actions[CS_AWS_ACTIONS_MAX];
    const char *with_version; /* in place of the first where a version is named */
    const char *with_key[2];  /* on the KMS key too, where one encrypts the object */
};

/* NULL: not one of ours. */
const struct cs_aws_operation *cs_aws_operation_find(enum cs_aws_service service,
                                                     const char *name);

/* Appends its actions, "s3:PutObject" or "dynamodb:PutItem, dynamodb:UpdateItem";
 * versioned: the call names a version. */
void cs_aws_operation_add_actions(struct cs_buf *out,
                                  const struct cs_aws_operation *operation,
                                  bool versioned);

/* All of them. */
const struct cs_aws_operation *cs_aws_operations(size_t *count_out);

#endif
