/* Levelled logging through a callback. The level is tested before arguments are evaluated. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR = 0,
    LOG_LEVEL_WARN = 1, /* shown at every level but error */
    LOG_LEVEL_INFO = 2,
    LOG_LEVEL_DEBUG = 3, /* the signalling */
    LOG_LEVEL_TRACE = 4, /* everything */
};

#define LOG_LINE_MAX 1024 /* bytes of one message; longer ones are cut */

struct log {
    enum log_level level;
    /* One line without newline, control bytes replaced by '?'. */
    void (*write)(void *ctx, enum log_level level, const char *line, size_t len);
    void *ctx; /* borrowed */
};

/* Formats and writes one line; use the macros. Accepts NULL. */
void log_printf(const struct log *log, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static inline bool log_on(const struct log *log, enum log_level level)
{
    return log && log->write && level <= log->level;
}

#define log_at(log, lv, ...)                      \
    do {                                          \
        if (log_on((log), (lv)))                  \
            log_printf((log), (lv), __VA_ARGS__); \
    } while (0)
#define log_error(log, ...) log_at(log, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(log, ...) log_at(log, LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(log, ...) log_at(log, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_at(log, LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_trace(log, ...) log_at(log, LOG_LEVEL_TRACE, __VA_ARGS__)

const char *log_level_name(enum log_level level);

/* Parses error, warn, info, debug, trace; false when it is none of these. */
bool log_level_parse(const char *name, enum log_level *out);

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
