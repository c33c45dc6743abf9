/*
 * Where the status socket of a daemon is when nobody says: who opens it and who asks look in the
 * same places.
 */
#ifndef BASE_STATUS_PLACE_H
#define BASE_STATUS_PLACE_H

#include <stdbool.h>

#define STATUS_PATH_MAX 108 /* bytes of a unix socket's path, with its NUL: sun_path */
#define STATUS_PLACES 3

/*
 * The places, best first: $RUNTIME_DIRECTORY (systemd.exec(5)), /run/wsp, $XDG_RUNTIME_DIR; in each
 * "PROGRAM.sock". False when this one does not exist here, or its path would be too long.
 */
bool status_place(unsigned index, const char *program, char out[STATUS_PATH_MAX]);

#endif
