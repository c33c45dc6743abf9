/*
 * Percent-escapes and bounded text for the forward URLs: what forward*.c share. The sets of bytes
 * are those of Go's net/url, which differ from RFC 3986 in places.
 */
#ifndef PROTO_FORWARD_TEXT_H
#define PROTO_FORWARD_TEXT_H

#include "base/slice.h"

/* The parts of a URL: each leaves other bytes unescaped. */
enum forward_part {
    FORWARD_USER, /* and the password */
    FORWARD_HOST,
    FORWARD_ZONE, /* of an IPv6 address */
    FORWARD_PATH,
    FORWARD_QUERY, /* decoding only */
    FORWARD_FRAGMENT,
};

/* Text in a fixed buffer; what doesn't fit is dropped and noted. */
struct forward_text {
    char *p; /* borrowed */
    size_t cap;
    size_t len;
    bool cut;
};

void forward_put(struct forward_text *t, uint8_t c);
void forward_add(struct forward_text *t, struct slice s);
void forward_add_str(struct forward_text *t, const char *s);

/* Adds `s` percent-escaped for `part`. */
void forward_add_escaped(struct forward_text *t, struct slice s, enum forward_part part);

/* Why a URL is refused, `prefix` "token" `suffix`; without token only `prefix`. */
struct forward_fault {
    const char *prefix;
    struct slice token; /* borrowed from the URL */
    const char *suffix;
    bool in_fragment; /* the text quotes the fragment only then */
};

/* Adds `s` decoded. False with *fault set on a bad escape or a byte not allowed in a host. */
bool forward_add_decoded(struct forward_text *t, struct slice s, enum forward_part part,
                         struct forward_fault *fault);

/*
 * Adds a path or fragment the way it goes on the wire: unchanged if every byte of it may stand
 * there, else decoded and escaped anew. False with *fault set on a bad escape.
 */
bool forward_add_normal(struct forward_text *t, struct slice s, enum forward_part part,
                        struct forward_fault *fault);

/* True when every byte may stand in the user info. */
bool forward_is_user_info(struct slice s);

/* True for an IPv6 address in text form (RFC 4291 section 2.2), without zone. */
bool forward_is_ipv6(struct slice s);

/* True for nothing, or ':' and up to a number of 16 bits; *port gets it, -1 without a number. */
bool forward_port(struct slice s, int *port);

/*
 * Writes `parse "url": fault`, NUL-terminated and cut to cap. What is or could be meant as the
 * password becomes "***", in the URL and in the token.
 */
void forward_fault_write(struct slice url, const struct forward_fault *fault, char *out,
                         size_t cap);

#endif
