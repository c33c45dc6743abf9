/* SOCKS5 (RFC 1928) with user/password (RFC 1929): its numbers, and the server's side as pure
 * functions over buffers. The client's is in proto/proxy_client.h. */
#ifndef PROTO_SOCKS5_H
#define PROTO_SOCKS5_H

#include "base/slice.h"
#include "wsp/err.h"

enum {
    SOCKS5_VERSION = 5,
    SOCKS5_AUTH_VERSION = 1, /* of the subnegotiation, RFC 1929 section 2 */
};

enum socks5_address {
    SOCKS5_IPV4 = 1,
    SOCKS5_NAME = 3,
    SOCKS5_IPV6 = 4,
};

enum socks5_method {
    SOCKS5_NO_AUTH = 0x00,
    SOCKS5_USER_PASS = 0x02,
    SOCKS5_NONE_ACCEPTABLE = 0xff,
};

enum socks5_cmd {
    SOCKS5_CONNECT = 1,
    SOCKS5_BIND = 2,
    SOCKS5_UDP_ASSOCIATE = 3,
};

/* Reply codes (RFC 1928 section 6). */
enum socks5_reply {
    SOCKS5_SUCCEEDED = 0x00,
    SOCKS5_GENERAL_FAILURE = 0x01,
    SOCKS5_NOT_ALLOWED = 0x02,
    SOCKS5_NETWORK_UNREACHABLE = 0x03,
    SOCKS5_HOST_UNREACHABLE = 0x04,
    SOCKS5_CONNECTION_REFUSED = 0x05,
    SOCKS5_TTL_EXPIRED = 0x06,
    SOCKS5_COMMAND_NOT_SUPPORTED = 0x07,
    SOCKS5_ADDRESS_NOT_SUPPORTED = 0x08,
};

#define SOCKS5_REPLY_MAX (4 + 1 + 255 + 2)
#define SOCKS5_HOST_MAX 256 /* longest host text with its NUL */

/* Client greeting (RFC 1928 section 3): which methods it offers. */
struct socks5_greeting {
    bool no_auth;
    bool user_pass;
};

/* RFC 1929 section 2; the slices are borrowed from the input. */
struct socks5_auth {
    struct slice user;
    struct slice password;
};

/* RFC 1928 section 4. */
struct socks5_request {
    uint8_t cmd;   /* enum socks5_cmd, or unknown */
    uint8_t reply; /* SOCKS5_SUCCEEDED, or the reply this request must get (X'07', X'08') */
    uint16_t port; /* host order */
    bool is_name;  /* host is a domain name, not an address */
    char host[SOCKS5_HOST_MAX]; /* NUL-terminated: a name, or an address as text, IPv6 without
                                   brackets */
};

/*
 * Each parses one message from `in` and advances it on WSP_OK; on error `in` and the output are
 * untouched.
 *
 * Malformed: a wrong version, no methods, an empty domain, a domain with a byte outside 0x21-0x7e
 * or with one of / ? # @ [ ] \ % (a literal IPv4 or IPv6 address given as a domain is fine: then
 * is_name is false; a ':' occurs only in those). A nonzero reserved byte, an empty user and an
 * empty password are tolerated.
 *
 * An unknown address type is WSP_OK with reply SOCKS5_ADDRESS_NOT_SUPPORTED and consumes all of
 * `in`, since its length is unknown; any command but CONNECT gives SOCKS5_COMMAND_NOT_SUPPORTED.
 *
 * Return WSP_OK, WSP_ERR_MORE or WSP_ERR_MALFORMED.
 */
enum wsp_err socks5_greeting_parse(struct slice *in, struct socks5_greeting *g);
enum wsp_err socks5_auth_parse(struct slice *in, struct socks5_auth *a);
enum wsp_err socks5_request_parse(struct slice *in, struct socks5_request *r);

/* Method selection (RFC 1928 section 3) and the RFC 1929 status: two bytes each. */
void socks5_method_write(enum socks5_method method, uint8_t out[2]);
void socks5_auth_status_write(bool ok, uint8_t out[2]);

/*
 * Writes a reply (RFC 1928 section 6). `bound` is "a.b.c.d:port" or "[v6]:port"; anything else,
 * empty included, is written as 0.0.0.0:0. Returns the bytes written.
 */
size_t socks5_reply_write(enum socks5_reply reply, struct slice bound,
                          uint8_t out[SOCKS5_REPLY_MAX]);

#endif
