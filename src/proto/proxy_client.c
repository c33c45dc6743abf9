#include "proto/proxy_client.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "proto/handshake.h"
#include "proto/http1.h"
#include "proto/ip_addr.h"
#include "proto/socks5.h"

enum {
    REASON_SHOWN_MAX = 80,
    HOST_MAX = 255,
};

static enum wsp_err fail(struct proxy_client *c, enum wsp_err err, const char *why)
{
    snprintf(c->why, sizeof(c->why), "%s", why);
    return err;
}

/* ---- HTTP */

/* RFC 7617 section 2. `out` has room for two credentials of the longest. */
static void write_basic(const struct proxy_request *r, char *out)
{
    uint8_t plain[2 * PROXY_CREDENTIAL_MAX + 1];
    size_t len = 0;

    memcpy(plain, r->user.p, r->user.len);
    len += r->user.len;
    plain[len++] = ':';
    if (r->password.len)
        memcpy(plain + len, r->password.p, r->password.len);
    len += r->password.len;
    EVP_EncodeBlock((uint8_t *)out, plain, (int)len);
}

static void write_connect(const struct proxy_request *r, uint8_t *out, size_t *len)
{
    char credentials[(2 * PROXY_CREDENTIAL_MAX + 3) / 3 * 4 + 1] = "";
    char authority[HOST_MAX + sizeof("[]:4294967295")];
    bool v6 = r->host.len && memchr(r->host.p, ':', r->host.len);
    int n;

    snprintf(authority, sizeof(authority), v6 ? "[%.*s]:%u" : "%.*s:%u", SLICE_FMT(r->host),
             r->port);
    if (r->user.len)
        write_basic(r, credentials);
    n = snprintf((char *)out, PROXY_MESSAGE_MAX,
                 "CONNECT %s HTTP/1.1\r\n"
                 "Host: %s\r\n"
                 "%s%s%s\r\n",
                 authority, authority, r->user.len ? "Proxy-Authorization: Basic " : "",
                 credentials, r->user.len ? "\r\n" : "");
    *len = (size_t)n; /* all parts have a limit of their own: it fits */
}

static bool is_basic(struct slice challenge)
{
    static const struct slice name = {(const uint8_t *)"Basic", 5};

    return challenge.len >= name.len && slice_eq_nocase(slice_of(challenge.p, name.len), name) &&
           (challenge.len == name.len || challenge.p[name.len] == ' ');
}

/* One of the challenges in a list is Basic. That a comma within a parameter is taken for the end of
 * a challenge does no harm. */
static bool lists_basic(struct slice list)
{
    while (list.len) {
        const uint8_t *comma = memchr(list.p, ',', list.len);
        size_t n = comma ? (size_t)(comma - list.p) : list.len;

        if (is_basic(slice_trim(slice_of(list.p, n))))
            return true;
        slice_advance(&list, comma ? n + 1 : n);
    }
    return false;
}

static bool offers_basic(const struct http1_head *head)
{
    for (size_t i = 0; i < head->count; i++)
        if (slice_eq_nocase(head->header[i].name, slice_str("Proxy-Authenticate")) &&
            lists_basic(head->header[i].value))
            return true;
    return false;
}

static enum wsp_err refused_by_status(struct proxy_client *c, const struct http1_head *head)
{
    struct slice reason = head->reason;
    bool login = head->status == 407 || head->status == 401; /* tinyproxy's for wrong ones */
    bool foreign = login && http1_count(head, "Proxy-Authenticate") && !offers_basic(head);

    if (reason.len == 0)
        reason = slice_str(handshake_reason(head->status));
    if (reason.len > REASON_SHOWN_MAX)
        reason.len = REASON_SHOWN_MAX;
    c->wants_login = login && !foreign;
    snprintf(c->why, sizeof(c->why), "%u%s%.*s%s", head->status, reason.len ? " " : "",
             SLICE_FMT(reason), foreign ? ": it does not offer Basic, all that we can do" : "");
    for (char *p = c->why; *p; p++)
        if ((uint8_t)*p < ' ' || (uint8_t)*p >= 0x7f)
            *p = '?'; /* a reason can be in any encoding, and be cut within a character */
    return WSP_ERR_REFUSED;
}

