#include "api/head.h"

#include "proto/http1_chars.h"

static bool is_text(const char *s)
{
    for (; *s; s++)
        if (!http1_is_text((uint8_t)*s))
            return false;
    return true;
}

static bool is_target(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if ((uint8_t)*s <= ' ' || (uint8_t)*s >= 0x7f)
            return false;
    return true;
}

bool head_field_ok(const struct wsp_header *h)
{
    return http1_is_token(slice_str(h->name)) && is_text(h->value);
}

static enum wsp_err check(const struct wsp_request_head *head)
{
    bool ok;

    if (!head->method || !head->target || (!head->header && head->header_count))
        return WSP_ERR_USAGE;
    if (head->header_count > HTTP1_HEADERS_MAX)
        return WSP_ERR_LIMIT;
    ok = http1_is_token(slice_str(head->method)) && is_target(head->target);
    for (size_t i = 0; i < head->header_count; i++) {
        const struct wsp_header *h = &head->header[i];

        if (!h->name || !h->value)
            return WSP_ERR_USAGE;
        ok = ok && head_field_ok(h);
    }
    return ok ? WSP_OK : WSP_ERR_MALFORMED;
}

enum wsp_err head_write(const struct wsp_request_head *head, struct buf *out,
                        struct http1_head *parsed)
{
    enum wsp_err err = check(head);
    struct slice text;

    if (err != WSP_OK)
        return err;
    buf_add(out, slice_str(head->method), &err);
    buf_add(out, slice_str(" "), &err);
    buf_add(out, slice_str(head->target), &err);
    buf_add(out, slice_str(head->is_http_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n"), &err);
    for (size_t i = 0; i < head->header_count; i++) {
        buf_add(out, slice_str(head->header[i].name), &err);
        buf_add(out, slice_str(": "), &err);
        buf_add(out, slice_str(head->header[i].value), &err);
        buf_add(out, slice_str("\r\n"), &err);
    }
    buf_add(out, slice_str("\r\n"), &err);
    if (err != WSP_OK)
        return err;
    text = buf_slice(out);
    err = http1_request_parse(&text, parsed);
    return err == WSP_ERR_MORE ? WSP_ERR_LIMIT : err;
}
