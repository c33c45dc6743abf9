/*
 * The value of -W: CHANNEL[:PASSWORD], written as the user info of a URL (RFC 3986 section 3.2.1),
 * so that what stands in a configuration can be copied.
 */
#ifndef WSPC_CHANNEL_ARG_H
#define WSPC_CHANNEL_ARG_H

#include <stdbool.h>

#define CHANNEL_ARG_MAX 4096 /* bytes of it, with the NUL */

struct channel_arg {
    char channel[CHANNEL_ARG_MAX]; /* decoded, not empty */
    char password[CHANNEL_ARG_MAX];
    bool has_password;
};

/* False when it is too long, has an empty channel, a byte that user info must not have, or a
 * percent sign without two hexadecimal digits that make a byte other than NUL. */
bool channel_arg_parse(const char *text, struct channel_arg *out);

#endif
