/* The tunnel of a link through somebody's proxy: from a connection to the proxy to one that leads
 * to the server. */
#ifndef CLIENT_VIA_H
#define CLIENT_VIA_H

#include "base/buf.h"
#include "config/wspc_config.h"
#include "net/stream.h"

#define VIA_ERROR_MAX 768

/* Zeroed before via_start. */
struct via {
    const struct wspc_client *config; /* borrowed */
    struct proxy_request request;
    struct proxy_client client;
    struct buf in;             /* of the proxy's answer, not complete yet */
    size_t read;               /* bytes of all its answers */
    char error[VIA_ERROR_MAX]; /* for the log: which proxy, what it said, what to do */
};

/*
 * Asks config->proxy, which `stream` is connected to, for config->host and config->port. `config`
 * is borrowed until via_fini; what its strings are kept in may change between two calls.
 * WSP_OK, or as via_read when it fails.
 */
enum wsp_err via_start(struct via *v, struct stream *stream, const struct wspc_client *config);

/*
 * To be called when the stream can be read. WSP_OK: the stream leads to the server, and nothing
 * that came through the tunnel has been read. WSP_ERR_MORE: wait for the stream's next event.
 * Anything else: it has failed, and v->error says why. The stream stays open, whatever happens.
 */
enum wsp_err via_read(struct via *v, struct stream *stream);

/* Sets v->error to "proxy URL: text" and returns it. */
const char *via_error(struct via *v, const struct config_proxy *proxy, const char *text);

/* Safe at any time; v->error stays. */
void via_fini(struct via *v);

#endif
