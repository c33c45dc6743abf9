/* --status: asks the running daemon and prints its answer. */
#ifndef DAEMON_STATUS_ASK_H
#define DAEMON_STATUS_ASK_H

#include <stdbool.h>
#include <wsp/err.h>

/*
 * Asks at `path`, the key `status` of the configuration: NULL looks at the default places, "" means
 * that there is no socket. Prints tables, or the document itself (`json`), to standard output.
 * Returns the exit status: EXIT_OK, or EXIT_START with a line in `error`.
 */
int status_ask(const char *program, const char *path, bool json, char error[WSP_ERROR_MAX]);

#endif
