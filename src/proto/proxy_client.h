/*
 * Through a proxy as its client: HTTP CONNECT (RFC 9110 section 9.3.6) with Basic credentials
 * (RFC 7617), and SOCKS5 (RFC 1928) with user and password (RFC 1929). A name goes to the proxy as
 * it is, to be resolved there. Pure functions over buffers.
 */
#ifndef PROTO_PROXY_CLIENT_H
#define PROTO_PROXY_CLIENT_H

#include "base/slice.h"
#include "wsp/err.h"

enum proxy_kind {
    PROXY_HTTP,
    PROXY_SOCKS5,
};

#define PROXY_CREDENTIAL_MAX 1024       /* bytes of a user or password for PROXY_HTTP */
#define PROXY_SOCKS5_CREDENTIAL_MAX 255 /* for PROXY_SOCKS5: RFC 1929 section 2 */
#define PROXY_MESSAGE_MAX 4096          /* bytes of the longest message to a proxy */
#define PROXY_WHY_MAX 160

/* What the proxy is asked for. Slices are borrowed until the tunnel is open. */
struct proxy_request {
    enum proxy_kind kind;
    struct slice host; /* a name or an address, IPv6 without brackets */
    unsigned port;
    struct slice user; /* empty: no credentials */
    struct slice password;
};

/* One negotiation, a value type. */
struct proxy_client {
    const struct proxy_request *request; /* borrowed */
    enum {
        PROXY_AWAITS_RESPONSE, /* HTTP */
        PROXY_AWAITS_METHOD,   /* SOCKS5, this one and those below */
        PROXY_AWAITS_LOGIN,
        PROXY_AWAITS_REPLY,
    } step;
    size_t scanned;          /* bytes of the input in which a line end was looked for */
    bool wants_login;        /* refused for want of credentials, or of right ones */
    char why[PROXY_WHY_MAX]; /* the refusal or fault, as text: "403 Forbidden" */
};

/*
 * Writes the first message to `out`, *len bytes. WSP_OK; WSP_ERR_LIMIT when host, user or password
 * is too long; WSP_ERR_MALFORMED when the host holds a space or control byte.
 */
enum wsp_err proxy_client_start(struct proxy_client *c, const struct proxy_request *request,
                                uint8_t out[PROXY_MESSAGE_MAX], size_t *len);

/*
 * Takes what the proxy says from `in`; *len bytes of `out`, perhaps none, are to be sent then.
 * WSP_OK: the tunnel is open, and what is left in `in` came through it. WSP_ERR_MORE: the proxy has
 * to answer what is sent, or to say more; a message that is not complete stays in `in`. Else the
 * negotiation has failed and c->why tells: WSP_ERR_REFUSED, by the proxy's word; WSP_ERR_MALFORMED
 * or WSP_ERR_LIMIT, no answer of such a proxy. Interim responses (1xx) are passed over: who reads
 * bounds them.
 */
enum wsp_err proxy_client_take(struct proxy_client *c, struct slice *in,
                               uint8_t out[PROXY_MESSAGE_MAX], size_t *len);

#endif
