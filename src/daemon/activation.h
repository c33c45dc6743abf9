/*
 * Socket activation, by the protocol of sd_listen_fds(3): sockets that the service manager listens
 * on and passes to the process, from descriptor 3 on.
 */
#ifndef DAEMON_ACTIVATION_H
#define DAEMON_ACTIVATION_H

#include "config/json.h"
#include "net/listener.h"

/* Takes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES out of the environment; to be called before
 * anything is opened. WSP_OK, with no socket when none were passed to this process; or an error
 * with a line in `error` when one cannot be used. */
enum wsp_err activation_take(struct listener_sockets *out, char error[CONFIG_ERROR_MAX]);

#endif
