/* Whether files have changed since they were last looked at. */
#ifndef NET_FILE_STAMP_H
#define NET_FILE_STAMP_H

#include <stddef.h>
#include <stdint.h>

/* A number that changes when one of the files is replaced or written to, or comes or goes; NULL
 * among the names counts for nothing. Start with 0, or with the stamp of other files. */
uint64_t file_stamp(uint64_t stamp, const char *const *files, size_t count);

#endif
