/* A status document as tables for people. */
#ifndef DAEMON_STATUS_PRINT_H
#define DAEMON_STATUS_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/slice.h"

/* No line takes more than STATUS_COLUMNS. False when it is no such document. */
bool status_print(FILE *out, struct slice document);

#endif
