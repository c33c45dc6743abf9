#include "client/upgrade.h"

#include <stdio.h>

enum { REASON_MAX = 128 };

static enum wsp_err fail(struct upgrade *u, enum wsp_err err, const char *text)
{
    snprintf(u->error, sizeof(u->error), "%s", text);
    return err;
}

enum wsp_err upgrade_start(struct upgrade *u, struct stream *stream,
                           const struct wspc_client *config)
{
    char out[16384];
    uint8_t random[16];
    struct iovec iov = {out, 0};
    struct handshake_request r = {
        .target = slice_str(config->target),
        .host = slice_str(config->authority),
        .auth = slice_str(config->auth ? config->auth : ""),
        .key = u->key,
        .offer_wsp_1 = config->dialect != CONFIG_DIALECT_0_10,
        .extra = config->headers,
    };

    u->offered = r.offer_wsp_1;
    loop_random(random, sizeof(random));
    ws_key_write(random, u->key);
    if (handshake_request_write(&r, out, sizeof(out), &iov.iov_len) != WSP_OK ||
        stream_send(stream, &iov, 1) != (ssize_t)iov.iov_len)
        return fail(u, WSP_ERR_SYSTEM, "the request cannot be sent");
    return WSP_OK;
}

/* What the server says of its refusal: the first line of a text, where that came with the head. */
static void add_reason(struct upgrade *u, const struct http1_head *head)
{
    const struct http1_header *type = http1_find(head, "Content-Type");
    size_t n = 0, len = strlen(u->error);

    while (n < u->behind.len && n < REASON_MAX && u->behind.p[n] != '\n')
        n++;
    if (n && type && type->value.len >= 10 && memcmp(type->value.p, "text/plain", 10) == 0)
        snprintf(u->error + len, sizeof(u->error) - len, ": %.*s", (int)n,
                 (const char *)u->behind.p);
}

static enum wsp_err check(struct upgrade *u, const struct http1_head *head, size_t head_len)
{
    enum wsp_err err =
        handshake_response_check(head, u->key, u->offered, &u->dialect, u->error, sizeof(u->error));

    if (err != WSP_OK && head->status == 401)
        return fail(u, err,
                    "the server refuses our \"auth\" (HTTP status 401): set it to the server's");
    u->behind = buf_slice(&u->reader.in);
    slice_advance(&u->behind, head_len);
    if (err == WSP_ERR_REFUSED)
        add_reason(u, head);
    return err;
}

enum wsp_err upgrade_read(struct upgrade *u, struct stream *stream)
{
    struct http1_head head;
    size_t head_len;
    enum wsp_err err = head_reader_response(&u->reader, stream, &head, &head_len);

    switch (err) {
    case WSP_OK:
        return check(u, &head, head_len);
    case WSP_ERR_MORE:
        return err;
    case WSP_ERR_REFUSED:
        return fail(u, err, "the server closed the connection during the handshake");
    case WSP_ERR_SYSTEM:
        return fail(u, err,
                    stream->tls ? stream_why(stream) : "the connection broke during the handshake");
    case WSP_ERR_NOMEM:
        return fail(u, err, "out of resources");
    default:
        return fail(u, err, "the server's answer is not valid HTTP");
    }
}

void upgrade_fini(struct upgrade *u)
{
    head_reader_fini(&u->reader);
}
