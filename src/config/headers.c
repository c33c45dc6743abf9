#include "config/headers.h"

#include <stdlib.h>
#include <strings.h>

#include "proto/handshake.h"
#include "proto/http1.h"

static bool replace_host(struct json_at *at, const char *value, char **host)
{
    struct slice name;
    int port;

    if (http1_authority_parse(slice_str(value), &name, &port) != WSP_OK)
        return json_fail(at, "expected host[:port]");
    free(*host);
    *host = strdup(value);
    return *host || json_fail(at, "out of memory");
}

static bool read_header(struct json_at *at, const char *name, char *lines, char **host)
{
    const char *value, *why;

    if (!json_expect_string(at, &value))
        return false;
    if (strcasecmp(name, "Host") == 0)
        return replace_host(at, value, host);
    return handshake_extra_add(lines, slice_str(name), slice_str(value), &why) == WSP_OK ||
           json_fail(at, "%s", why);
}

bool config_headers_read(const struct json_at *object, char **lines, char **host)
{
    struct json_at headers, at;
    bool present;

    if (!json_get_object(object, "headers", &headers, &present) || !present)
        return !present;
    *lines = calloc(1, HANDSHAKE_EXTRA_MAX + 1);
    if (!*lines)
        return json_fail(&headers, "out of memory");
    for (const cJSON *child = headers.value->child; child; child = child->next)
        if (json_member(&headers, child->string, &at) &&
            !read_header(&at, child->string, *lines, host))
            return false;
    return true;
}
