/*
 * A client: what wspc is, within a program. It keeps links to its servers, registers what its
 * configuration offers and opens its listeners; beyond that it gives the program streams of its
 * own.
 */
#ifndef WSP_CLIENT_H
#define WSP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <wsp/config.h>
#include <wsp/event.h>
#include <wsp/loop.h>
#include <wsp/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wsp_client;

/* Zero-initialise; all but `config` may be left so. */
struct wsp_client_options {
    struct wsp_config *config; /* as wspc.json; borrowed for the call */
    bool links_only;           /* of the entry of `client` that was added by key, or else the first
                                * one: only its links, and what was added to it by key; all else that
                                * the configuration would open or register is left out */
    wsp_event_handler *event;
    void *ctx; /* of `event`; borrowed until the client is freed */
};

/* Opens the listeners and begins to connect. NULL on failure, with a line in `error`: then nothing
 * is left open. */
WSP_API struct wsp_client *wsp_client_new(struct wsp_loop *loop,
                                          const struct wsp_client_options *options,
                                          char error[WSP_ERROR_MAX]);

/*
 * Ends everything at once. Streams are over (WSP_ERR_LOST) but still to be freed by their owner;
 * their `closed` is not called any more. No callback follows. Accepts NULL.
 */
WSP_API void wsp_client_free(struct wsp_client *client);

/* Goes on with another configuration: what is the same in both is left alone, and so is all that is
 * open. WSP_OK; WSP_ERR_CONFIG, WSP_ERR_USAGE or WSP_ERR_NOMEM with a line in `error`, and nothing
 * has changed. */
WSP_API enum wsp_err wsp_client_reload(struct wsp_client *client, struct wsp_config *config,
                                       char error[WSP_ERROR_MAX]);

/* Stops listening and opening; `drained` is called when what was open has ended, or after the
 * configured time (time.drain). WSP_OK or WSP_ERR_USAGE. */
WSP_API enum wsp_err wsp_client_drain(struct wsp_client *client, void (*drained)(void *ctx),
                                      void *ctx);

/* Entries of `client`, and how many of them have a link on which channels can be opened. */
WSP_API size_t wsp_client_servers(const struct wsp_client *client);
WSP_API size_t wsp_client_servers_up(const struct wsp_client *client);

/* What to open. Zero-initialise; strings are copied. */
struct wsp_target {
    const char *channel;  /* what another client offers under this name; NULL: out of the server */
    const char *password; /* of the channel; NULL: none */
    const char *host;     /* where to, from the server or from a channel that is a tunnel; a name or
                           * an address, IPv6 without brackets; NULL: the channel says it */
    unsigned port;        /* with `host`: 1 to 65535 */
    size_t server;        /* which entry of `client`, from 0 */
};

/*
 * Opens a stream, owned by the caller. Without a link it waits for one for as long as time.open,
 * and then for the answer for as long again. `events` is copied. NULL with a line in `error` when
 * it cannot even be asked for; what the far side says, or that there was no link and why, comes
 * with `opened` or `closed`.
 */
WSP_API struct wsp_stream *wsp_client_open(struct wsp_client *client,
                                           const struct wsp_target *target,
                                           const struct wsp_stream_events *events, void *ctx,
                                           char error[WSP_ERROR_MAX]);

/*
 * The same for a connected, non-blocking stream socket: its bytes are relayed until both directions
 * have ended. `fd` is taken, even on failure. `ended` (may be NULL) is called with WSP_OK when it
 * was opened and is over, else as `closed` of a stream. WSP_OK, or an error with a line in `error`.
 */
WSP_API enum wsp_err wsp_client_relay(struct wsp_client *client, const struct wsp_target *target,
                                      int fd,
                                      void (*ended)(void *ctx, enum wsp_err why, const char *text),
                                      void *ctx, char error[WSP_ERROR_MAX]);

/* What is served without any TCP port. */
struct wsp_serve {
    const char *channel;  /* the name; copied */
    const char *password; /* who opens it has to know; NULL: none; copied */
    size_t server;        /* which entry of `client`, from 0 */
    /*
     * Somebody opens it. True: it is accepted, `stream` is the program's: it calls
     * wsp_stream_set_events, now or before the turn ends, and frees it. False: it is refused.
     */
    bool (*accept)(void *ctx, struct wsp_stream *stream);
    void *ctx; /* borrowed until wsp_client_unserve, or until the client is freed */
};

/* Registers a channel with the server, now and with each new link; events tell what became of it.
 * WSP_OK, or WSP_ERR_USAGE (bad or taken name, no such entry) or WSP_ERR_NOMEM with a line in
 * `error`. */
WSP_API enum wsp_err wsp_client_serve(struct wsp_client *client, const struct wsp_serve *serve,
                                      char error[WSP_ERROR_MAX]);

/* Withdraws it; its streams go on. WSP_OK, or WSP_ERR_USAGE when it is not served. */
WSP_API enum wsp_err wsp_client_unserve(struct wsp_client *client, const char *channel,
                                        size_t server);

/* What `wspc --status --json` shows, as members of one JSON object; free() it. NULL without
 * memory. */
WSP_API char *wsp_client_status(struct wsp_client *client);

#ifdef __cplusplus
}
#endif
#endif
