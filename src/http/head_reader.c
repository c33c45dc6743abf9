#include "http/head_reader.h"

enum { READ_STEP = 4096 };

void head_reader_fini(struct head_reader *r)
{
    buf_fini(&r->in);
    r->scanned = 0;
}

/* Empty lines before a request are skipped for good (RFC 9112 section 2.2), so that they are not
 * looked at again with every further byte. */
static void skip_empty_lines(struct head_reader *r)
{
    struct slice in = buf_slice(&r->in);
    size_t n = 0;

    while (in.len - n >= 2 && in.p[n] == '\r' && in.p[n + 1] == '\n')
        n += 2;
    buf_consume(&r->in, n);
    r->scanned -= n < r->scanned ? n : r->scanned;
}

static enum wsp_err parse(struct head_reader *r, bool response, struct http1_head *head,
                          size_t *head_len)
{
    struct slice in;
    enum wsp_err err;

    if (!response)
        skip_empty_lines(r);
    in = buf_slice(&r->in);
    if (!http1_line_completed(in, &r->scanned))
        return WSP_ERR_MORE;
    err = response ? http1_response_parse(&in, head) : http1_request_parse(&in, head);
    if (err == WSP_OK) {
        *head_len = r->in.len - in.len;
        r->scanned = 0;
    }
    return err;
}

static enum wsp_err receive(struct head_reader *r, bool response, struct stream *s,
                            struct http1_head *head, size_t *head_len)
{
    enum wsp_err err = parse(r, response, head, head_len);

    while (err == WSP_ERR_MORE && s->readable) {
        ssize_t n;

        if (buf_reserve(&r->in, READ_STEP) != WSP_OK)
            return WSP_ERR_NOMEM;
        n = stream_recv(s, buf_tail(&r->in), READ_STEP);
        if (n == STREAM_AGAIN)
            return WSP_ERR_MORE;
        if (n <= 0)
            return n == STREAM_EOF ? WSP_ERR_REFUSED : WSP_ERR_SYSTEM;
        r->in.len += (size_t)n;
        err = parse(r, response, head, head_len);
    }
    return err;
}

enum wsp_err head_reader_request(struct head_reader *r, struct stream *s, struct http1_head *head,
                                 size_t *head_len)
{
    return receive(r, false, s, head, head_len);
}

enum wsp_err head_reader_response(struct head_reader *r, struct stream *s, struct http1_head *head,
                                  size_t *head_len)
{
    return receive(r, true, s, head, head_len);
}
