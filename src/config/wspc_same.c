#include "config/wspc_same.h"

static bool same_tls(const struct config_tls_client *a, const struct config_tls_client *b)
{
    return config_same_text(a->ca, b->ca) && config_same_text(a->crl, b->crl) &&
           config_same_text(a->cert, b->cert) && config_same_text(a->key, b->key) &&
           config_same_text(a->sni, b->sni) && a->insecure == b->insecure;
}

static bool same_proxy(const struct config_proxy *a, const struct config_proxy *b)
{
    return a->kind == b->kind && config_same_text(a->host, b->host) && a->port == b->port &&
           config_same_text(a->user, b->user) && config_same_text(a->password, b->password);
}

bool wspc_client_same_connection(const struct wspc_client *a, const struct wspc_client *b)
{
    return config_same_text(a->server, b->server) && config_same_text(a->authority, b->authority) &&
           config_same_text(a->auth, b->auth) && config_same_text(a->headers, b->headers) &&
           a->dialect == b->dialect && a->connections == b->connections &&
           same_tls(&a->tls, &b->tls) && same_proxy(&a->proxy, &b->proxy);
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
