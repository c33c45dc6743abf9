/* Whose a request on the public port is: the rules, in one place. */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include "proto/http1.h"
#include "server/service.h"

enum route_kind {
    ROUTE_LINK,         /* looks like nothing but a link, on its path */
    ROUTE_MISTYPED,     /* the same on another path, with a secret: nobody is to see it */
    ROUTE_CONNECT,      /* to a forward proxy, which this is not */
    ROUTE_WRONG,        /* Host and target do not agree on where it goes */
    ROUTE_SERVICE,      /* for what is registered */
    ROUTE_LINK_UPGRADE, /* asks for a WebSocket on the links' path: a link that lacks something */
    ROUTE_LINK_PATH,    /* anything else there */
    ROUTE_NONE,
};

struct route {
    enum route_kind kind;
    const char *wrong;       /* ROUTE_WRONG: what is; static */
    struct service *service; /* ROUTE_SERVICE */
    struct slice rest;       /* of the path, behind the service's part */
    struct slice query;      /* with its '?', or empty */
};

/* A link is a link whatever its Host; then come domains, paths, and the links' path again. Slices
 * are borrowed from the head. */
void route_find(struct server *s, const struct http1_head *head, struct route *out);

#endif
