/* The filter of system calls that a daemon puts itself under once it has started. */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include <stdbool.h>

/* Filters the system calls of the process from now on; it cannot be undone. True; or false with
 * `*why` (static storage), and nothing is filtered. */
bool sandbox_enter(const char **why);

#endif
