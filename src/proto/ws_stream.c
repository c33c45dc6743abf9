#include "proto/ws_stream.h"

static enum ws_event bad(struct ws_stream *s, enum ws_close code, const char *fault)
{
    s->ended = true;
    s->code = code;
    s->fault = fault;
    return WS_EVENT_BAD;
}

/* WSP_ERR_MORE: what there is of the header is kept. */
static enum wsp_err take_header(struct ws_stream *s, struct slice *in)
{
    enum wsp_err err = WSP_ERR_MORE;

    if (s->header_len == 0)
        err = ws_frame_parse(in, &s->frame);
    while (err == WSP_ERR_MORE && in->len) {
        struct slice header;

        s->header[s->header_len++] = in->p[0];
        slice_advance(in, 1);
        header = slice_of(s->header, s->header_len);
        err = ws_frame_parse(&header, &s->frame);
    }
    if (err != WSP_ERR_MORE)
        s->header_len = 0;
    return err;
}

static enum ws_event begin_frame(struct ws_stream *s)
{
    if (!s->frame.masked)
        return bad(s, WS_CLOSE_PROTOCOL, "unmasked frame");
    if (ws_is_control(s->frame.op)) {
        s->control_len = 0;
    } else {
        if ((s->frame.op == WS_CONT) != s->in_message)
            return bad(s, WS_CLOSE_PROTOCOL, "fragments out of order");
        if (!s->in_message) {
            s->message_op = s->frame.op;
            s->text = (struct utf8){0};
        }
        s->in_message = true;
    }
    s->in_frame = true;
    s->pos = 0;
    return WS_EVENT_NONE;
}

/* Moves the next bytes of the frame's payload to `out`, unmasked; returns how many. */
static size_t unmask(struct ws_stream *s, struct slice *in, uint8_t *out)
{
    uint64_t left = s->frame.len - s->pos;
    size_t n = in->len < left ? in->len : (size_t)left;

    if (n == 0)
        return 0;
    if (out != in->p)
        memmove(out, in->p, n);
    ws_mask(out, n, s->frame.mask, s->pos);
    s->pos += n;
    slice_advance(in, n);
    return n;
}

static enum ws_event on_close(struct ws_stream *s)
{
    struct slice reason;

    if (ws_close_parse(slice_of(s->control, s->control_len), &s->code, &reason) != WSP_OK)
        return bad(s, WS_CLOSE_PROTOCOL, "bad close frame");
    s->ended = true;
    return WS_EVENT_CLOSE;
}

static enum ws_event take_control(struct ws_stream *s, struct slice *in)
{
    s->control_len += (uint8_t)unmask(s, in, s->control + s->control_len);
    if (s->pos < s->frame.len)
        return WS_EVENT_NONE;
    s->in_frame = false;
    if (s->frame.op == WS_CLOSE)
        return on_close(s);
    return s->frame.op == WS_PING ? WS_EVENT_PING : WS_EVENT_PONG;
}

static enum ws_event take_payload(struct ws_stream *s, struct slice *in, uint8_t *out, size_t *made)
{
    size_t n = unmask(s, in, out);
    bool ends;

    s->in_frame = s->pos < s->frame.len;
    ends = !s->in_frame && s->frame.fin;
    if (s->message_op == WS_TEXT &&
        (!utf8_follow(&s->text, slice_of(out, n)) || (ends && !utf8_complete(&s->text))))
        return bad(s, WS_CLOSE_BAD_DATA, "text is not UTF-8");
    if (ends)
        s->in_message = false;
    *made += n;
    return WS_EVENT_NONE;
}

enum ws_event ws_stream_next(struct ws_stream *s, struct slice *in, uint8_t *out, size_t *made)
{
    enum ws_event event = WS_EVENT_NONE;

    *made = 0;
    while (!s->ended && event == WS_EVENT_NONE) {
        if (!s->in_frame) {
            enum wsp_err err = take_header(s, in);

            if (err == WSP_ERR_MORE)
                return WS_EVENT_NONE;
            event = err == WSP_OK ? begin_frame(s) : bad(s, WS_CLOSE_PROTOCOL, "bad frame header");
        } else if (in->len == 0 && s->pos < s->frame.len) {
            return WS_EVENT_NONE;
        } else if (ws_is_control(s->frame.op)) {
            event = take_control(s, in);
        } else {
            event = take_payload(s, in, out + *made, made);
        }
    }
    if (s->ended)
        slice_advance(in, in->len);
    return event;
}
