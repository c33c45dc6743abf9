#include "wspc/channel_arg.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Unreserved characters, sub-delimiters and ":"; "@" as well, since no host follows. */
static bool is_allowed(unsigned char c)
{
    return c < 0x80 && (isalnum(c) || (c && strchr("-._~!$&'()*+,;=:@", c)));
}

/* The byte that `p` begins with, itself or as %XX; NUL: none. */
static char byte_at(const char *p)
{
    char digits[3] = "";

    if (*p != '%')
        return (char)(is_allowed((unsigned char)*p) ? *p : '\0');
    if (!isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2]))
        return '\0';
    memcpy(digits, p + 1, 2);
    return (char)strtol(digits, NULL, 16);
}

/* Up to `end`, which is no hexadecimal digit. `out` has room for as many bytes and a NUL. */
static bool decode(const char *p, const char *end, char *out)
{
    for (; p < end; p += *p == '%' ? 3 : 1) {
        *out = byte_at(p);
        if (!*out++)
            return false;
    }
    *out = '\0';
    return true;
}

bool channel_arg_parse(const char *text, struct channel_arg *out)
{
    const char *end = text + strlen(text), *colon = text + strcspn(text, ":");

    *out = (struct channel_arg){.has_password = *colon == ':'};
    if (colon == text || end - text >= CHANNEL_ARG_MAX || !decode(text, colon, out->channel))
        return false;
    return !out->has_password || decode(colon + 1, end, out->password);
}
