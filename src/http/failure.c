#include "http/failure.h"

#include <string.h>

static const struct {
    const char *part;
    enum failure failure;
} texts[] = {
    {"connection refused", FAILURE_REFUSED},
    {"network is unreachable", FAILURE_NETWORK_UNREACHABLE},
    {"no route to host", FAILURE_HOST_UNREACHABLE},
    {"host is down", FAILURE_HOST_UNREACHABLE},
    {"no such host", FAILURE_NO_SUCH_HOST},
    {"server misbehaving", FAILURE_NO_SUCH_HOST},
    {"not allowed", FAILURE_NOT_ALLOWED},
    {"password is incorrect", FAILURE_NOT_ALLOWED},
    {"timeout", FAILURE_TIMEOUT},
    {"timed out", FAILURE_TIMEOUT},
};

static const struct {
    enum socks5_reply reply;
    unsigned status;
    const char *text;
} answers[] = {
    [FAILURE_NONE] = {SOCKS5_SUCCEEDED, 200, "ok"},
    [FAILURE_GENERAL] = {SOCKS5_GENERAL_FAILURE, 502, "the target cannot be reached"},
    [FAILURE_NO_LINK] = {SOCKS5_GENERAL_FAILURE, 503, "the wsp link is down"},
    [FAILURE_REFUSED] = {SOCKS5_CONNECTION_REFUSED, 502, "connection refused"},
    [FAILURE_NETWORK_UNREACHABLE] = {SOCKS5_NETWORK_UNREACHABLE, 502, "network is unreachable"},
    [FAILURE_HOST_UNREACHABLE] = {SOCKS5_HOST_UNREACHABLE, 502, "no route to host"},
    [FAILURE_NO_SUCH_HOST] = {SOCKS5_HOST_UNREACHABLE, 502, "no such host"},
    [FAILURE_TIMEOUT] = {SOCKS5_TTL_EXPIRED, 504, "connecting timed out"},
    [FAILURE_NOT_ALLOWED] = {SOCKS5_NOT_ALLOWED, 403, "not allowed"},
};

enum failure failure_of_text(struct slice text)
{
    for (size_t i = 0; text.len && i < sizeof(texts) / sizeof(*texts); i++)
        if (memmem(text.p, text.len, texts[i].part, strlen(texts[i].part)))
            return texts[i].failure;
    return FAILURE_GENERAL;
}

enum socks5_reply failure_socks5(enum failure f)
{
    return answers[f].reply;
}

unsigned failure_http_status(enum failure f)
{
    return answers[f].status;
}

const char *failure_text(enum failure f)
{
    return answers[f].text;
}
