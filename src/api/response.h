/* The program's own answer to a request, as text. */
#ifndef API_RESPONSE_H
#define API_RESPONSE_H

#include "base/buf.h"
#include "proto/http1.h"
#include "wsp/request.h"

/* Appends the whole response to `request` to `out`; without `keep` it ends the connection. WSP_OK,
 * WSP_ERR_USAGE when it must not be sent so, or WSP_ERR_NOMEM. */
enum wsp_err response_write(const struct wsp_response *r, const struct http1_head *request,
                            bool keep, struct buf *out);

#endif
