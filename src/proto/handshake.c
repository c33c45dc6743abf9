#include "proto/handshake.h"

#include <inttypes.h>
#include <stdio.h>

#define PROTO_VERSION "0.10"
#define SUBPROTOCOL "wsp.1"
#define BAD_HEADER(name) "handshake error: bad \"" name "\" header"

const char *handshake_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } table[] = {
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {421, "Misdirected Request"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].status == status)
            return table[i].reason;
    return "";
}

/* What snprintf returned, as an error and a length. */
static enum wsp_err written(int n, size_t cap, size_t *len)
{
    if (n < 0 || (size_t)n >= cap)
        return WSP_ERR_LIMIT;
    *len = (size_t)n;
    return WSP_OK;
}

/* False when the text would end the line it is put into. */
static bool fits_a_line(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
            return false;
    return true;
}

enum wsp_err handshake_request_write(const struct handshake_request *r, char *out, size_t cap,
                                     size_t *len)
{
    int n;

    if (!fits_a_line(r->target) || !fits_a_line(r->host) || !fits_a_line(r->auth))
        return WSP_ERR_MALFORMED;
    if (r->target.len > cap || r->host.len > cap || r->auth.len > cap)
        return WSP_ERR_LIMIT;
    n = snprintf(out, cap,
                 "GET %.*s HTTP/1.1\r\n"
                 "Host: %.*s\r\n"
                 "Upgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: %s\r\n"
                 "Auth: %.*s\r\n"
                 "Proto: " PROTO_VERSION "\r\n"
                 "%s%s\r\n",
                 SLICE_FMT(r->target), SLICE_FMT(r->host), r->key, SLICE_FMT(r->auth),
                 r->offer_wsp_1 ? "Sec-WebSocket-Protocol: " SUBPROTOCOL "\r\n" : "",
                 r->extra ? r->extra : "");
    return written(n, cap, len);
}

/* The value of a field that may stand once at most: empty when absent. False when there are more.
 */
static bool single(const struct http1_head *head, const char *name, struct slice *value)
{
    const struct http1_header *h = http1_find(head, name);

    *value = h ? h->value : slice_of(NULL, 0);
    return http1_count(head, name) <= 1;
}

static bool single_is(const struct http1_head *head, const char *name, const char *wanted)
{
    struct slice value;

    return single(head, name, &value) && slice_eq_nocase(value, slice_str(wanted));
}

/* RFC 6455 section 4.1, the client's six checks; NULL when the 101 is good. */
static const char *switching_fault(const struct http1_head *head, const char *key,
                                   bool offered_wsp_1)
{
    char accept[WS_ACCEPT_LEN + 1];
    struct slice value;

    ws_accept_key(slice_str(key), accept);
    if (!single_is(head, "Upgrade", "websocket"))
        return BAD_HEADER("Upgrade");
    if (!http1_has_token(head, "Connection", "Upgrade"))
        return BAD_HEADER("Connection");
    if (!single(head, "Sec-WebSocket-Accept", &value) || !slice_eq_str(value, accept))
        return BAD_HEADER("Sec-WebSocket-Accept");
    if (http1_count(head, "Sec-WebSocket-Extensions"))
        return BAD_HEADER("Sec-WebSocket-Extensions");
    if (!http1_count(head, "Sec-WebSocket-Protocol"))
        return NULL;
    if (!offered_wsp_1 || !single(head, "Sec-WebSocket-Protocol", &value) ||
        !slice_eq_str(value, SUBPROTOCOL))
        return BAD_HEADER("Sec-WebSocket-Protocol");
    return NULL;
}

enum wsp_err handshake_response_check(const struct http1_head *head, const char *key,
                                      bool offered_wsp_1, enum handshake_dialect *dialect,
                                      char *error, size_t error_cap)
{
    const char *fault;

    if (head->status != 101) {
        snprintf(error, error_cap, "unexpected HTTP response status: %u", head->status);
        return WSP_ERR_REFUSED;
    }
    fault = switching_fault(head, key, offered_wsp_1);
    if (fault) {
        snprintf(error, error_cap, "%s", fault);
        return WSP_ERR_MALFORMED;
    }
    *dialect = http1_count(head, "Sec-WebSocket-Protocol") ? HANDSHAKE_WSP_1 : HANDSHAKE_0_10;
    return WSP_OK;
}

/* Always false, so that a check can end with it. */
static bool refuse(struct handshake_verdict *v, unsigned status, const char *body)
{
    v->status = status;
    snprintf(v->body, sizeof(v->body), "%s", body);
    return false;
}

static bool origin_ok(const struct http1_head *head, struct handshake_verdict *v)
{
    if (http1_count(head, "Origin"))
        return refuse(v, 403, "a link cannot be opened from a web page\n");
    return true;
}

/* A missing header and an empty one are the same. */
static bool auth_ok(const struct http1_head *head, struct slice auth, struct handshake_verdict *v)
{
    struct slice given;

    if (!single(head, "Auth", &given))
        return refuse(v, 400, BAD_HEADER("Auth"));
    if (!slice_eq_secret(given, auth))
        return refuse(v, 401, "token error, access denied!\n");
    return true;
}

