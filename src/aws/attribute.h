/* aws/attribute.h: DynamoDB attribute values and plain JSON, both ways. Numbers are
 * text all along: no digit is lost, and what DynamoDB could not keep is refused.
 *
 * Source: DynamoDB API Reference, AttributeValue; Developer Guide, "Constraints". */
#ifndef CS_AWS_ATTRIBUTE_H
#define CS_AWS_ATTRIBUTE_H

#include "json/tree.h"
#include "json/write.h"

/* Appends {"S":...}, {"N":...}, {"M":...}, ... for a valid JSON value. CS_EINVAL for
 * a number of more than 38 digits or beyond 1E-130 to 9.99E+125. */
enum cs_code cs_attribute_from_json(struct cs_buf *out, struct cs_view json,
                                    struct cs_err *err) CS_MUST_USE;

/* Appends the plain JSON of one attribute value; sets become arrays, binary base64
 * text. CS_EUPSTREAM for what is no attribute value. */
enum cs_code cs_attribute_to_json(struct cs_buf *out, const struct cs_json *value,
                                  struct cs_err *err) CS_MUST_USE;

/* Appends the attribute value itself, in the order and with the texts it has. */
enum cs_code cs_attribute_rewrite(struct cs_buf *out, const struct cs_json *value,
                                  struct cs_err *err) CS_MUST_USE;

/* Whether a JSON number is written as DynamoDB would give it back. */
bool cs_attribute_keeps_number(struct cs_view number);

/* Text of an item's S attribute; .ptr NULL when it has none of that kind. */
struct cs_view cs_item_text(const struct cs_json *item, const char *name);
/* The integer of an item's N attribute; false when it has none. */
bool cs_item_integer(const struct cs_json *item, const char *name, int64_t *out);

/* The integer that the text of an N attribute is; false for another number. */
bool cs_attribute_integer(struct cs_view text, int64_t *out);

/* A member "name":{"S":text}, {"N":text} or {"B":base64 of bytes}. */
void cs_item_add_text(struct cs_json_writer *w, const char *name, struct cs_view text);
void cs_item_add_integer(struct cs_json_writer *w, const char *name, int64_t value);
void cs_item_add_binary(struct cs_json_writer *w, const char *name, struct cs_view bytes);

#endif
