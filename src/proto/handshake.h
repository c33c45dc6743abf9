/*
 * The upgrade of a link (docs/protocol.md section 1; RFC 6455 section 4), both sides.
 * Pure functions over buffers.
 */
#ifndef PROTO_HANDSHAKE_H
#define PROTO_HANDSHAKE_H

#include "base/slice.h"
#include "proto/http1.h"
#include "proto/ws.h"
#include "wsp/err.h"

enum handshake_dialect {
    HANDSHAKE_0_10,
    HANDSHAKE_WSP_1,
};

/* What the client sends. */
struct handshake_request {
    struct slice target; /* path and query, "/" when the URL has none */
    struct slice host;   /* host[:port] exactly as in the URL */
    struct slice auth;   /* may be empty: the header is sent all the same */
    const char *key;     /* from ws_key_write */
    bool offer_wsp_1;    /* adds Sec-WebSocket-Protocol: wsp.1 */
    const char *extra;   /* further header lines, from handshake_extra_add; NULL: none */
};

#define HANDSHAKE_EXTRA_MAX 4096 /* bytes of all further header lines */

/*
 * Appends "Name: value" and CRLF to `lines`, a string with room for HANDSHAKE_EXTRA_MAX bytes and
 * its NUL. On failure *why is a static text and `lines` is untouched: WSP_ERR_MALFORMED for a name
 * that is no token or is the handshake's own, or a value with a control byte or blanks at an end;
 * WSP_ERR_LIMIT when all together are too long.
 */
enum wsp_err handshake_extra_add(char *lines, struct slice name, struct slice value,
                                 const char **why);

/* Writes the request in the header order of docs/protocol.md section 1. Returns WSP_OK,
 * WSP_ERR_LIMIT, or WSP_ERR_MALFORMED when target, host or auth holds CR, LF or NUL. */
enum wsp_err handshake_request_write(const struct handshake_request *r, char *out, size_t cap,
                                     size_t *len);

/*
 * Judges the server's answer. WSP_OK: a 101 with Upgrade, Connection and the right
 * Sec-WebSocket-Accept, no extension, no protocol that was not offered; *dialect tells what was
 * selected. WSP_ERR_REFUSED: another status. WSP_ERR_MALFORMED: a 101 that is wrong.
 * `error` gets a text ("unexpected HTTP response status: 401", …).
 */
enum wsp_err handshake_response_check(const struct http1_head *head, const char *key,
                                      bool offered_wsp_1, enum handshake_dialect *dialect,
                                      char *error, size_t error_cap);

/* The server's judgement of a request on the link's path. */
struct handshake_verdict {
    unsigned status;    /* 101, or the refusal */
    char body[128];     /* text of the refusal */
    const char *extra;  /* further header lines, each with CRLF; "" when none */
    struct slice key;   /* borrowed from the head, when 101 */
    bool offered_wsp_1; /* the client would speak wsp.1 */
};

/*
 * Checks in the order of docs/protocol.md section 1: an Origin header 403; Auth 401, compared in
 * constant time; Proto 400; method 405, Upgrade, Connection, key, version missing 400, another
 * version 426 with Sec-WebSocket-Version: 13. Two Auth, Proto, Sec-WebSocket-Key or
 * Sec-WebSocket-Version fields are refused with 400.
 */
void handshake_check(const struct http1_head *head, struct slice auth,
                     struct handshake_verdict *verdict);

/* Writes the 101 for a verdict; `select_wsp_1` adds the protocol. WSP_OK or WSP_ERR_LIMIT. */
enum wsp_err handshake_accept_write(const struct handshake_verdict *verdict, bool select_wsp_1,
                                    char *out, size_t cap, size_t *len);

/*
 * Writes a complete plain-text response that closes the connection: status line, Content-Type,
 * X-Content-Type-Options: nosniff, Content-Length, Connection: close, the extra lines, body.
 * WSP_OK or WSP_ERR_LIMIT.
 */
enum wsp_err handshake_refusal_write(const struct handshake_verdict *verdict, char *out, size_t cap,
                                     size_t *len);

/* The standard reason phrase of a status, "" when unknown. */
const char *handshake_reason(unsigned status);

#endif
