/* Log levels, and how a program gets the lines. */
#ifndef WSP_LOG_H
#define WSP_LOG_H

#include <stddef.h>
#include <wsp/api.h>

#ifdef __cplusplus
extern "C" {
#endif

enum wsp_log_level {
    WSP_LOG_ERROR = 0,
    WSP_LOG_WARN = 1,
    WSP_LOG_INFO = 2,
    WSP_LOG_DEBUG = 3, /* the signalling */
    WSP_LOG_TRACE = 4, /* everything */
};

/*
 * Takes one line: `len` bytes without newline, NUL-terminated, at most 1023, borrowed for the call;
 * control bytes are replaced by '?', and it holds no secret. Must not call the library.
 */
typedef void wsp_log_write(void *ctx, enum wsp_log_level level, const char *line, size_t len);

/* "error", "warn", "info", "debug", "trace"; static storage. */
WSP_API const char *wsp_log_level_name(enum wsp_log_level level);

#ifdef __cplusplus
}
#endif
#endif
