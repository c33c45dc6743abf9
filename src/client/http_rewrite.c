#include "client/http_rewrite.h"

#include <stdio.h>

static enum wsp_err add(struct buf *out, struct slice s)
{
    return buf_append(out, s.p, s.len);
}

static enum wsp_err add_str(struct buf *out, const char *s)
{
    return add(out, slice_str(s));
}

static enum wsp_err add_line(struct buf *out, struct slice line)
{
    enum wsp_err err = add(out, line);

    return err == WSP_OK ? add_str(out, "\r\n") : err;
}

static enum wsp_err add_host(struct buf *out, struct slice authority)
{
    enum wsp_err err = add_str(out, "Host: ");

    return err == WSP_OK ? add_line(out, authority) : err;
}

static enum wsp_err request_line(const struct http1_head *head, struct slice path, struct buf *out)
{
    enum wsp_err err = add(out, head->method);

    if (err == WSP_OK && path.len == 0)
        err = add_str(out, slice_eq_str(head->method, "OPTIONS") ? " *" : " /");
    else if (err == WSP_OK)
        err = add_str(out, path.p[0] == '?' ? " /" : " ");
    if (err == WSP_OK)
        err = add(out, path);
    if (err == WSP_OK)
        err = add_str(out, head->minor ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
    return err;
}

enum wsp_err http_rewrite_request(const struct http1_head *head, struct slice authority,
                                  struct slice path, struct buf *out)
{
    enum wsp_err err = request_line(head, path, out);
    bool host_written = http1_find(head, "Host") == NULL;

    if (err == WSP_OK && host_written)
        err = add_host(out, authority);
    for (size_t i = 0; i < head->count && err == WSP_OK; i++) {
        const struct http1_header *h = &head->header[i];

        if (slice_eq_nocase(h->name, slice_str("Host"))) {
            if (!host_written)
                err = add_host(out, authority);
            host_written = true;
        } else if (!http1_is_hop_by_hop(head, h)) {
            err = add_line(out, h->line);
        }
    }
    return err == WSP_OK ? add_str(out, "\r\n") : err;
}

enum wsp_err http_rewrite_response(const struct http1_head *head, bool close, struct buf *out)
{
    char line[32];
    enum wsp_err err;

    snprintf(line, sizeof(line), "HTTP/1.%u %03u ", head->minor, head->status);
    err = add_str(out, line);
    if (err == WSP_OK)
        err = add_line(out, head->reason);
    for (size_t i = 0; i < head->count && err == WSP_OK; i++)
        if (!http1_is_hop_by_hop(head, &head->header[i]))
            err = add_line(out, head->header[i].line);
    if (err == WSP_OK && close)
        err = add_str(out, "Connection: close\r\n");
    return err == WSP_OK ? add_str(out, "\r\n") : err;
}
