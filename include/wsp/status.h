/*
 * The status socket of the daemons, for programs that want `wsps --status` to work with them: a
 * unix socket for the program's own user and root. Whoever connects is sent one JSON document, and
 * the connection is closed.
 */
#ifndef WSP_STATUS_H
#define WSP_STATUS_H

#include <wsp/err.h>
#include <wsp/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wsp_status_socket;

/* Zero-initialise. Strings are copied. */
struct wsp_status_options {
    const char *program; /* "wsps" or "wspc": names the socket in the default place */
    const char *version; /* of the program */
    const char *file;    /* of its configuration; NULL: none */
    const char *path; /* of the socket; NULL: the default place (docs/configuration.md), "": none.
                       * What fails at the default place is logged only */
    char *(*document)(
        void *ctx); /* as wsp_server_status: free()d by the library; NULL: no memory */
    void *ctx;      /* borrowed until it is closed */
};

/* NULL with a line in `error`. */
WSP_API struct wsp_status_socket *wsp_status_open(struct wsp_loop *loop,
                                                  const struct wsp_status_options *options,
                                                  char error[WSP_ERROR_MAX]);

/* The path is this one from now on. WSP_OK or WSP_ERR_USAGE; on WSP_ERR_SYSTEM and WSP_ERR_NOMEM,
 * with a line in `error`, it stays where it is. */
WSP_API enum wsp_err wsp_status_move(struct wsp_status_socket *socket, const char *path,
                                     char error[WSP_ERROR_MAX]);

/* Removes the socket and ends its connections. Accepts NULL. */
WSP_API void wsp_status_close(struct wsp_status_socket *socket);

#ifdef __cplusplus
}
#endif
#endif
