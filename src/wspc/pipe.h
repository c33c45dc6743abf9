/* wspc -W: standard input and output joined to a channel, for ssh's ProxyCommand. */
#ifndef WSPC_PIPE_H
#define WSPC_PIPE_H

#include "daemon/settings.h"

/* Runs until the channel or a signal ends it. `channel` is CHANNEL[:PASSWORD] (wspc/channel_arg.h).
 * The configuration is changed. Returns the exit status: EXIT_OK when a channel was opened, else
 * another one with a line in `error`. */
int pipe_run(struct configured *configured, const char *channel, char error[WSP_ERROR_MAX]);

#endif
