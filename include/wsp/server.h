/*
 * A server: what wsps is, within a program. It gets its connections in three ways, which can be
 * mixed: it listens by itself; a web server of the program hands over connections
 * (wsp/connection.h); or it stands in front and hands what it does not want to the program
 * (wsp/request.h).
 */
#ifndef WSP_SERVER_H
#define WSP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <wsp/config.h>
#include <wsp/event.h>
#include <wsp/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wsp_server;
struct wsp_request;

/* Zero-initialise; all but `config` may be left so. */
struct wsp_server_options {
    struct wsp_config *config; /* as wsps.json; borrowed for the call */
    bool no_listener;          /* connections are handed over only: `port` is not needed */
    const int *socket;         /* sockets that listen already, instead of `bind` and `port`; taken,
                                * even on failure */
    size_t socket_count;       /* at most 8 */
    /*
     * A request that is neither for a link nor for a service: answer it, or take its connection
     * (wsp/request.h), before returning; else the visitor gets 404. NULL: they all get 404.
     */
    void (*fallback)(void *ctx, struct wsp_request *request);
    wsp_event_handler *event;
    void *ctx; /* of both; borrowed until the server is freed */
};

/* Opens the public port. NULL on failure, with a line in `error`: then nothing is left open. */
WSP_API struct wsp_server *wsp_server_new(struct wsp_loop *loop,
                                          const struct wsp_server_options *options,
                                          char error[WSP_ERROR_MAX]);

/* Ends everything at once. No callback follows, but for `closed` of connections that were handed
 * over, which are called before it returns or before the turn ends. Accepts NULL. */
WSP_API void wsp_server_free(struct wsp_server *server);

/* Goes on with another configuration, which counts for all that begins from now on; what is open is
 * not touched. WSP_OK; or an error with a line in `error`, and nothing has changed:
 * WSP_ERR_CONFIG, WSP_ERR_USAGE, WSP_ERR_SYSTEM or WSP_ERR_NOMEM. */
WSP_API enum wsp_err wsp_server_reload(struct wsp_server *server, struct wsp_config *config,
                                       char error[WSP_ERROR_MAX]);

/* Stops listening and opening; `drained` is called when what was open has ended, or after the
 * configured time (time.drain). WSP_OK or WSP_ERR_USAGE. */
WSP_API enum wsp_err wsp_server_drain(struct wsp_server *server, void (*drained)(void *ctx),
                                      void *ctx);

#define WSP_ADDRESS_MAX 128 /* bytes of a socket's address as text, with its NUL */

/* Where listening socket `index` is: "192.0.2.1:80", "[2001:db8::1]:80". False when there is none.
 */
WSP_API bool wsp_server_address(const struct wsp_server *server, size_t index,
                                char out[WSP_ADDRESS_MAX]);

/* What `wsps --status --json` shows, as members of one JSON object; free() it. NULL without
 * memory. */
WSP_API char *wsp_server_status(struct wsp_server *server);

#ifdef __cplusplus
}
#endif
#endif
