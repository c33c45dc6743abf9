#include "proto/socks5.h"

#include <arpa/inet.h>

#include "proto/ip_addr.h"

enum wsp_err socks5_greeting_parse(struct slice *in, struct socks5_greeting *g)
{
    struct socks5_greeting got = {0};

    if (in->len >= 1 && in->p[0] != SOCKS5_VERSION)
        return WSP_ERR_MALFORMED;
    if (in->len < 2)
        return WSP_ERR_MORE;

    size_t methods = in->p[1];

    if (methods == 0)
        return WSP_ERR_MALFORMED;
    if (in->len - 2 < methods)
        return WSP_ERR_MORE;
    for (size_t i = 0; i < methods; i++) {
        uint8_t method = in->p[2 + i];

        got.no_auth |= method == SOCKS5_NO_AUTH;
        got.user_pass |= method == SOCKS5_USER_PASS;
    }
    *g = got;
    slice_advance(in, 2 + methods);
    return WSP_OK;
}

/* Takes a length byte and that many bytes. */
static bool take_counted(struct slice *in, struct slice *out)
{
    if (in->len < 1 || in->len - 1 < in->p[0])
        return false;
    *out = slice_of(in->p + 1, in->p[0]);
    slice_advance(in, 1 + out->len);
    return true;
}

enum wsp_err socks5_auth_parse(struct slice *in, struct socks5_auth *a)
{
    struct slice rest = *in;
    struct socks5_auth got;

    if (rest.len == 0)
        return WSP_ERR_MORE;
    if (rest.p[0] != SOCKS5_AUTH_VERSION)
        return WSP_ERR_MALFORMED;
    slice_advance(&rest, 1);
    if (!take_counted(&rest, &got.user) || !take_counted(&rest, &got.password))
        return WSP_ERR_MORE;
    *a = got;
    *in = rest;
    return WSP_OK;
}

/* Bytes that would change the meaning of a URL or a log line the name is put into are refused. */
static bool is_name(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];

        if (c < 0x21 || c > 0x7e || strchr("/?#@[]\\%:", c))
            return false;
    }
    return text.len > 0;
}

static enum wsp_err take_name(struct slice *in, struct socks5_request *r)
{
    struct slice name;
    struct ip_addr address;

    if (!take_counted(in, &name))
        return WSP_ERR_MORE;
    r->is_name = !ip_addr_parse(name, &address);
    if (r->is_name && !is_name(name))
        return WSP_ERR_MALFORMED;
    memcpy(r->host, name.p, name.len);
    r->host[name.len] = '\0';
    return WSP_OK;
}

static enum wsp_err take_address(struct slice *in, int family, struct socks5_request *r)
{
    size_t len = family == AF_INET ? 4 : 16;

    if (in->len < len)
        return WSP_ERR_MORE;
    inet_ntop(family, in->p, r->host, sizeof(r->host));
    slice_advance(in, len);
    return WSP_OK;
}

static enum wsp_err take_host(struct slice *in, uint8_t type, struct socks5_request *r)
{
    switch (type) {
    case SOCKS5_IPV4:
        return take_address(in, AF_INET, r);
    case SOCKS5_IPV6:
        return take_address(in, AF_INET6, r);
    default:
        return take_name(in, r);
    }
}

enum wsp_err socks5_request_parse(struct slice *in, struct socks5_request *r)
{
    struct slice rest = *in;
    struct socks5_request got = {.reply = SOCKS5_SUCCEEDED};

    if (rest.len >= 1 && rest.p[0] != SOCKS5_VERSION)
        return WSP_ERR_MALFORMED;
    if (rest.len < 4)
        return WSP_ERR_MORE;
    got.cmd = rest.p[1];
    if (got.cmd != SOCKS5_CONNECT)
        got.reply = SOCKS5_COMMAND_NOT_SUPPORTED;

    uint8_t type = rest.p[3];

    if (type != SOCKS5_IPV4 && type != SOCKS5_NAME && type != SOCKS5_IPV6) {
        got.reply = SOCKS5_ADDRESS_NOT_SUPPORTED;
        *r = got;
        slice_advance(in, in->len);
        return WSP_OK;
    }
    slice_advance(&rest, 4);

    enum wsp_err err = take_host(&rest, type, &got);

    if (err)
        return err;
    if (rest.len < 2)
        return WSP_ERR_MORE;
    got.port = (uint16_t)(rest.p[0] << 8 | rest.p[1]);
    slice_advance(&rest, 2);
    *r = got;
    *in = rest;
    return WSP_OK;
}

void socks5_method_write(enum socks5_method method, uint8_t out[2])
{
    out[0] = SOCKS5_VERSION;
    out[1] = (uint8_t)method;
}

void socks5_auth_status_write(bool ok, uint8_t out[2])
{
    out[0] = SOCKS5_AUTH_VERSION;
    out[1] = ok ? 0 : 1;
}

/* Reads "a.b.c.d:port" or "[v6]:port"; false, with nothing written, when it is neither. */
static bool endpoint_from_text(struct slice text, struct ip_addr *address, uint16_t *port)
{
    const uint8_t *colon = text.len ? memrchr(text.p, ':', text.len) : NULL;
    uint64_t number;

    if (!colon)
        return false;

    size_t before = (size_t)(colon - text.p);
    struct slice host = slice_of(text.p, before);
    bool bracketed = host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';
    struct ip_addr got;

    if (!slice_to_u64(slice_of(colon + 1, text.len - before - 1), &number) || number > UINT16_MAX)
        return false;
    if (bracketed)
        host = slice_of(host.p + 1, host.len - 2);
    if (!ip_addr_parse(host, &got) || got.is_v6 != bracketed)
        return false;
    *address = got;
    *port = (uint16_t)number;
    return true;
}

size_t socks5_reply_write(enum socks5_reply reply, struct slice bound,
                          uint8_t out[SOCKS5_REPLY_MAX])
{
    struct ip_addr address = {0};
    uint16_t port = 0;
    size_t len;

    endpoint_from_text(bound, &address, &port);
    len = address.is_v6 ? 16 : 4;
    out[0] = SOCKS5_VERSION;
    out[1] = (uint8_t)reply;
    out[2] = 0;
    out[3] = address.is_v6 ? SOCKS5_IPV6 : SOCKS5_IPV4;
    memcpy(out + 4, address.bytes, len);
    out[4 + len] = (uint8_t)(port >> 8);
    out[5 + len] = (uint8_t)port;
    return len + 6;
}
