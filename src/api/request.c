#include "api/request.h"

#include <stdlib.h>

#include "api/response.h"
#include "api/server.h"
#include "server/detached.h"

enum outcome {
    OUTCOME_NONE,     /* the handler has said nothing yet */
    OUTCOME_ANSWERED, /* with `response` */
    OUTCOME_DETACHED, /* the connection is the program's */
};

struct wsp_request {
    struct front *front;
    const struct http1_head *head;
    struct slice raw;    /* the head as it was received */
    struct slice behind; /* what was read behind it */
    char *text;          /* owned: a copy of `raw`, in which each part ends with a NUL */
    char peer[ADDRESS_TEXT_MAX];
    enum outcome outcome;
    struct buf response;
};

/* Ends a part of the copy: behind each there is at least a blank or a CR. */
static void terminate(struct wsp_request *r, struct slice part)
{
    if (part.len)
        r->text[part.p - r->raw.p + (ptrdiff_t)part.len] = '\0';
}

static bool copy_text(struct wsp_request *r)
{
    r->text = malloc(r->raw.len + 1);
    if (!r->text)
        return false;
    memcpy(r->text, r->raw.p, r->raw.len);
    terminate(r, r->head->method);
    terminate(r, r->head->target);
    for (size_t i = 0; i < r->head->count; i++)
        terminate(r, r->head->header[i].value);
    return true;
}

/* The part as a string; it is not moved by the request's copy. */
static const char *string_of(const struct wsp_request *r, struct slice part)
{
    return part.len ? r->text + (part.p - r->raw.p) : "";
}

/* Runs the handler: false when it cannot be asked, or said nothing. */
static bool ask(struct wsp_request *r)
{
    struct wsp_server *s = server_owner(r->front->server);

    if (s->dying || !copy_text(r))
        return false;
    address_text(&r->front->visitor, r->peer);
    s->fallback(s->ctx, r);
    return r->outcome != OUTCOME_NONE;
}

void request_fall_back(struct front *f, const struct http1_head *head, struct slice behind)
{
    const uint8_t *start = head->method.p;
    struct wsp_request r = {.front = f,
                            .head = head,
                            .raw = slice_of(start, (size_t)(behind.p - start)),
                            .behind = behind};

    if (!ask(&r))
        http_conn_refuse(&f->conn, 404, "", "not found");
    else if (r.outcome == OUTCOME_ANSWERED)
        http_conn_respond(&f->conn, buf_slice(&r.response));
    else
        front_left(f);
    buf_fini(&r.response);
    free(r.text);
}

/* ---- what it says */

const char *wsp_request_method(const struct wsp_request *r)
{
    return r ? string_of(r, r->head->method) : NULL;
}

const char *wsp_request_target(const struct wsp_request *r)
{
    return r ? string_of(r, r->head->target) : NULL;
}

const char *wsp_request_header(const struct wsp_request *r, const char *name)
{
    const struct http1_header *h = r && name ? http1_find(r->head, name) : NULL;

    return h ? string_of(r, h->value) : NULL;
}

const char *wsp_request_peer(const struct wsp_request *r)
{
    return r ? r->peer : NULL;
}

bool wsp_request_is_secure(const struct wsp_request *r)
{
    return r && r->front->secure;
}

/* ---- what becomes of it */

enum wsp_err wsp_request_respond(struct wsp_request *r, const struct wsp_response *response)
{
    enum wsp_err err;

    if (!r || !response || r->outcome != OUTCOME_NONE)
        return WSP_ERR_USAGE;
    err = response_write(response, r->head, http_conn_keeps(&r->front->conn), &r->response);
    if (err == WSP_OK)
        r->outcome = OUTCOME_ANSWERED;
    else
        buf_fini(&r->response);
    return err;
}

static bool is_named(const struct http1_header *h, const char *name)
{
    return slice_eq_nocase(h->name, slice_str(name));
}

/* What the field says but for whether the connection goes on, behind our "close". */
static void add_options(struct buf *out, struct slice value, enum wsp_err *err)
{
    while (value.len) {
        struct slice token = http1_next_element(&value);

        if (token.len == 0 || slice_eq_nocase(token, slice_str("close")) ||
            slice_eq_nocase(token, slice_str("keep-alive")))
            continue;
        buf_add(out, slice_str(", "), err);
        buf_add(out, token, err);
    }
}

/* One Connection field with "close" in front of the others, instead of all that came: servers
 * differ in which of several they look at. */
static enum wsp_err write_closing(const struct wsp_request *r, struct buf *out)
{
    const struct http1_head *head = r->head;
    const uint8_t *line_end = memchr(r->raw.p, '\n', r->raw.len);
    enum wsp_err err = WSP_OK;

    buf_add(out, slice_of(r->raw.p, (size_t)(line_end + 1 - r->raw.p)), &err);
    buf_add(out, slice_str("Connection: close"), &err);
    for (size_t i = 0; i < head->count; i++)
        if (is_named(&head->header[i], "Connection"))
            add_options(out, head->header[i].value, &err);
    buf_add(out, slice_str("\r\n"), &err);
    for (size_t i = 0; i < head->count; i++) {
        const struct http1_header *h = &head->header[i];

        if (is_named(h, "Connection") || is_named(h, "Keep-Alive") ||
            is_named(h, "Proxy-Connection"))
            continue;
        buf_add(out, h->line, &err);
        buf_add(out, slice_str("\r\n"), &err);
    }
    buf_add(out, slice_str("\r\n"), &err);
    return err;
}

enum wsp_err wsp_request_detach(struct wsp_request *r, struct wsp_detached *out)
{
    struct buf data;
    enum wsp_err err;

    if (!r || !out || r->outcome != OUTCOME_NONE)
        return WSP_ERR_USAGE;
    buf_init(&data);
    err = write_closing(r, &data);
    buf_add(&data, r->behind, &err);
    if (err == WSP_OK)
        err = detached_start(r->front, &out->fd);
    if (err != WSP_OK) {
        buf_fini(&data);
        return err;
    }
    r->outcome = OUTCOME_DETACHED;
    out->data = (char *)data.mem;
    out->len = data.len;
    return WSP_OK;
}
