/* How a proxy changes the heads it forwards (RFC 9112 section 3.2.2, RFC 9110 section 7.6.1). */
#ifndef CLIENT_HTTP_REWRITE_H
#define CLIENT_HTTP_REWRITE_H

#include "base/buf.h"
#include "proto/http1.h"

/*
 * Appends the request as the origin is to get it: origin-form, Host from `authority` in the place
 * of the first Host field, hop-by-hop fields and Proxy-Authorization removed, all else unchanged.
 * `path` is what http1_absolute_split gave. WSP_OK or WSP_ERR_NOMEM.
 */
enum wsp_err http_rewrite_request(const struct http1_head *head, struct slice authority,
                                  struct slice path, struct buf *out);

/*
 * Appends the response as the client is to get it: hop-by-hop fields removed, "Connection: close"
 * added when `close`. WSP_OK or WSP_ERR_NOMEM.
 */
enum wsp_err http_rewrite_response(const struct http1_head *head, bool close, struct buf *out);

#endif
