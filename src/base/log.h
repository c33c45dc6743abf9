/* Levelled logging through a callback. The level is tested before arguments are evaluated. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wsp/log.h"

#define LOG_LINE_MAX 1024 /* bytes of one message; longer ones are cut */

struct log {
    enum wsp_log_level level;
    wsp_log_write *write; /* NULL: nobody reads it */
    void *ctx;            /* borrowed */
};

/* Formats and writes one line; use the macros. Accepts NULL. */
void log_printf(const struct log *log, enum wsp_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static inline bool log_on(const struct log *log, enum wsp_log_level level)
{
    return log && log->write && level <= log->level;
}

#define log_at(log, lv, ...)                      \
    do {                                          \
        if (log_on((log), (lv)))                  \
            log_printf((log), (lv), __VA_ARGS__); \
    } while (0)
#define log_error(log, ...) log_at(log, WSP_LOG_ERROR, __VA_ARGS__)
#define log_warn(log, ...) log_at(log, WSP_LOG_WARN, __VA_ARGS__)
#define log_info(log, ...) log_at(log, WSP_LOG_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_at(log, WSP_LOG_DEBUG, __VA_ARGS__)
#define log_trace(log, ...) log_at(log, WSP_LOG_TRACE, __VA_ARGS__)

/* Puts '?' for the control bytes of a text that may be a peer's, and for the two bytes of those
 * from U+0080 to U+009F: it stays one line, and drives no terminal. */
void log_disarm(char *text, size_t len);

/* "error" and so on; "" when it is none. */
const char *log_level_text(enum wsp_log_level level);

/* Parses error, warn, info, debug, trace; false when it is none of these. */
bool log_level_parse(const char *name, enum wsp_log_level *out);

/* Lets `burst` lines through per `window_us`; peers' faults are logged under one of these. */
struct log_limit {
    uint64_t window_us;
    unsigned burst;
    uint64_t start_us; /* of the current window */
    unsigned used;
    unsigned dropped; /* in the windows before; reported and cleared by the caller */
};

/* True when a line may be written now. */
bool log_limit_ok(struct log_limit *limit, uint64_t now_us);

#endif
