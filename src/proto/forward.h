/*
 * Forward URLs: the entries of `local`, `remote` and `dynamic`, and what CONNECT carries.
 *
 *     protocols://[channel[:password]@][bind]:port[/path][?mode=&value=]
 *
 * The wire carries them in the form Go's url.String() writes (docs/protocol.md); these functions
 * accept and produce that form byte for byte. Pure functions over buffers.
 */
#ifndef PROTO_FORWARD_H
#define PROTO_FORWARD_H

#include "base/slice.h"
#include "proto/proxy_header.h"
#include "wsp/err.h"

#define FORWARD_URL_MAX 4096 /* bytes of the longest URL we accept or write */

/*
 * Slices point into `store` and are NUL-terminated there, so a forward must not be copied by
 * assignment. A decoded string may hold any byte, NUL too (%00).
 */
struct forward {
    struct slice scheme;   /* lower case */
    bool has_user;         /* there is an '@' */
    struct slice channel;  /* decoded user name */
    bool has_password;     /* there is a ':' in the user info */
    struct slice password; /* decoded: a secret, never log it */
    struct slice host;     /* decoded, without brackets; may be empty */
    bool host_is_v6;       /* was in brackets */
    int port;              /* 0..65535; -1 when absent */
    struct slice raw_host; /* host and port as they go on the wire */
    struct slice path;     /* decoded */
    struct slice raw_path; /* as it goes on the wire: escaped */
    bool has_query;        /* there is a '?' */
    struct slice query;    /* raw, without '?' */
    struct slice mode;     /* decoded query value, empty when absent */
    struct slice value;    /* decoded query value, empty when absent */
    struct slice fragment; /* as it goes on the wire: escaped, without '#' */
    char store[2 * FORWARD_URL_MAX + 64];
};

/*
 * Parses `url` as Go's net/url Parse does for these forms, and refuses what it refuses (bad percent
 * escapes, user info outside its allowed set or non-ASCII, bad port, space or control byte in the
 * host, unmatched bracket, no IPv6 address in brackets, no scheme). Refused beyond that, because
 * no forward can mean it: no "//" after the scheme, a port over 65535, for every scheme more than
 * one ':' in a host without brackets (Go: http and https only).
 * `error` gets Go's text ("parse \"…\": …"), NUL-terminated and cut to error_cap; the password, or
 * what could be one if the URL was mistyped, is "***" in it. On error `f` is undefined.
 * Returns WSP_OK, WSP_ERR_MALFORMED, or WSP_ERR_LIMIT: `url` or its escaped form is too long.
 */
enum wsp_err forward_parse(struct slice url, struct forward *f, char *error, size_t error_cap);

/*
 * Writes the URL as Go's url.String() does: scheme lower-cased, user info and path re-escaped, host
 * case kept, query kept. Returns WSP_OK, or WSP_ERR_LIMIT over `cap` or FORWARD_URL_MAX bytes; *len
 * gets the bytes, no NUL.
 */
enum wsp_err forward_write(const struct forward *f, char *out, size_t cap, size_t *len);

/*
 * Writes the URL of an open: `scheme`://[channel[:password]@]host:port, as in the dialogues DYNAMIC
 * and LOCAL of docs/protocol.md. `host` holds a name or address, IPv6 without brackets (they are
 * added). With `channel` empty there is no user info; with has_password false no ':'.
 */
struct forward_open {
    const char *scheme;
    struct slice channel;
    bool has_password;
    struct slice password;
    struct slice host;
    unsigned port;
};
enum wsp_err forward_open_write(const struct forward_open *o, char *out, size_t cap, size_t *len);

/*
 * The first value of `name` in a query, decoded as Go's url.ParseQuery does ('+' is a space). True
 * with *len bytes in `out`, no NUL; false when there is none or it does not fit.
 */
bool forward_query_find(struct slice query, const char *name, char *out, size_t cap, size_t *len);

/* True when every pair of a query can be read: none that forward_query_find would pass over. */
bool forward_query_ok(struct slice query);

/* The option proxy_protocol=v1|v2 of a service, PROXY_NONE without it. False: it has another value,
 * and *out is untouched. */
bool forward_proxy_version(const struct forward *f, enum proxy_version *out);

/*
 * The channel name under which wsps files a URL: http and https: "http:" mode ":" value; others:
 * the user name when there is no mode, else as http. Returns WSP_OK or WSP_ERR_LIMIT.
 */
enum wsp_err forward_channel_name(const struct forward *f, char *out, size_t cap, size_t *len);

/*
 * The name an open asks for: as forward_channel_name, but with a user name and no mode it is the
 * user name for every scheme. The original files http://channel@… under "http::", where nothing is.
 */
enum wsp_err forward_open_name(const struct forward *f, char *out, size_t cap, size_t *len);

/* The URL with its password, if any, replaced by "***": for logs. NUL-terminated, cut to cap. */
void forward_redact(const struct forward *f, char *out, size_t cap);

#endif
