/* Header lines that a user adds to the request for a link. */
#include <stdio.h>

#include "proto/handshake.h"
#include "proto/http1_chars.h"

/* Those of the handshake, Origin, for which a server refuses it, and those of a body. */
static bool is_own(struct slice name)
{
    static const char *const own[] = {
        "Upgrade", "Connection", "Auth", "Proto", "Origin", "Content-Length", "Transfer-Encoding"};
    static const char prefix[] = "Sec-WebSocket-";
    size_t n = sizeof(prefix) - 1;

    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (slice_eq_nocase(name, slice_str(own[i])))
            return true;
    return name.len >= n && slice_eq_nocase(slice_of(name.p, n), slice_str(prefix));
}

static const char *fault(struct slice name, struct slice value)
{
    if (!http1_is_token(name))
        return "expected the name of an HTTP header: letters, digits and '-'";
    if (is_own(name))
        return "this header belongs to the handshake and cannot be set";
    if (slice_has_control(value))
        return "control bytes are not allowed";
    if (slice_trim(value).len < value.len)
        return "must not start or end with a space";
    return NULL;
}

enum wsp_err handshake_extra_add(char *lines, struct slice name, struct slice value,
                                 const char **why)
{
    size_t used = strlen(lines), room = HANDSHAKE_EXTRA_MAX - used;
    size_t fixed = sizeof(": \r\n") - 1;

    *why = fault(name, value);
    if (*why)
        return WSP_ERR_MALFORMED;
    if (name.len > room || value.len > room || name.len + value.len + fixed > room) {
        *why = "all headers together can have up to 4096 bytes";
        return WSP_ERR_LIMIT;
    }
    snprintf(lines + used, room + 1, "%.*s: %.*s\r\n", SLICE_FMT(name), SLICE_FMT(value));
    return WSP_OK;
}
