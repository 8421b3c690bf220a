/* aws/xml.h: XML answers read element by element, over expat. Document types and
 * entities of their own are refused; depth is bounded. */
#ifndef CS_AWS_XML_H
#define CS_AWS_XML_H

#include "base/buf.h"

#define CS_XML_DEPTH_MAX 16u

/* Called when an element ends. path is the names from the root down, joined by
 * '/' ("ListBucketResult/Contents/Key"); text is its own character data when it
 * has no child elements, else "". False stops the reading (CS_OK). */
typedef bool cs_xml_element_fn(void *payload, struct cs_view path, struct cs_view text);

/* CS_EUPSTREAM when it is no well-formed document. */
enum cs_code cs_xml_read(struct cs_view document, cs_xml_element_fn *callback,
                         void *payload, struct cs_err *err) CS_MUST_USE;

/* Appends "<name>text</name>", with & < > " ' escaped; control characters that XML 1.0
 * can't hold become U+FFFD. */
void cs_xml_add(struct cs_buf *out, const char *name, struct cs_view text);

#endif
