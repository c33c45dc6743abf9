/*
 * The PROXY protocol (HAProxy's doc/proxy-protocol.txt): a header in front of all other bytes of a
 * connection, in which a proxy says for whom it has made it. Version 1 is a line of text, version 2
 * binary.
 */
#ifndef PROTO_PROXY_HEADER_H
#define PROTO_PROXY_HEADER_H

#include "proto/ip_addr.h"
#include "wsp/err.h"

#define PROXY_HEADER_MAX 4096 /* bytes of the longest header that is read */
#define PROXY_WRITE_MAX 107   /* and of the longest that is written */

enum proxy_version {
    PROXY_NONE,
    PROXY_V1,
    PROXY_V2,
};

struct proxy_header {
    bool known; /* else the addresses of the connection itself count: it is the proxy's own, or was
                   made for something other than TCP */
    struct ip_port from; /* whose connection it is */
    struct ip_port to;   /* where that one went */
};

/*
 * Parses a header of either version from the start of `in`; on WSP_OK `in` advances past it. On
 * error `in` and `h` are untouched. Strict: every byte is as the specification has it. What is no
 * header is reported as soon as a byte tells; addresses only once the header is complete. The
 * fields behind the addresses of version 2 (TLVs) are skipped unread.
 *
 * WSP_OK, WSP_ERR_MORE, WSP_ERR_MALFORMED (which includes a line of more than 107 bytes), or
 * WSP_ERR_LIMIT: version 2, and over PROXY_HEADER_MAX bytes.
 */
enum wsp_err proxy_header_parse(struct slice *in, struct proxy_header *h);

/*
 * Writes the header of PROXY_V1 or PROXY_V2; returns its bytes. Where one address is IPv4 and the
 * other is not, it goes as IPv4-mapped IPv6. With h->known false it is UNKNOWN, or in version 2 of
 * family UNSPEC.
 */
size_t proxy_header_write(const struct proxy_header *h, enum proxy_version version,
                          uint8_t out[PROXY_WRITE_MAX]);

#endif
