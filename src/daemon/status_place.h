/* Where the status socket of a daemon is when the configuration does not say. */
#ifndef DAEMON_STATUS_PLACE_H
#define DAEMON_STATUS_PLACE_H

#include <stdbool.h>

#include "config/common.h"

#define STATUS_PATH_MAX (CONFIG_UNIX_PATH_MAX + 1)
#define STATUS_PLACES 3

/*
 * The places, best first: $RUNTIME_DIRECTORY (systemd.exec(5)), /run/wsp, $XDG_RUNTIME_DIR; in each
 * "PROGRAM.sock". False when this one does not exist here, or its path would be too long.
 */
bool status_place(unsigned index, const char *program, char out[STATUS_PATH_MAX]);

/* The first place whose directory can be written to. False when there is none. */
bool status_place_for_daemon(const char *program, char out[STATUS_PATH_MAX]);

#endif
