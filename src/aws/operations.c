#include "config.h"

#include "aws/operations.h"

/* clang-format off */
static const struct cs_aws_operation operations[] = {
    {CS_AWS_S3, "GetObject", CS_AWS_FOR_OBJECTS, {"s3:GetObject"}, "s3:GetObjectVersion", {"kms:Decrypt"}},
    {CS_AWS_S3, "PutObject", CS_AWS_FOR_OBJECTS, {"s3:PutObject"}, NULL, {"kms:GenerateDataKey"}},
    {CS_AWS_S3, "HeadObject", CS_AWS_FOR_OBJECTS, {"s3:GetObject"}, "s3:GetObjectVersion", {"kms:Decrypt"}},
    {CS_AWS_S3, "CopyObject", CS_AWS_FOR_OBJECTS, {"s3:GetObject", "s3:PutObject"}, "s3:GetObjectVersion", {"kms:GenerateDataKey", "kms:Decrypt"}},
    {CS_AWS_S3, "DeleteObject", CS_AWS_FOR_OBJECTS, {"s3:DeleteObject"}, "s3:DeleteObjectVersion", {NULL}},
    {CS_AWS_S3, "DeleteObjects", CS_AWS_FOR_OBJECTS, {"s3:DeleteObject"}, "s3:DeleteObjectVersion", {NULL}},
    {CS_AWS_S3, "CreateMultipartUpload", CS_AWS_FOR_OBJECTS, {"s3:PutObject"}, NULL, {"kms:GenerateDataKey", "kms:Decrypt"}},
    {CS_AWS_S3, "UploadPart", CS_AWS_FOR_OBJECTS, {"s3:PutObject"}, NULL, {"kms:GenerateDataKey", "kms:Decrypt"}},
    {CS_AWS_S3, "CompleteMultipartUpload", CS_AWS_FOR_OBJECTS, {"s3:PutObject"}, NULL, {"kms:GenerateDataKey", "kms:Decrypt"}},
    {CS_AWS_S3, "AbortMultipartUpload", CS_AWS_FOR_OBJECTS, {"s3:AbortMultipartUpload"}, NULL, {NULL}},

    {CS_AWS_S3, "ListObjectsV2", CS_AWS_FOR_LISTS, {"s3:ListBucket"}, NULL, {NULL}},
    {CS_AWS_S3, "ListObjectVersions", CS_AWS_FOR_LISTS, {"s3:ListBucketVersions"}, NULL, {NULL}},
    {CS_AWS_S3, "ListMultipartUploads", CS_AWS_FOR_LISTS, {"s3:ListBucketMultipartUploads"}, NULL, {NULL}},
    {CS_AWS_S3, "HeadBucket", CS_AWS_FOR_LISTS, {"s3:ListBucket"}, NULL, {NULL}},

    {CS_AWS_S3, "CreateBucket", CS_AWS_FOR_NEW_BUCKET, {"s3:CreateBucket"}, NULL, {NULL}},
    {CS_AWS_S3, "PutPublicAccessBlock", CS_AWS_FOR_NEW_BUCKET, {"s3:PutBucketPublicAccessBlock"}, NULL, {NULL}},
    {CS_AWS_S3, "PutBucketEncryption", CS_AWS_FOR_NEW_BUCKET, {"s3:PutEncryptionConfiguration"}, NULL, {NULL}},
    {CS_AWS_S3, "PutBucketVersioning", CS_AWS_FOR_VERSIONING, {"s3:PutBucketVersioning"}, NULL, {NULL}},
    {CS_AWS_S3, "PutBucketTagging", CS_AWS_FOR_BUCKET_TAGS, {"s3:PutBucketTagging"}, NULL, {NULL}},

    {CS_AWS_S3, "GetBucketVersioning", CS_AWS_FOR_BUCKET_LOOK, {"s3:GetBucketVersioning"}, NULL, {NULL}},
    {CS_AWS_S3, "GetPublicAccessBlock", CS_AWS_FOR_BUCKET_LOOK, {"s3:GetBucketPublicAccessBlock"}, NULL, {NULL}},
    {CS_AWS_S3, "GetBucketEncryption", CS_AWS_FOR_BUCKET_LOOK, {"s3:GetEncryptionConfiguration"}, NULL, {NULL}},

    {CS_AWS_DYNAMODB, "GetItem", CS_AWS_FOR_ITEMS, {"dynamodb:GetItem"}, NULL, {NULL}},
    {CS_AWS_DYNAMODB, "PutItem", CS_AWS_FOR_ITEMS, {"dynamodb:PutItem"}, NULL, {NULL}},
    {CS_AWS_DYNAMODB, "UpdateItem", CS_AWS_FOR_ITEMS, {"dynamodb:UpdateItem"}, NULL, {NULL}},
    {CS_AWS_DYNAMODB, "DeleteItem", CS_AWS_FOR_ITEMS, {"dynamodb:DeleteItem"}, NULL, {NULL}},
    {CS_AWS_DYNAMODB, "TransactWriteItems", CS_AWS_FOR_ITEMS,
     {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}, NULL, {NULL}},
    {CS_AWS_DYNAMODB, "BatchGetItem", CS_AWS_FOR_ITEMS, {"dynamodb:BatchGetItem"}, NULL, {NULL}},
    {CS_AWS_DYNAMODB, "BatchWriteItem", CS_AWS_FOR_ITEMS, {"dynamodb:BatchWriteItem"}, NULL, {NULL}},

    {CS_AWS_DYNAMODB, "Scan", CS_AWS_FOR_ALL_ITEMS, {"dynamodb:Scan"}, NULL, {NULL}},

    {CS_AWS_DYNAMODB, "Query", CS_AWS_FOR_INDEXES, {"dynamodb:Query"}, NULL, {NULL}},

    {CS_AWS_DYNAMODB, "CreateTable", CS_AWS_FOR_NEW_TABLE, {"dynamodb:CreateTable"}, NULL, {NULL}},
    {CS_AWS_DYNAMODB, "UpdateTable", CS_AWS_FOR_NEW_TABLE, {"dynamodb:UpdateTable"}, NULL, {NULL}},
    {CS_AWS_DYNAMODB, "UpdateTimeToLive", CS_AWS_FOR_NEW_TABLE, {"dynamodb:UpdateTimeToLive"}, NULL, {NULL}},

    {CS_AWS_DYNAMODB, "DescribeTable", CS_AWS_FOR_TABLE_STATE, {"dynamodb:DescribeTable"}, NULL, {NULL}},
    {CS_AWS_DYNAMODB, "DescribeTimeToLive", CS_AWS_FOR_TABLE_LOOK, {"dynamodb:DescribeTimeToLive"}, NULL, {NULL}},

    {CS_AWS_STS, "GetCallerIdentity", CS_AWS_FOR_IDENTITY, {NULL}, NULL, {NULL}},
};
/* clang-format on */

const struct cs_aws_operation *cs_aws_operation_find(enum cs_aws_service service,
                                                     const char *name)
{
    for (size_t i = 0; i < CS_COUNT(operations); i++)
        if (operations[i].service == service && strcmp(operations[i].name, name) == 0)
            return &operations[i];
    return NULL;
}

void cs_aws_operation_add_actions(struct cs_buf *out,
                                  const struct cs_aws_operation *operation,
                                  bool versioned)
{
    for (size_t i = 0; i < CS_AWS_ACTIONS_MAX && operation->actions[i] != NULL; i++) {
        if (i > 0)
            cs_buf_add(out, CS_LIT(", "));
        if (i == 0 && versioned && operation->with_version != NULL)
            cs_buf_add_cstr(out, operation->with_version);
        else
            cs_buf_add_cstr(out, operation->actions[i]);
    }
}

const struct cs_aws_operation *cs_aws_operations(size_t *count_out)
{
    *count_out = CS_COUNT(operations);
    return operations;
}