static enum wsp_err take_response(struct proxy_client *c, struct slice *in)
{
    struct http1_head head;
    enum wsp_err err;

    if (!http1_line_completed(*in, &c->scanned))
        return WSP_ERR_MORE;
    err = http1_response_parse(in, &head);
    if (err == WSP_ERR_MORE)
        return err;
    c->scanned = 0;
    if (err == WSP_ERR_LIMIT)
        return fail(c, err, "the head of its answer is too long");
    if (err != WSP_OK)
        return fail(c, err, "its answer is not valid HTTP");
    if (head.status < 200 && head.status != 101)
        return WSP_ERR_MORE;
    /* Any 2xx: Content-Length and Transfer-Encoding mean nothing there (RFC 9110 9.3.6). */
    return head.status >= 200 && head.status < 300 ? WSP_OK : refused_by_status(c, &head);
}

/* ---- SOCKS5 */

static size_t put_counted(uint8_t *out, size_t at, struct slice s)
{
    out[at++] = (uint8_t)s.len;
    if (s.len)
        memcpy(out + at, s.p, s.len);
    return at + s.len;
}

/* RFC 1928 section 3. */
static void write_greeting(const struct proxy_request *r, uint8_t *out, size_t *len)
{
    *len = 0;
    out[(*len)++] = SOCKS5_VERSION;
    out[(*len)++] = r->user.len ? 2 : 1;
    out[(*len)++] = SOCKS5_NO_AUTH;
    if (r->user.len)
        out[(*len)++] = SOCKS5_USER_PASS;
}

/* RFC 1929 section 2. */
static void write_login(const struct proxy_request *r, uint8_t *out, size_t *len)
{
    out[0] = SOCKS5_AUTH_VERSION;
    *len = put_counted(out, 1, r->user);
    *len = put_counted(out, *len, r->password);
}

/* RFC 1928 section 4. */
static void write_request(const struct proxy_request *r, uint8_t *out, size_t *len)
{
    struct ip_addr ip;

    out[0] = SOCKS5_VERSION;
    out[1] = SOCKS5_CONNECT;
    out[2] = 0;
    if (ip_addr_parse(r->host, &ip)) {
        size_t n = ip.is_v6 ? 16 : 4;

        out[3] = ip.is_v6 ? SOCKS5_IPV6 : SOCKS5_IPV4;
        memcpy(out + 4, ip.bytes, n);
        *len = 4 + n;
    } else {
        out[3] = SOCKS5_NAME;
        *len = put_counted(out, 4, r->host);
    }
    out[(*len)++] = (uint8_t)(r->port >> 8);
    out[(*len)++] = (uint8_t)r->port;
}

static enum wsp_err not_socks5(struct proxy_client *c)
{
    return fail(c, WSP_ERR_MALFORMED, "its answer is not SOCKS5");
}

static enum wsp_err take_method(struct proxy_client *c, struct slice *in, uint8_t *out, size_t *len)
{
    uint8_t method;

    if (in->len >= 1 && in->p[0] != SOCKS5_VERSION)
        return not_socks5(c);
    if (in->len < 2)
        return WSP_ERR_MORE;
    method = in->p[1];
    slice_advance(in, 2);
    if (method == SOCKS5_NONE_ACCEPTABLE) {
        c->wants_login = true;
        return fail(c, WSP_ERR_REFUSED, "no way to authenticate that it accepts");
    }
    if (method == SOCKS5_NO_AUTH) {
        c->step = PROXY_AWAITS_REPLY;
        write_request(c->request, out, len);
    } else if (method == SOCKS5_USER_PASS && c->request->user.len) {
        c->step = PROXY_AWAITS_LOGIN;
        write_login(c->request, out, len);
    } else {
        return fail(c, WSP_ERR_MALFORMED, "it wants to authenticate in a way not offered");
    }
    return WSP_ERR_MORE;
}

