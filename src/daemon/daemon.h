/* The frame both daemons run in: log, loop, signals, the service manager. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "config/process.h"
#include "daemon/log_output.h"
#include "daemon/notify.h"
#include "daemon/status_socket.h"
#include "net/loop.h"
#include "net/loop_lws.h"

struct daemon {
    const char *program;
    struct wsp_loop *loop; /* owned */
    struct loop_lws *lws;  /* owned */
    struct log_output log;
    struct notify notify;
    struct watch signals;
    struct status_socket status;
    bool ending;               /* a signal has come */
    void (*on_end)(void *ctx); /* asked to end: finish what is open, then call daemon_end */
    /* SIGHUP: read the configuration again and apply it, or change nothing and say why in `error`.
     * NULL: SIGHUP is as SIGTERM. */
    enum wsp_err (*on_reload)(void *ctx, char error[CONFIG_ERROR_MAX]);
    /* --status: write members of the document's root. */
    void (*on_status)(void *ctx, struct json_out *j);
    void *ctx; /* borrowed */
};

/* Becomes the user of `process`, then opens all of it. The first SIGTERM or SIGINT calls on_end
 * (set it before daemon_run), the second ends daemon_run at once. SIGHUP opens the log file anew
 * and calls on_reload, unless the end has begun. SIGPIPE is ignored; the limit of open descriptors
 * is set as `process` says. WSP_OK, or an error with a line in `error`: call daemon_close either
 * way.
 */
enum wsp_err daemon_open(struct daemon *d, const char *program, const struct config_log *log,
                         const struct config_process *process, char error[CONFIG_ERROR_MAX]);

/* Warns when connections of that number could need more descriptors than there are. */
void daemon_expect_connections(const struct daemon *d, size_t count);

/* Warns when the configuration `file` (NULL: there is none) was read with rights that are gone. */
void daemon_expect_reload(const struct daemon *d, const char *file);

/* What was configured is open: gives up the rights that only the start needed, filters system
 * calls, and tells the service manager. WSP_OK, or an error with a line in `error`. */
enum wsp_err daemon_ready(struct daemon *d, const struct config_process *process,
                          char error[CONFIG_ERROR_MAX]);

/* From on_reload: the log's level and place are to be these. When the file cannot be opened, which
 * is logged, it stays where it is. */
void daemon_set_log(struct daemon *d, const struct config_log *log);

/* From on_reload: says that only a restart changes the process, if that is asked for. */
void daemon_note_process(const struct daemon *d, const struct config_process *before,
                         const struct config_process *now);

/* From on_reload: the status socket is to be here, in the same way. */
void daemon_set_status(struct daemon *d, const char *path);

/* Opens the status socket (daemon/status_socket.h), on_status and ctx being set; `file` is that of
 * the configuration. It is closed when the end begins, so that a successor can have its place. */
enum wsp_err daemon_start_status(struct daemon *d, const char *path, const char *file,
                                 char error[CONFIG_ERROR_MAX]);

/* Runs until daemon_end. */
void daemon_run(struct daemon *d);
void daemon_end(struct daemon *d);
void daemon_close(struct daemon *d);

#endif
