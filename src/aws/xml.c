#include "config.h"

#include "aws/xml.h"

#include <expat.h>
#include <limits.h>

#define PATH_MAX_LEN 1024u
#define TEXT_MAX     (1u << 20)

struct reader {
    XML_Parser parser;
    cs_xml_element_fn *callback;
    void *payload;
    struct cs_buf path;
    struct cs_buf text;
    unsigned depth;
    bool leaf; /* nothing but text since the last start tag */
    bool stopped;
    enum cs_code failed;
};

static void stop(struct reader *r, enum cs_code why)
{
    r->stopped = why == CS_OK;
    r->failed = why;
    (void)XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_start(void *payload, const XML_Char *name,
                             const XML_Char **attributes)
{
    struct reader *r = payload;

    (void)attributes;
    if (++r->depth > CS_XML_DEPTH_MAX) {
        stop(r, CS_EUPSTREAM);
        return;
    }
    if (r->path.len > 0)
        cs_buf_add_byte(&r->path, '/');
    cs_buf_add_cstr(&r->path, name);
    cs_buf_reset(&r->text);
    r->leaf = true;
    if (cs_buf_check(&r->path, NULL) != CS_OK)
        stop(r, cs_buf_check(&r->path, NULL));
}

static void cut_last_name(struct cs_buf *path)
{
    size_t len = path->len;

    while (len > 0 && path->ptr[len - 1] != '/')
        len--;
    cs_buf_truncate(path, len > 0 ? len - 1 : 0);
}

static void XMLCALL on_end(void *payload, const XML_Char *name)
{
    struct reader *r = payload;
    struct cs_view text = r->leaf ? cs_buf_view(&r->text) : cs_view_of("", 0);

    (void)name;
    if (r->stopped || r->failed != CS_OK)
        return; /* expat still tells of the end of an element that was empty */
    if (cs_buf_check(&r->text, NULL) != CS_OK)
        stop(r, cs_buf_check(&r->text, NULL));
    else if (!r->callback(r->payload, cs_buf_view(&r->path), text))
        stop(r, CS_OK);
    cut_last_name(&r->path);
    r->leaf = false;
    r->depth--;
}

static void XMLCALL on_text(void *payload, const XML_Char *bytes, int len)
{
    struct reader *r = payload;

    if (r->leaf && len > 0)
        cs_buf_add(&r->text, cs_view_of(bytes, (size_t)len));
}

static void XMLCALL on_doctype(void *payload, const XML_Char *name,
                               const XML_Char *system_id, const XML_Char *public_id,
                               int has_internal_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal_subset;
    stop(payload, CS_EUPSTREAM);
}

static enum cs_code parse(struct reader *r, struct cs_view document, struct cs_err *err)
{
    enum XML_Status status;

    if (document.len > INT_MAX)
        return cs_err_set(err, CS_ETOOBIG, "an XML answer of %zu bytes", document.len);
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    status = XML_Parse(r->parser, document.ptr, (int)document.len, 1);
    if (r->stopped || (status == XML_STATUS_OK && r->failed == CS_OK))
        return CS_OK;
    if (r->failed == CS_ENOMEM || XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY)
        return cs_err_nomem(err);
    return cs_err_set(err, CS_EUPSTREAM,
                      "the service answered with XML that can't be read: %s",
                      XML_ErrorString(XML_GetErrorCode(r->parser)));
}

enum cs_code cs_xml_read(struct cs_view document, cs_xml_element_fn *callback,
                         void *payload, struct cs_err *err)
{
    struct reader reader = {.callback = callback,
                            .payload = payload,
                            .path = CS_BUF_INIT(PATH_MAX_LEN),
                            .text = CS_BUF_INIT(TEXT_MAX)};
    enum cs_code rc;

    reader.parser = XML_ParserCreate(NULL);
    if (reader.parser == NULL)
        return cs_err_nomem(err);
    rc = parse(&reader, document, err);
    XML_ParserFree(reader.parser);
    cs_buf_clear(&reader.path);
    cs_buf_clear(&reader.text);
    return rc;
}

static void escape(struct cs_buf *out, struct cs_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        switch (c) {
        case '&':
            cs_buf_add(out, CS_LIT("&amp;"));
            break;
        case '<':
            cs_buf_add(out, CS_LIT("&lt;"));
            break;
        case '>':
            cs_buf_add(out, CS_LIT("&gt;"));
            break;
        case '"':
            cs_buf_add(out, CS_LIT("&quot;"));
            break;
        case '\'':
            cs_buf_add(out, CS_LIT("&apos;"));
            break;
        case '\t':
        case '\n':
            cs_buf_add_byte(out, c);
            break;
        case '\r': /* a bare one would be read back as a line feed */
            cs_buf_add(out, CS_LIT("&#13;"));
            break;
        default:
            if ((unsigned char)c < 0x20)
                cs_buf_add(out, CS_LIT("\xef\xbf\xbd"));
            else
                cs_buf_add_byte(out, c);
        }
    }
}

void cs_xml_add(struct cs_buf *out, const char *name, struct cs_view text)
{
    cs_buf_add_byte(out, '<');
    cs_buf_add_cstr(out, name);
    cs_buf_add_byte(out, '>');
    escape(out, text);
    cs_buf_add(out, CS_LIT("</"));
    cs_buf_add_cstr(out, name);
    cs_buf_add_byte(out, '>');
}
