/* A request for a link: whether it becomes one. */
#ifndef SERVER_LINK_REQUEST_H
#define SERVER_LINK_REQUEST_H

#include "net/address.h"
#include "proto/handshake.h"
#include "server/server.h"

/* What is wrong with the certificate of who asks on `stream`, as link_request_check wants it. Where
 * links are asked for certificates, one that was handed over (`stream` NULL, or without TLS of
 * ours) has none that could be seen. */
const char *link_request_fault(const struct server *s, const struct stream *stream);

/* As handshake_check, with what this server asks for beyond that: a free place, its dialect.
 * `fault` is what is wrong with the client's certificate; NULL: nothing, or none is needed. */
void link_request_check(const struct server *s, const struct http1_head *head, const char *fault,
                        struct handshake_verdict *v);

/* The 101 of this verdict selects wsp.1. */
bool link_request_selects_wsp_1(const struct server *s, const struct handshake_verdict *v);

/* What is spoken on the link then. */
enum link_dialect link_request_dialect(const struct server *s, const struct handshake_verdict *v);

/* It gets another answer than 101: counts it, for the status, and logs it. */
void link_request_refused(struct server *s, const struct address *visitor,
                          const struct handshake_verdict *v);

#endif
