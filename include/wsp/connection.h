/*
 * Handing a connection over to a server: the program's web server has accepted it, has taken TLS
 * off it where there is any, and has read a request that is for wsp. Either before anything was
 * answered, then wsp answers; or after the program has sent the 101, for links only.
 */
#ifndef WSP_CONNECTION_H
#define WSP_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <wsp/err.h>
#include <wsp/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A header field, raw, without blanks around the value (RFC 9110 section 5). */
struct wsp_header {
    const char *name;
    const char *value;
};

/* A request's head as it was received. Borrowed for the call. */
struct wsp_request_head {
    const char *method;              /* "GET" */
    const char *target;              /* raw: "/a%20b?c", percent-encoding untouched */
    bool is_http_1_0;                /* else HTTP/1.1 */
    const struct wsp_header *header; /* in their order, duplicates and all */
    size_t header_count;
};

enum wsp_match {
    WSP_MATCH_NONE,    /* the program's own */
    WSP_MATCH_LINK,    /* a client wants a link, perhaps on a wrong path, or a proxy has spoilt its
                        * request: hand over before or after the 101; it may get a refusal */
    WSP_MATCH_SERVICE, /* for what a client has registered: hand over before anything is answered */
};

/* Whose a request is. For the path of the links only what asks for an upgrade is a link. */
WSP_API enum wsp_match wsp_server_match(struct wsp_server *server,
                                        const struct wsp_request_head *head);

/*
 * A connection: a descriptor, or callbacks that read and write (for TLS that the program does).
 * Zero-initialise, and set fd to -1 where there are callbacks.
 */
struct wsp_connection {
    int fd; /* a connected stream socket; made non-blocking. With `closed` NULL it is taken, even on
             * failure, and closed at the end; else it stays the program's, and a duplicate of it is
             * used until `closed` */
    const void
        *early; /* what was read behind the head; with a NULL head, the head and all; copied */
    size_t early_len;
    bool is_secure;   /* it comes through TLS: services are told so (X-Forwarded-Proto) */
    const char *peer; /* the visitor's address, "192.0.2.1:1234" or "[2001:db8::1]:1234"; NULL: that
                       * of the other end of `fd` */

    /* Bytes, 0 at the end, -1 and errno (EAGAIN: none now, wsp_guest_ready tells later). */
    ssize_t (*recv)(void *ctx, void *out, size_t cap);
    ssize_t (*send)(void *ctx, const void *data, size_t len);
    /* We send no more; the other direction goes on. May be NULL. */
    void (*finish)(void *ctx);
    /* wsp is done with it. `reset`: something was cut off, so the peer must not take what it got
     * for the whole. Called once after a successful hand-over; needed where there are callbacks. */
    void (*closed)(void *ctx, bool reset);
    void *ctx; /* borrowed until `closed` */
};

/* A connection that has callbacks, while it is wsp's: until `closed` is called. */
struct wsp_guest;

enum {
    WSP_READABLE = 1, /* recv can go on */
    WSP_WRITABLE = 2, /* send can go on */
};

/* What recv or send waited for with EAGAIN may have come. */
WSP_API void wsp_guest_ready(struct wsp_guest *guest, unsigned events);

/*
 * Hands a connection over before anything was answered, for this request alone: it ends with the
 * response, so that the program judges the next one. Where ssl.client_ca asks clients for
 * certificates, a link that is handed over is refused: its certificate cannot be seen. `head` NULL:
 * it stands at the beginning of `early`. *guest is set when the connection has callbacks; may be
 * NULL else. Nothing is called back from within this. WSP_OK; WSP_ERR_USAGE, WSP_ERR_MALFORMED (a
 * head that is no HTTP), WSP_ERR_LIMIT (limits.connections, or too long a head), WSP_ERR_REFUSED
 * (draining), WSP_ERR_SYSTEM or WSP_ERR_NOMEM.
 */
WSP_API enum wsp_err wsp_server_take(struct wsp_server *server, const struct wsp_request_head *head,
                                     const struct wsp_connection *connection,
                                     struct wsp_guest **guest);

#define WSP_UPGRADE_HEADERS 4

/* What the program is to answer to a request for a link. */
struct wsp_upgrade {
    unsigned status; /* 101, or a refusal: answer that with `text` as text/plain, and close */
    struct wsp_header header[WSP_UPGRADE_HEADERS]; /* to be sent, but for "Connection: Upgrade" of
                                                    * the 101, which is the program's to send */
    size_t header_count;
    char text[128];    /* of a refusal, with its newline */
    char storage[256]; /* of header; the library's */
    unsigned dialect;  /* the library's */
};

/* Judges a request for a link. WSP_OK with `upgrade` filled (a refusal, too), or WSP_ERR_USAGE. Do
 * not copy `upgrade`: it points into itself. */
WSP_API enum wsp_err wsp_server_upgrade(struct wsp_server *server,
                                        const struct wsp_request_head *head,
                                        struct wsp_upgrade *upgrade);

/* Hands a connection over on which the 101 was sent; `early` is what was read behind the request.
 * `upgrade` is that of wsp_server_upgrade, in the same turn or later. As wsp_server_take. */
WSP_API enum wsp_err wsp_server_take_upgraded(struct wsp_server *server,
                                              const struct wsp_upgrade *upgrade,
                                              const struct wsp_connection *connection,
                                              struct wsp_guest **guest);

#ifdef __cplusplus
}
#endif
#endif
