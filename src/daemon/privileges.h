/*
 * Who the process is. It becomes the configured user before it opens anything, so that what can be
 * opened at the start can be opened again at a reload; until the start is over it may still bind
 * ports below 1024.
 */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include <wsp/config.h>

/* Becomes the user and group of `p`, if they are set and not the present ones. WSP_OK, or an error
 * with a line in `error`. */
enum wsp_err privileges_drop(const struct wsp_process *p, char error[WSP_ERROR_MAX]);

/* The start is over: gives up what was kept for it, and for good any way to more. WSP_OK, or an
 * error with a line in `error`, also when the process could still become root. */
enum wsp_err privileges_settle(const struct wsp_process *p, char error[WSP_ERROR_MAX]);

#endif
