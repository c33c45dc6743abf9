/*
 * The status socket: a unix socket for the daemon's own user and root. Whoever connects is sent one
 * JSON document, and the connection is closed.
 */
#ifndef DAEMON_STATUS_SOCKET_H
#define DAEMON_STATUS_SOCKET_H

#include "base/json_out.h"
#include "config/common.h"
#include "net/listener.h"

struct status_source {
    const char *program;                          /* borrowed, as all here */
    const char *file;                             /* of the configuration; NULL: none */
    void (*write)(void *ctx, struct json_out *j); /* members of the document's root */
    void *ctx;
};

struct status_socket {
    struct wsp_loop *loop; /* borrowed; NULL while not started */
    struct listener listener;
    struct status_source source;
    char *path; /* owned; as configured */
    char *file; /* owned; source.file as an absolute path; NULL: none */
    uint64_t began_us;
    struct list clients; /* that have not taken all of their document */
    struct log_limit noise;
};

/*
 * Listens at `path`; NULL is the default place, "" none. What fails at the default place is logged
 * only, since nobody has asked for it. WSP_OK, or WSP_ERR_SYSTEM with a line in `error`.
 */
enum wsp_err status_socket_start(struct status_socket *s, struct wsp_loop *loop, const char *path,
                                 const struct status_source *source, char error[CONFIG_ERROR_MAX]);

/* A reload: `path` is the configured one now. On failure it stays where it is. */
enum wsp_err status_socket_move(struct status_socket *s, const char *path,
                                char error[CONFIG_ERROR_MAX]);

/* Removes the socket and ends its connections. Safe when not started (zeroed). */
void status_socket_stop(struct status_socket *s);

#endif
