/* Accepts TCP connections, up to a limit. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/address.h"
#include "net/loop.h"

#define LISTENER_SOCKETS_MAX 8

/* Sockets that listen already: given to the process when it was started. */
struct listener_sockets {
    int fd[LISTENER_SOCKETS_MAX];
    size_t count;
};

struct listener_socket {
    struct watch watch;
    struct listener *listener;
};

struct listener {
    struct wsp_loop *loop;
    struct listener_socket socket[LISTENER_SOCKETS_MAX]; /* the descriptors are owned */
    size_t socket_count;                                 /* 0: stopped */
    bool passed;          /* the sockets were given to us: they stay where they are */
    struct timer retry;   /* accepting again after a shortage */
    struct address local; /* of the first socket */
    char *path;           /* owned; of the unix socket; NULL: TCP */
    size_t limit;         /* connections at once */
    size_t accepted;      /* not yet given back by listener_release */
    struct log_limit noise;
    /* A connection, non-blocking; `fd` is taken. Everyone calls listener_release once when it ends.
     */
    void (*on_accept)(struct listener *l, int fd, const struct address *peer);
};

#define LISTENER_ERROR_MAX 256

/* Closes them: who was to listen on them cannot start. Accepts NULL. */
void listener_sockets_close(const struct listener_sockets *sockets);

struct listener_options {
    bool nowhere; /* it listens to nobody: connections come by listener_take alone */
    const struct listener_sockets *passed; /* taken, even on failure; instead of all but the limit
                                            * when there are some; NULL: none */
    const char *bind;                      /* address or name; NULL: all addresses, IPv6 and IPv4 */
    const char *path; /* of a unix socket, instead of bind and port; one left behind is replaced */
    unsigned port;    /* 0: any that is free */
    size_t limit;     /* connections at once */
};

/* Listens; on_accept is set before. `error` gets "listen on ADDRESS: reason" on failure.
 * WSP_OK or WSP_ERR_SYSTEM. */
enum wsp_err listener_start(struct listener *l, struct wsp_loop *loop,
                            const struct listener_options *options, char error[LISTENER_ERROR_MAX]);

/*
 * Listens on another TCP address instead; what was accepted, or waits to be, is not touched and
 * counts on. On failure it goes on as it was. A new address at the same port may overlap the old
 * one. Errors as for listener_start. Not for sockets that were passed.
 */
enum wsp_err listener_move(struct listener *l, const struct listener_options *options,
                           char error[LISTENER_ERROR_MAX]);

/* Where socket `i` listens; false when there is none. */
bool listener_address(const struct listener *l, size_t i, struct address *out);

/* Connections at once from now on; those that are above it stay. */
void listener_set_limit(struct listener *l, size_t limit);

/* A place for a connection that was accepted by somebody else, who calls listener_release when it
 * ends. False when none is free. Also when it listens nowhere, or has stopped. */
bool listener_take(struct listener *l);
bool listener_is_full(const struct listener *l);

/* A connection it accepted, or gave a place, has ended. */
void listener_release(struct listener *l);

/* Stops listening. Safe when not started (zeroed). */
void listener_stop(struct listener *l);

#endif
