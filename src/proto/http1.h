/*
 * HTTP/1.1 message heads and body framing (RFC 9112). Pure functions over buffers: a head points
 * into its input, nothing is decoded or normalised. What differs between implementations, and so
 * can be used to smuggle a request past one of them, is refused.
 */
#ifndef PROTO_HTTP1_H
#define PROTO_HTTP1_H

#include "base/slice.h"
#include "wsp/err.h"

#define HTTP1_HEAD_MAX (64 * 1024) /* bytes of the longest head */
#define HTTP1_HEADERS_MAX 128      /* fields in one head */

struct http1_header {
    struct slice name;  /* as received */
    struct slice value; /* without surrounding blanks */
    struct slice line;  /* the whole line as received, without CRLF */
};

/* A request or response head. Slices are borrowed from the input. */
struct http1_head {
    struct slice method; /* requests */
    struct slice target; /* requests: raw */
    unsigned status;     /* responses: 100..999 */
    struct slice reason; /* responses: may be empty */
    unsigned minor;      /* HTTP/1.minor: 0 or 1 */
    size_t count;
    struct http1_header header[HTTP1_HEADERS_MAX];
};

/*
 * Parse one head, up to and with its empty line, from `in`; on WSP_OK `in` advances past it. On
 * error `in` is untouched (the head's contents are then undefined).
 * Empty lines (CRLF) in front of a request line are skipped (RFC 9112 section 2.2).
 * WSP_ERR_LIMIT: over HTTP1_HEAD_MAX bytes (also when that many are there and it still goes on) or
 * over HTTP1_HEADERS_MAX fields.
 * Malformed: a bare LF or bare CR, NUL or another control byte (HTAB in values aside), obs-fold,
 * space before the colon, an empty or non-token field name or method, more or fewer than two
 * spaces in the request line, a target with a byte outside 0x21-0x7e (bytes >= 0x80 are refused), a
 * version other than HTTP/1.0 or HTTP/1.1. Values may hold bytes >= 0x80 (obs-text).
 * An incomplete head that is already wrong is reported as such at once (at the latest at the end
 * of the wrong line).
 * Return WSP_OK, WSP_ERR_MORE, WSP_ERR_MALFORMED or WSP_ERR_LIMIT.
 */
enum wsp_err http1_request_parse(struct slice *in, struct http1_head *head);
enum wsp_err http1_response_parse(struct slice *in, struct http1_head *head);

/* Whether a head that comes in pieces is to be parsed now: `in` has a line end behind the first
 * *scanned bytes, or as much as a head can have. *scanned is then its length. */
bool http1_line_completed(struct slice in, size_t *scanned);

/* The first field of that name (ASCII case ignored), or NULL. */
const struct http1_header *http1_find(const struct http1_head *head, const char *name);

/* How many fields have that name. */
size_t http1_count(const struct http1_head *head, const char *name);

/* Takes the first element of a list (RFC 9110 section 5.6.1), without blanks around it; it may be
 * empty. */
struct slice http1_next_element(struct slice *list);

/* True when a field of that name has `token` in its comma-separated list (ASCII case ignored);
 * all fields of the name are looked at. */
bool http1_has_token(const struct http1_head *head, const char *name, const char *token);

/*
 * True when the field must not be forwarded (RFC 9110 section 7.6.1): Connection, Proxy-Connection,
 * Keep-Alive, TE, Upgrade, Proxy-Authorization, Proxy-Authenticate (never Transfer-Encoding,
 * Trailer or Content-Length: the framing is relayed as it is), and whatever Connection lists, but
 * for Host, Content-Length, Transfer-Encoding and Trailer, which a sender cannot have removed.
 */
bool http1_is_hop_by_hop(const struct http1_head *head, const struct http1_header *h);

/* False when the Connection fields are longer than any honest sender's: every field of the head is
 * compared with all that they list. */
bool http1_connection_ok(const struct http1_head *head);

/* True when the connection may carry another message after this one (RFC 9112 section 9.3). */
bool http1_keep_alive(const struct http1_head *head);

enum http1_framing {
    HTTP1_NO_BODY,
    HTTP1_LENGTH,
    HTTP1_CHUNKED,
    HTTP1_UNTIL_CLOSE,
};

/* Where in a body we are; a value type, copy freely. Treat as opaque but for `framing`. */
struct http1_body {
    enum http1_framing framing;
    uint8_t state;
    bool done;
    uint16_t line_bytes; /* of the chunk-size line or trailer section so far */
    uint64_t remaining;  /* of the body or the chunk */
};

/*
 * Determine the body's framing (RFC 9112 section 6.3). Malformed: two Content-Length fields or a
 * list in one, Content-Length that is not decimal digits or overflows 63 bits, Content-Length
 * beside Transfer-Encoding, a Transfer-Encoding that is anything but exactly "chunked" once (ASCII
 * case ignored), Transfer-Encoding in an HTTP/1.0 message.
 * `request_method` is the method that the response answers: HEAD, and CONNECT with 2xx, have no
 * body; neither have 1xx, 204 and 304.
 * Return WSP_OK or WSP_ERR_MALFORMED.
 */
enum wsp_err http1_request_body(const struct http1_head *head, struct http1_body *body);
enum wsp_err http1_response_body(const struct http1_head *head, struct slice request_method,
                                 struct http1_body *body);

/*
 * Follows the framing through `in`: how many of its first bytes belong to the body goes to *used
 * (framing bytes, chunk extensions and trailers included: they are relayed as they are).
 * WSP_OK: the body ends after *used bytes. WSP_ERR_MORE: all of `in` belongs to it and it goes on
 * (HTTP1_UNTIL_CLOSE: always). WSP_ERR_MALFORMED: broken chunk framing (bare LF, a size that is not
 * 1..16 hex digits or overflows 63 bits, a control byte in an extension, over 4096 bytes of one
 * size line, over 16384 of trailers); *used is then undefined.
 */
enum wsp_err http1_body_scan(struct http1_body *body, struct slice in, size_t *used);

/* True when a segment of the path is "." or "..", as some server may read it: escapes decoded,
 * backslashes as slashes, parameters behind ';' cut off. Servers take such segments out (RFC 3986
 * section 5.2.4), and would end in another place. */
bool http1_has_dot_segment(struct slice path);

/*
 * The parts of an authority "host[:port]" (RFC 3986 section 3.2; no userinfo): brackets are kept
 * off the host. port is -1 when absent. WSP_ERR_MALFORMED when it is empty, holds '@', a bad or
 * empty port or one of more than five digits, an unmatched or misplaced bracket, brackets round
 * anything but an IPv6 address, or a byte a host cannot have ('%' included).
 */
enum wsp_err http1_authority_parse(struct slice text, struct slice *host, int *port);

/*
 * Splits an absolute-form target "http://authority/path?query" (RFC 9112 section 3.2.2). `scheme`
 * is as written; `path` is the rest from the '/' or '?' on, empty when there is none.
 * Returns WSP_OK, or WSP_ERR_MALFORMED when it has no "://" after a valid scheme or no authority.
 */
enum wsp_err http1_absolute_split(struct slice target, struct slice *scheme,
                                  struct slice *authority, struct slice *path);

#endif
