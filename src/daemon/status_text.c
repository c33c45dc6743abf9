#include "daemon/status_text.h"

#include <stdint.h>
#include <stdio.h>

#include "base/slice.h"

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

const char *status_bytes(double bytes, char out[STATUS_NUMBER_MAX])
{
    static const char units[] = "KMGTPE";
    size_t unit = 0;

    if (bytes < 1024) {
        snprintf(out, STATUS_NUMBER_MAX, "%.0f", bytes);
        return out;
    }
    bytes /= 1024;
    while (bytes >= 1023.5 && units[unit + 1]) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, STATUS_NUMBER_MAX, bytes < 9.95 ? "%.1f%c" : "%.0f%c", bytes, units[unit]);
    return out;
}

const char *status_age(double seconds, char out[STATUS_NUMBER_MAX])
{
    unsigned long s = seconds < 1e9 ? (unsigned long)seconds : 1000000000;

    if (s < MINUTE)
        snprintf(out, STATUS_NUMBER_MAX, "%lus", s);
    else if (s < HOUR)
        snprintf(out, STATUS_NUMBER_MAX, "%lum", s / MINUTE);
    else if (s < DAY)
        snprintf(out, STATUS_NUMBER_MAX, "%luh%02lu", s / HOUR, s % HOUR / MINUTE);
    else
        snprintf(out, STATUS_NUMBER_MAX, "%lud%02lu", s / DAY, s % DAY / HOUR);
    return out;
}

const char *status_rtt(double ms, char out[STATUS_NUMBER_MAX])
{
    const char *format = ms < 0.995 ? "%.2fms" : ms < 9.95 ? "%.1fms" : "%.0fms";

    if (ms >= 999.5)
        snprintf(out, STATUS_NUMBER_MAX, "%.1fs", ms < 1e6 ? ms / 1000 : 1000);
    else
        snprintf(out, STATUS_NUMBER_MAX, format, ms);
    return out;
}

/* One character of a text, and what is shown for it. */
struct glyph {
    size_t len; /* bytes of the text */
    const char *shown;
    size_t shown_len, columns;
};

static uint32_t code_point(const uint8_t *p, size_t len)
{
    uint32_t c = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));

    for (size_t i = 1; i < len; i++)
        c = c << 6 | (p[i] & 0x3fu);
    return c;
}

/* C0 and C1, and the marks that embed, override and isolate a direction. */
static bool is_harmful(uint32_t c)
{
    return c < ' ' || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* From U+1100 on, two columns are a guess on the safe side. */
static struct glyph next_glyph(const char *text)
{
    struct slice s = slice_of(text, strnlen(text, 4));
    size_t len = slice_utf8_len(s);
    uint32_t c = len ? code_point(s.p, len) : 0;

    if (is_harmful(c))
        return (struct glyph){.len = len ? len : 1, .shown = "?", .shown_len = 1, .columns = 1};
    return (struct glyph){
        .len = len, .shown = text, .shown_len = len, .columns = c < 0x1100 ? 1 : 2};
}

/* Columns of the whole text, as far as they matter. */
static size_t measure(const char *text)
{
    size_t columns = 0;

    while (*text && columns <= STATUS_COLUMNS) {
        struct glyph g = next_glyph(text);

        columns += g.columns;
        text += g.len;
    }
    return columns;
}

size_t status_fit(const char *text, size_t columns, char out[STATUS_CELL_MAX])
{
    bool cut = measure(text) > columns;
    size_t room = cut ? columns - 2 : columns;
    size_t used = 0;

    while (*text) {
        struct glyph g = next_glyph(text);

        if (used + g.columns > room)
            break;
        memcpy(out, g.shown, g.shown_len);
        out += g.shown_len;
        used += g.columns;
        text += g.len;
    }
    memcpy(out, cut ? ".." : "", cut ? 3 : 1);
    return used + (cut ? 2 : 0);
}
