/*
 * Where a daemon's log goes: standard output or a file, one line each with time and level. Where
 * the stream is the journal's (systemd.exec(5), JOURNAL_STREAM), a line has its priority in front
 * instead, as sd-daemon(3) describes.
 */
#ifndef DAEMON_LOG_OUTPUT_H
#define DAEMON_LOG_OUTPUT_H

#include <stdbool.h>
#include <wsp/err.h>

#include "base/log.h"

struct log_output {
    int fd;       /* owned unless it is standard output */
    bool journal; /* fd is a stream of the journal */
    char *path;   /* owned; NULL: standard output */
};

/* Opens it at `path` (NULL: standard output) and connects `log` to it, whose level is set already.
 * Errors as for log_output_reopen, which leave it closed. */
enum wsp_err log_output_open(struct log_output *o, const char *path, struct log *log,
                             char error[WSP_ERROR_MAX]);

/* Goes on at `path`, which is opened anew even if it is there already: the
 * file may have been renamed. On failure it goes on as before; `error` gets "log.output: FILE:
 * reason". WSP_OK or WSP_ERR_SYSTEM. */
enum wsp_err log_output_reopen(struct log_output *o, const char *path, char error[WSP_ERROR_MAX]);

/* Standard output is for something else: the log goes to standard error, unless it goes to a file.
 */
void log_output_to_stderr(struct log_output *o);
void log_output_close(struct log_output *o);

/* A last line on standard error: "PROGRAM: TEXT". */
void log_output_fatal(const char *program, const char *text);

#endif
