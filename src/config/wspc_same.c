#include "config/wspc_same.h"

bool wspc_client_same_connection(const struct wspc_client *a, const struct wspc_client *b)
{
    return config_same_text(a->server, b->server) && config_same_text(a->authority, b->authority) &&
           config_same_text(a->auth, b->auth) && config_same_text(a->headers, b->headers) &&
           a->dialect == b->dialect && a->connections == b->connections;
}

/* All of it stands in the URL but the key it comes from. */
bool wspc_listener_same(const struct wspc_listener *a, const struct wspc_listener *b)
{
    return a->kind == b->kind && strcmp(a->url, b->url) == 0;
}

bool wspc_remote_same(const struct wspc_remote *a, const struct wspc_remote *b)
{
    return strcmp(a->url, b->url) == 0;
}