/*
 * Reads a version such as "0.10" as thousandths; digits that no sane version has are dropped. What
 * is no plain decimal number counts as 0.00, like a missing header: protocol 0.10 lets both in.
 * Not strtod: that depends on the locale of the program we are in.
 */
static uint64_t version_thousandths(struct slice s)
{
    uint64_t v = 0;
    unsigned decimals = 0;
    bool point = false;

    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)s.p[i] - '0';

        if (s.p[i] == '.' && !point && s.len > 1)
            point = true;
        else if (digit > 9)
            return 0;
        else if (decimals < 3 && v < 1000000000) {
            v = v * 10 + digit;
            decimals += point;
        }
    }
    for (; decimals < 3; decimals++)
        v *= 10;
    return v;
}

static bool proto_ok(const struct http1_head *head, struct handshake_verdict *v)
{
    char body[sizeof(v->body)];
    struct slice value;
    bool negative;
    uint64_t version;

    if (!single(head, "Proto", &value))
        return refuse(v, 400, BAD_HEADER("Proto"));
    negative = value.len && value.p[0] == '-';
    if (negative || (value.len && value.p[0] == '+'))
        slice_advance(&value, 1);
    version = version_thousandths(value);
    if (version < 1000)
        return true;
    version = (version + 5) / 10;
    snprintf(body, sizeof(body),
             "client proto version %s%" PRIu64 ".%02" PRIu64
             " not support, server proto is " PROTO_VERSION "\n",
             negative ? "-" : "", version / 100, version % 100);
    return refuse(v, 400, body);
}

/* RFC 6455 section 4.2.1. An HTTP/1.0 request has no Upgrade: RFC 9110 section 7.8 has us ignore
 * it there. */
static bool upgrade_ok(const struct http1_head *head, struct handshake_verdict *v)
{
    if (!slice_eq_str(head->method, "GET")) {
        v->extra = "Allow: GET\r\n";
        return refuse(v, 405, "handshake error: bad HTTP request method");
    }
    if (head->minor == 0 || !http1_has_token(head, "Upgrade", "websocket"))
        return refuse(v, 400, BAD_HEADER("Upgrade"));
    if (!http1_has_token(head, "Connection", "Upgrade"))
        return refuse(v, 400, BAD_HEADER("Connection"));
    if (!single(head, "Sec-WebSocket-Key", &v->key) || !ws_key_valid(v->key))
        return refuse(v, 400, BAD_HEADER("Sec-WebSocket-Key"));
    return true;
}

static bool ws_version_ok(const struct http1_head *head, struct handshake_verdict *v)
{
    struct slice value;

    if (!single(head, "Sec-WebSocket-Version", &value) || value.len == 0)
        return refuse(v, 400, BAD_HEADER("Sec-WebSocket-Version"));
    if (slice_eq_str(value, "13"))
        return true;
    v->extra = "Sec-WebSocket-Version: 13\r\n";
    return refuse(v, 426, BAD_HEADER("Sec-WebSocket-Version"));
}

void handshake_check(const struct http1_head *head, struct slice auth,
                     struct handshake_verdict *verdict)
{
    *verdict = (struct handshake_verdict){.extra = ""};
    if (!origin_ok(head, verdict) || !auth_ok(head, auth, verdict) || !proto_ok(head, verdict) ||
        !upgrade_ok(head, verdict) || !ws_version_ok(head, verdict)) {
        verdict->key = slice_of(NULL, 0);
        return;
    }
    verdict->status = 101;
    verdict->offered_wsp_1 = http1_has_token(head, "Sec-WebSocket-Protocol", SUBPROTOCOL);
}

enum wsp_err handshake_accept_write(const struct handshake_verdict *verdict, bool select_wsp_1,
                                    char *out, size_t cap, size_t *len)
{
    char accept[WS_ACCEPT_LEN + 1];
    int n;

    ws_accept_key(verdict->key, accept);
    n = snprintf(out, cap,
                 "HTTP/1.1 101 Switching Protocols\r\n"
                 "Upgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\n"
                 "%s\r\n",
                 accept, select_wsp_1 ? "Sec-WebSocket-Protocol: " SUBPROTOCOL "\r\n" : "");
    return written(n, cap, len);
}

enum wsp_err handshake_refusal_write(const struct handshake_verdict *verdict, char *out, size_t cap,
                                     size_t *len)
{
    int n = snprintf(out, cap,
                     "HTTP/1.1 %u %s\r\n"
                     "Content-Type: text/plain; charset=utf-8\r\n"
                     "X-Content-Type-Options: nosniff\r\n"
                     "Content-Length: %zu\r\n"
                     "Connection: close\r\n"
                     "%s\r\n"
                     "%s",
                     verdict->status, handshake_reason(verdict->status), strlen(verdict->body),
                     verdict->extra, verdict->body);

    return written(n, cap, len);
}
