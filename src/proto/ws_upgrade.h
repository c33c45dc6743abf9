/*
 * The server's side of a plain WebSocket handshake (RFC 6455 section 4.2), for visitors. That of
 * links is handshake.h. Pure functions over buffers.
 */
#ifndef PROTO_WS_UPGRADE_H
#define PROTO_WS_UPGRADE_H

#include "proto/http1.h"
#include "proto/ws.h"

#define WS_UPGRADE_ANSWER_MAX 256 /* room for the 101 */

struct ws_upgrade {
    unsigned status;   /* 101, or the refusal */
    const char *text;  /* of the refusal, without newline */
    const char *extra; /* further header lines of the refusal, each with CRLF; "" when none */
    bool binary;       /* the subprotocol "binary" was offered */
    char accept[WS_ACCEPT_LEN + 1];
};

/*
 * Judges a request: 426 when it asks for no WebSocket or for another version, 405 when its method
 * is not GET, 400 when it is malformed otherwise, then 403 for the page that sent it. `origins` is
 * a list of scheme://host[:port] between commas, compared without case; NULL allows every page.
 * Who sends no Origin is no page, and allowed.
 */
void ws_upgrade_check(const struct http1_head *head, const char *origins, struct ws_upgrade *u);

/* Writes the 101, with the subprotocol when it was offered; returns its length. */
size_t ws_upgrade_write(const struct ws_upgrade *u, char out[WS_UPGRADE_ANSWER_MAX]);

#endif
