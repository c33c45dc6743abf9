/* The frame both daemons run in: log, loop, signals, the service manager. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <wsp/config.h>
#include <wsp/loop.h>
#include <wsp/status.h>

#include "daemon/log_output.h"
#include "daemon/loop_lws.h"
#include "daemon/notify.h"

struct daemon {
    const char *program;
    struct wsp_loop *loop; /* owned */
    struct loop_lws *lws;  /* owned */
    struct log log;        /* of the daemon's own lines; the loop's go the same way */
    struct log_output output;
    struct notify notify;
    struct loop_lws_watch signals;    /* the descriptor is owned; -1: none */
    struct wsp_status_socket *status; /* owned; NULL: none */
    bool ending;                      /* a signal has come */
    void (*on_end)(void *ctx);        /* asked to end: finish what is open, then call daemon_end */
    /* SIGHUP: read the configuration again and apply it, or change nothing and say why in `error`.
     * NULL: SIGHUP is as SIGTERM. */
    enum wsp_err (*on_reload)(void *ctx, char error[WSP_ERROR_MAX]);
    void *ctx; /* borrowed */
};

/* Becomes the user of `process`, then opens all of it. The first SIGTERM or SIGINT calls on_end
 * (set it before daemon_run), the second ends daemon_run at once. SIGHUP opens the log file anew
 * and calls on_reload, unless the end has begun. SIGPIPE is ignored; the limit of open descriptors
 * is set as `process` says. WSP_OK, or an error with a line in `error`: call daemon_close either
 * way.
 */
enum wsp_err daemon_open(struct daemon *d, const char *program, const struct wsp_process *process,
                         char error[WSP_ERROR_MAX]);

/* Opens the status socket (wsp/status.h); `file` is that of the configuration, `document` gets ctx.
 * It is closed when the end begins, so that a successor can have its place. */
enum wsp_err daemon_start_status(struct daemon *d, const char *path, const char *file,
                                 char *(*document)(void *ctx), char error[WSP_ERROR_MAX]);

/* Warns when connections of that number could need more descriptors than there are. */
void daemon_expect_connections(const struct daemon *d, size_t count);

/* Warns when the configuration `file` (NULL: there is none) was read with rights that are gone. */
void daemon_expect_reload(const struct daemon *d, const char *file);

/* What was configured is open: gives up the rights that only the start needed, filters system
 * calls, and tells the service manager. WSP_OK, or an error with a line in `error`. */
enum wsp_err daemon_ready(struct daemon *d, const struct wsp_process *process,
                          char error[WSP_ERROR_MAX]);

/* From on_reload: log and status socket become those of `now`; what cannot be opened there stays
 * where it is, which is logged. Says so when something else of the process is to change. */
void daemon_reconfigure(struct daemon *d, const struct wsp_process *before,
                        const struct wsp_process *now);

/* Runs until daemon_end. */
void daemon_run(struct daemon *d);
void daemon_end(struct daemon *d);
void daemon_close(struct daemon *d);

#endif
