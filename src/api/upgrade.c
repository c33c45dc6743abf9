/* What a web server answers to a request for a link that it will hand over. */
#include <stdio.h>

#include "api/head.h"
#include "api/server.h"
#include "server/link_request.h"
#include "server/route.h"

/* Judges what was parsed, and what has no place. */
static void judge(struct wsp_server *s, const struct http1_head *head, struct handshake_verdict *v)
{
    struct route route;

    route_find(&s->server, head, &route);
    if (route.kind != ROUTE_LINK && route.kind != ROUTE_LINK_UPGRADE &&
        route.kind != ROUTE_LINK_PATH)
        *v = (struct handshake_verdict){.status = 404, .extra = "", .body = "not found"};
    else
        link_request_check(&s->server, head, link_request_fault(&s->server, NULL), v);
    if (v->status != 101)
        return;
    if (s->drains)
        *v = (struct handshake_verdict){
            .status = 503, .extra = "", .body = "the server is shutting down"};
    else if (listener_is_full(&s->server.listener))
        *v = (struct handshake_verdict){
            .status = 503, .extra = "Retry-After: 30\r\n", .body = "too many connections"};
}

static void add_header(struct wsp_upgrade *u, const char *name, const char *value)
{
    u->header[u->header_count++] = (struct wsp_header){name, value};
}

static void accept_link(struct wsp_server *s, const struct handshake_verdict *v,
                        struct wsp_upgrade *out)
{
    _Static_assert(sizeof(out->storage) > WS_ACCEPT_LEN, "the key has room");

    ws_accept_key(v->key, out->storage);
    add_header(out, "Upgrade", "websocket");
    add_header(out, "Sec-WebSocket-Accept", out->storage);
    if (link_request_selects_wsp_1(&s->server, v))
        add_header(out, "Sec-WebSocket-Protocol", "wsp.1");
    out->dialect = (unsigned)link_request_dialect(&s->server, v);
}

/* `extra` is one line, "Name: value" and CRLF, or nothing. */
static void split_extra(const char *extra, struct wsp_upgrade *out)
{
    char *colon;

    snprintf(out->storage, sizeof(out->storage), "%.*s", (int)strcspn(extra, "\r"), extra);
    colon = strstr(out->storage, ": ");
    if (!colon)
        return;
    *colon = '\0';
    add_header(out, out->storage, colon + 2);
}

static void refuse_link(struct wsp_server *s, const struct handshake_verdict *v,
                        struct wsp_upgrade *out)
{
    struct address unknown = {.len = 0};
    int len = (int)strcspn(v->body, "\n");

    snprintf(out->text, sizeof(out->text), "%.*s\n", len < 126 ? len : 126, v->body);
    split_extra(v->extra, out);
    link_request_refused(&s->server, &unknown, v);
}

enum wsp_err wsp_server_upgrade(struct wsp_server *s, const struct wsp_request_head *head,
                                struct wsp_upgrade *out)
{
    struct handshake_verdict v = {.extra = ""};
    struct http1_head parsed;
    enum wsp_err err;
    struct buf text;

    if (!out)
        return WSP_ERR_USAGE;
    *out = (struct wsp_upgrade){.status = 0};
    if (!server_is_usable(s) || !head)
        return WSP_ERR_USAGE;
    buf_init(&text);
    err = head_write(head, &text, &parsed);
    if (err == WSP_OK)
        judge(s, &parsed, &v);
    else
        v = (struct handshake_verdict){
            .status = err == WSP_ERR_NOMEM ? 503 : 400, .extra = "", .body = "bad request"};
    if (err == WSP_ERR_USAGE) {
        buf_fini(&text);
        return err;
    }
    out->status = v.status;
    if (v.status == 101)
        accept_link(s, &v, out);
    else
        refuse_link(s, &v, out);
    buf_fini(&text);
    return WSP_OK;
}
