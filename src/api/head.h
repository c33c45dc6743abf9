/* Request heads that the program has parsed, as text again: what is judged is what was received. */
#ifndef API_HEAD_H
#define API_HEAD_H

#include "base/buf.h"
#include "proto/http1.h"
#include "wsp/connection.h"

/* A field can be put into a head: a token, and a value that ends no line. */
bool head_field_ok(const struct wsp_header *h);

/*
 * Appends the head to `out` and parses it: `parsed` borrows from that. WSP_OK, WSP_ERR_USAGE (a
 * string is missing), WSP_ERR_MALFORMED (also what would be read as something else than was given),
 * WSP_ERR_LIMIT or WSP_ERR_NOMEM. The caller finis `out` either way.
 */
enum wsp_err head_write(const struct wsp_request_head *head, struct buf *out,
                        struct http1_head *parsed);

#endif
