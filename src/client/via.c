#include "client/via.h"

#include <stdio.h>

#include "proto/http1.h"

const char *via_error(struct via *v, const struct config_proxy *proxy, const char *text)
{
    snprintf(v->error, sizeof(v->error), "proxy %s: %s", proxy->shown, text);
    return v->error;
}

void via_fini(struct via *v)
{
    buf_fini(&v->in);
}

static enum wsp_err fail(struct via *v, enum wsp_err err, const char *text)
{
    via_error(v, &v->config->proxy, text);
    return err;
}

/* What the proxy said and, if it is about credentials, which setting that is. */
static enum wsp_err fail_answer(struct via *v, enum wsp_err err)
{
    const char *advice = "";
    char text[PROXY_WHY_MAX + 64];

    if (v->client.wants_login)
        advice = v->request.user.len ? "; user or password are wrong in "
                                     : "; give user and password in ";
    snprintf(text, sizeof(text), "%s%s%s", v->client.why, advice,
             *advice ? v->config->proxy.origin : "");
    return fail(v, err, text);
}

/* A message of a new connection fits into the kernel's buffer, or the connection is broken. */
static enum wsp_err send_message(struct via *v, struct stream *stream, uint8_t *message, size_t len)
{
    struct iovec iov = {message, len};

    if (len && stream_send(stream, &iov, 1) != (ssize_t)len)
        return fail(v, WSP_ERR_SYSTEM, "the connection broke");
    return WSP_OK;
}

/* Anew for each step: in between, a reload may have freed the strings for others that are equal. */
static void point_to_config(struct via *v)
{
    const struct config_proxy *proxy = &v->config->proxy;

    v->request = (struct proxy_request){.kind = proxy->kind,
                                        .host = slice_str(v->config->host),
                                        .port = v->config->port,
                                        .user = slice_str(proxy->user),
                                        .password = slice_str(proxy->password)};
}

enum wsp_err via_start(struct via *v, struct stream *stream, const struct wspc_client *config)
{
    uint8_t out[PROXY_MESSAGE_MAX];
    enum wsp_err err;
    size_t len;

    v->config = config;
    v->read = 0;
    point_to_config(v);
    err = proxy_client_start(&v->client, &v->request, out, &len);
    if (err != WSP_OK)
        return fail(v, err, "the request cannot be written");
    return send_message(v, stream, out, len);
}

/* One byte of the answer: what stands behind it belongs to the tunnel, and has to stay in the
 * stream for who reads that. */
static enum wsp_err read_byte(struct via *v, struct stream *stream)
{
    ssize_t n;

    if (v->read == HTTP1_HEAD_MAX)
        return fail(v, WSP_ERR_LIMIT, "it answers without end");
    if (buf_reserve(&v->in, 1) != WSP_OK)
        return fail(v, WSP_ERR_NOMEM, "out of memory");
    n = stream_recv(stream, buf_tail(&v->in), 1);
    if (n == STREAM_AGAIN)
        return WSP_ERR_MORE;
    if (n == STREAM_EOF)
        return fail(v, WSP_ERR_REFUSED, "it closed the connection");
    if (n < 0)
        return fail(v, WSP_ERR_SYSTEM, "the connection broke");
    v->in.len++;
    v->read++;
    return WSP_OK;
}

enum wsp_err via_read(struct via *v, struct stream *stream)
{
    uint8_t out[PROXY_MESSAGE_MAX];
    enum wsp_err err;
    size_t len;

    point_to_config(v);
    while (stream->readable) {
        struct slice in;

        err = read_byte(v, stream);
        if (err != WSP_OK)
            return err;
        in = buf_slice(&v->in);
        err = proxy_client_take(&v->client, &in, out, &len);
        buf_consume(&v->in, v->in.len - in.len);
        if (err != WSP_ERR_MORE)
            return err == WSP_OK ? err : fail_answer(v, err);
        if (send_message(v, stream, out, len) != WSP_OK)
            return WSP_ERR_SYSTEM;
    }
    return WSP_ERR_MORE;
}
