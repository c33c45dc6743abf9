/* Numbers and strings of a status document as short text for a terminal. */
#ifndef DAEMON_STATUS_TEXT_H
#define DAEMON_STATUS_TEXT_H

#include <stddef.h>

#define STATUS_COLUMNS 80
#define STATUS_CELL_MAX 512 /* bytes of a text of STATUS_COLUMNS, with room for its NUL */

/* The room that the next three need. */
#define STATUS_NUMBER_MAX 24

/* "0", "17", "1.5K", "340M": multiples of 1024. Returns out. */
const char *status_bytes(double bytes, char out[STATUS_NUMBER_MAX]);
/* "7s", "12m", "3h05", "12d03". */
const char *status_age(double seconds, char out[STATUS_NUMBER_MAX]);
/* "0.05ms", "12ms", "1.5s". */
const char *status_rtt(double ms, char out[STATUS_NUMBER_MAX]);

/*
 * Copies UTF-8 so that it takes at most `columns` (up to STATUS_COLUMNS) of a terminal: what is
 * longer is cut and ends in "..". Control characters and those that change the direction of text
 * become '?'. Returns how many columns are used.
 */
size_t status_fit(const char *text, size_t columns, char out[STATUS_CELL_MAX]);

#endif
