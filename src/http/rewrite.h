/* How a proxy changes the heads it forwards (RFC 9112 section 3.2.2, RFC 9110 section 7.6.1). */
#ifndef HTTP_REWRITE_H
#define HTTP_REWRITE_H

#include "base/buf.h"
#include "proto/http1.h"

/* What becomes of a request's head. Slices are borrowed for the call. */
struct http_rewrite {
    struct slice target[3]; /* the new target, in parts */
    struct slice host;      /* replaces Host, in the place of the first one; empty: Host is kept */
    bool keep_upgrade;      /* the upgrade asked for is passed on */
    /* Put in for a service behind a reverse proxy; empty: not touched. */
    struct slice forwarded_for; /* appended to X-Forwarded-For */
    const char *proto;        /* replaces X-Forwarded-Proto: "http" or "https"; NULL: not touched */
    struct slice public_host; /* X-Forwarded-Host; one that came goes in any case */
    /* It comes from a proxy that is believed: X-Forwarded-Proto and -Host are put in only where
     * they are missing, and X-Real-IP and Forwarded stay; else they go. No field of these can be
     * taken out by Connection. */
    bool believed;
};

/* What a forward proxy does: origin-form and Host from the target, as http1_absolute_split gave its
 * parts (RFC 9112 sections 3.2.1, 3.2.2 and 3.2.4). */
struct http_rewrite http_rewrite_for_origin(const struct http1_head *head, struct slice authority,
                                            struct slice path);

/*
 * Appends the request with hop-by-hop fields removed and what `r` says changed; all else stays as
 * it is, in order and letter. WSP_OK or WSP_ERR_NOMEM.
 */
enum wsp_err http_rewrite_request(const struct http1_head *head, const struct http_rewrite *r,
                                  struct buf *out);

/*
 * Appends the response as the client is to get it: hop-by-hop fields removed, but for what a 101
 * needs; "Connection: close" added when `close`. WSP_OK or WSP_ERR_NOMEM.
 */
enum wsp_err http_rewrite_response(const struct http1_head *head, bool close, struct buf *out);

#endif
