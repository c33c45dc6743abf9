#include "proto/ws_upgrade.h"

#include <stdio.h>

#define UPGRADE_LINES "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define VERSION_LINES UPGRADE_LINES "Sec-WebSocket-Version: 13\r\n"
#define SUBPROTOCOL "binary"

/* Takes the next element off a list between commas, without blanks; false at its end. */
static bool next_element(struct slice *list, struct slice *element)
{
    size_t n = 0;

    if (list->len == 0)
        return false;
    while (n < list->len && list->p[n] != ',')
        n++;
    *element = slice_trim(slice_of(list->p, n));
    slice_advance(list, n < list->len ? n + 1 : n);
    return true;
}

/* Unlike the tokens of HTTP, the names of subprotocols are told apart by case. */
static bool offers(const struct http1_head *head, const char *subprotocol)
{
    struct slice name = slice_str("Sec-WebSocket-Protocol");

    for (size_t i = 0; i < head->count; i++) {
        struct slice list = head->header[i].value;
        struct slice element;

        if (!slice_eq_nocase(head->header[i].name, name))
            continue;
        while (next_element(&list, &element))
            if (slice_eq_str(element, subprotocol))
                return true;
    }
    return false;
}

static bool origin_listed(struct slice origin, const char *origins)
{
    struct slice list = slice_str(origins);
    struct slice element;

    while (next_element(&list, &element)) {
        if (element.len && element.p[element.len - 1] == '/')
            element.len--;
        if (element.len && slice_eq_nocase(element, origin))
            return true;
    }
    return false;
}

/* Always false, so that a check can end with it. */
static bool refuse(struct ws_upgrade *u, unsigned status, const char *extra, const char *text)
{
    u->status = status;
    u->extra = extra;
    u->text = text;
    return false;
}

/* An HTTP/1.0 request has no Upgrade: RFC 9110 section 7.8 has us ignore it there. */
static bool is_asked_for(const struct http1_head *head, struct ws_upgrade *u)
{
    if (head->minor == 0 || !http1_has_token(head, "Upgrade", "websocket"))
        return refuse(u, 426, VERSION_LINES, "this is a WebSocket: open it with ws:// or wss://");
    if (!slice_eq_str(head->method, "GET"))
        return refuse(u, 405, "Allow: GET\r\n", "a WebSocket is opened with GET");
    if (!http1_has_token(head, "Connection", "Upgrade"))
        return refuse(u, 400, "", "bad \"Connection\" header");
    return true;
}

static bool version_ok(const struct http1_head *head, struct ws_upgrade *u)
{
    const struct http1_header *h = http1_find(head, "Sec-WebSocket-Version");

    if (!h || http1_count(head, "Sec-WebSocket-Version") > 1)
        return refuse(u, 400, "", "bad \"Sec-WebSocket-Version\" header");
    if (!slice_eq_str(h->value, "13"))
        return refuse(u, 426, VERSION_LINES, "only version 13 is spoken here");
    return true;
}

static bool key_ok(const struct http1_head *head, struct ws_upgrade *u)
{
    const struct http1_header *h = http1_find(head, "Sec-WebSocket-Key");

    if (!h || http1_count(head, "Sec-WebSocket-Key") > 1 || !ws_key_valid(h->value))
        return refuse(u, 400, "", "bad \"Sec-WebSocket-Key\" header");
    ws_accept_key(h->value, u->accept);
    return true;
}

/* What stood behind the head as its body would be taken for frames. */
static bool has_no_body(const struct http1_head *head, struct ws_upgrade *u)
{
    struct http1_body body;

    if (http1_request_body(head, &body) != WSP_OK || !body.done)
        return refuse(u, 400, "", "an upgrade has no body");
    return true;
}

static bool origin_ok(const struct http1_head *head, const char *origins, struct ws_upgrade *u)
{
    const struct http1_header *h = http1_find(head, "Origin");

    if (!origins || !h)
        return true;
    if (http1_count(head, "Origin") > 1 || !origin_listed(h->value, origins))
        return refuse(u, 403, "", "this page may not use the service");
    return true;
}

void ws_upgrade_check(const struct http1_head *head, const char *origins, struct ws_upgrade *u)
{
    *u = (struct ws_upgrade){.extra = "", .text = ""};
    if (!is_asked_for(head, u) || !version_ok(head, u) || !key_ok(head, u) ||
        !has_no_body(head, u) || !origin_ok(head, origins, u))
        return;
    u->status = 101;
    u->binary = offers(head, SUBPROTOCOL);
}

size_t ws_upgrade_write(const struct ws_upgrade *u, char out[WS_UPGRADE_ANSWER_MAX])
{
    return (size_t)snprintf(
        out, WS_UPGRADE_ANSWER_MAX,
        "HTTP/1.1 101 Switching Protocols\r\n" UPGRADE_LINES "Sec-WebSocket-Accept: %s\r\n"
        "%s\r\n",
        u->accept, u->binary ? "Sec-WebSocket-Protocol: " SUBPROTOCOL "\r\n" : "");
}
