#include "base/log.h"

#include <stdio.h>
#include <string.h>

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};

/* A peer's text must not forge lines or drive the terminal, which obeys U+0080 to U+009F, too. */
void log_disarm(char *text, size_t len)
{
    uint8_t *line = (uint8_t *)text;

    for (size_t i = 0; i < len; i++) {
        if (i > 0 && line[i - 1] == 0xc2 && line[i] >= 0x80 && line[i] < 0xa0)
            line[i - 1] = line[i] = '?';
        else if (line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    }
}

void log_printf(const struct log *log, enum wsp_log_level level, const char *fmt, ...)
{
    char line[LOG_LINE_MAX];
    va_list ap;
    size_t len;
    int n;

    if (!log_on(log, level))
        return;
    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    len = (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1;
    log_disarm(line, len);
    log->write(log->ctx, level, line, len);
}

const char *log_level_text(enum wsp_log_level level)
{
    return (size_t)level < sizeof(level_names) / sizeof(*level_names) ? level_names[level] : "";
}

bool log_level_parse(const char *name, enum wsp_log_level *out)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(*level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum wsp_log_level)i;
            return true;
        }
    }
    return false;
}

bool log_limit_ok(struct log_limit *limit, uint64_t now_us)
{
    if (now_us - limit->start_us >= limit->window_us) {
        limit->start_us = now_us;
        limit->used = 0;
    }
    if (limit->used >= limit->burst) {
        limit->dropped++;
        return false;
    }
    limit->used++;
    return true;
}
