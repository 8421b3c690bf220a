/* http/cgi.h: one request by plain CGI (RFC 3875), for web servers that offer no
 * FastCGI: the parameters are the environment, the body and the answer are
 * standard input and output. */
#ifndef CS_HTTP_CGI_H
#define CS_HTTP_CGI_H

#include "http/serve.h"

struct cs_cgi_options {
    struct cs_serve_options serve;
    int in_fd;
    int out_fd;
    int io_timeout_ms; /* silence in the middle of a body or an answer */
};

/* Whether these variables are those of a CGI request. */
bool cs_cgi_asked(char *const *envp);

/* True when the web server has made arguments of the program from the query, as
 * it must where that has no "=" (RFC 3875 section 4.4): a client's words, which
 * nobody may take for options. */
bool cs_cgi_has_arguments(char *const *envp);

/* Answers such a request with 400, reading nothing. */
void cs_cgi_refuse_arguments(char **envp, int out_fd);

/* Serves the one request. A body needs a CONTENT_LENGTH, which is never read
 * beyond (section 4.2). Ignores SIGPIPE from here on. CS_OK when the answer went
 * out whole. */
enum cs_code cs_cgi_run(const struct cs_cgi_options *options, char **envp,
                        struct cs_err *err) CS_MUST_USE;

#endif
