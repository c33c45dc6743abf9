/*
 * Whose request it is. The proxies that wsps.json trusts say so in X-Forwarded-For or X-Real-IP;
 * what others say there counts for nothing.
 */
#ifndef SERVER_VISITOR_H
#define SERVER_VISITOR_H

#include "config/wsps_proxies.h"
#include "net/address.h"
#include "proto/http1.h"

/* A connection from this address is that of a trusted proxy. */
bool visitor_is_proxy(const struct wsps_proxies *trusted, const struct address *peer);

/*
 * For a request that came from a trusted proxy at `peer`: the last address in X-Forwarded-For that
 * is none of them, or without that field the one in X-Real-IP. Who stands left of what cannot be
 * read is not known: then it is the proxy that has written that. A port that is not told is 0.
 */
struct address visitor_of_request(const struct wsps_proxies *trusted, const struct address *peer,
                                  const struct http1_head *head);

#endif