/* The version is not looked at: there are servers that say 5. */
static enum wsp_err take_login(struct proxy_client *c, struct slice *in, uint8_t *out, size_t *len)
{
    if (in->len < 2)
        return WSP_ERR_MORE;
    if (in->p[1] != 0) {
        c->wants_login = true;
        return fail(c, WSP_ERR_REFUSED, "login refused");
    }
    slice_advance(in, 2);
    c->step = PROXY_AWAITS_REPLY;
    write_request(c->request, out, len);
    return WSP_ERR_MORE;
}

/* RFC 1928 section 6. */
static enum wsp_err refused_by_reply(struct proxy_client *c, uint8_t code)
{
    static const char *const texts[] = {
        [SOCKS5_GENERAL_FAILURE] = "general failure",
        [SOCKS5_NOT_ALLOWED] = "not allowed by its rules",
        [SOCKS5_NETWORK_UNREACHABLE] = "network unreachable",
        [SOCKS5_HOST_UNREACHABLE] = "host unreachable",
        [SOCKS5_CONNECTION_REFUSED] = "connection refused",
        [SOCKS5_TTL_EXPIRED] = "TTL expired",
        [SOCKS5_COMMAND_NOT_SUPPORTED] = "command not supported",
        [SOCKS5_ADDRESS_NOT_SUPPORTED] = "address type not supported",
    };
    bool known = code < sizeof(texts) / sizeof(*texts);

    snprintf(c->why, sizeof(c->why), "SOCKS5 reply %u%s%s", code, known ? ": " : "",
             known ? texts[code] : "");
    return WSP_ERR_REFUSED;
}

/* The address it is bound to is of no use here. A refusal is believed before it is complete: some
 * close behind its first bytes. */
static enum wsp_err take_reply(struct proxy_client *c, struct slice *in)
{
    size_t len;

    if (in->len >= 1 && in->p[0] != SOCKS5_VERSION)
        return not_socks5(c);
    if (in->len >= 2 && in->p[1] != 0)
        return refused_by_reply(c, in->p[1]);
    if (in->len < 5)
        return WSP_ERR_MORE;
    switch (in->p[3]) {
    case SOCKS5_IPV4:
        len = 4 + 4 + 2;
        break;
    case SOCKS5_IPV6:
        len = 4 + 16 + 2;
        break;
    case SOCKS5_NAME:
        len = 4 + 1 + (size_t)in->p[4] + 2;
        break;
    default:
        return not_socks5(c);
    }
    if (in->len < len)
        return WSP_ERR_MORE;
    slice_advance(in, len);
    return WSP_OK;
}

/* ---- both */

static bool is_one_word(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

enum wsp_err proxy_client_start(struct proxy_client *c, const struct proxy_request *request,
                                uint8_t out[PROXY_MESSAGE_MAX], size_t *len)
{
    bool http = request->kind == PROXY_HTTP;
    size_t max = http ? PROXY_CREDENTIAL_MAX : PROXY_SOCKS5_CREDENTIAL_MAX;

    *c = (struct proxy_client){.request = request,
                               .step = http ? PROXY_AWAITS_RESPONSE : PROXY_AWAITS_METHOD};
    if (request->host.len == 0 || request->host.len > HOST_MAX || request->user.len > max ||
        request->password.len > max)
        return WSP_ERR_LIMIT;
    if (!is_one_word(request->host))
        return WSP_ERR_MALFORMED;
    if (http)
        write_connect(request, out, len);
    else
        write_greeting(request, out, len);
    return WSP_OK;
}

static enum wsp_err take_one(struct proxy_client *c, struct slice *in, uint8_t *out, size_t *len)
{
    switch (c->step) {
    case PROXY_AWAITS_RESPONSE:
        return take_response(c, in);
    case PROXY_AWAITS_METHOD:
        return take_method(c, in, out, len);
    case PROXY_AWAITS_LOGIN:
        return take_login(c, in, out, len);
    case PROXY_AWAITS_REPLY:
        break;
    }
    return take_reply(c, in);
}

enum wsp_err proxy_client_take(struct proxy_client *c, struct slice *in,
                               uint8_t out[PROXY_MESSAGE_MAX], size_t *len)
{
    enum wsp_err err;
    size_t before;

    *len = 0;
    do {
        before = in->len;
        err = take_one(c, in, out, len);
    } while (err == WSP_ERR_MORE && in->len < before && *len == 0); /* an interim response */
    return err;
}
