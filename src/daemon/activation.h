/*
 * Socket activation, by the protocol of sd_listen_fds(3): sockets that the service manager listens
 * on and passes to the process, from descriptor 3 on.
 */
#ifndef DAEMON_ACTIVATION_H
#define DAEMON_ACTIVATION_H

#include <stddef.h>
#include <wsp/err.h>

#define ACTIVATION_SOCKETS_MAX 8 /* as many as a server takes */

struct activation {
    int fd[ACTIVATION_SOCKETS_MAX]; /* whose they are becomes the matter of the caller */
    size_t count;
};

/* Takes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES out of the environment. WSP_OK, with no socket
 * when none were passed to this process; or an error with a line in `error` when one cannot be
 * used. */
enum wsp_err activation_take(struct activation *out, char error[WSP_ERROR_MAX]);

#endif
