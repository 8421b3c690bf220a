/* api/download.h: sending an artifact: conditional requests, ranges, security
 * headers, by the web server itself where it can reach the file. */
#ifndef CS_API_DOWNLOAD_H
#define CS_API_DOWNLOAD_H

#include "api/exchange.h"
#include "campaign/artifacts.h"

/* Answers with the artifact's bytes: 200, 206, 304 or 416. artifact->sha256 may
 * be empty (a signed address does not carry it): the version is the tag then.
 * Query parameter download=1 makes it a file to save. */
enum cs_code cs_download(struct cs_exchange *x, struct cs_view name,
                         const struct cs_artifact *artifact,
                         struct cs_err *err) CS_MUST_USE;

/* Whether a browser shows that type; types that it would run or guess at are saved. */
bool cs_download_is_shown(struct cs_view content_type) CS_MUST_USE;

/* Whether the answer is the plain bytes (or a range of them), as anybody that holds
 * them can give it: no condition that is ours to decide, and no HEAD. */
bool cs_download_is_plain(struct cs_exchange *x,
                          const struct cs_artifact *artifact) CS_MUST_USE;

/* Writes what the reader has left to an answer that was started, a block at a
 * time; stops when the client leaves (CS_EGONE). */
enum cs_code cs_download_copy(struct cs_exchange *x, struct cs_object_reader *reader,
                              struct cs_err *err) CS_MUST_USE;

#endif
