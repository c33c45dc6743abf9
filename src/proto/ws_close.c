#include "proto/ws.h"

/* RFC 6455 section 7.4 and the registry it set up: 1004 to 1006 and 1015 never stand in a frame. */
static bool code_may_be_sent(unsigned code)
{
    if (code >= 3000)
        return code <= 4999;
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

enum wsp_err ws_close_parse(struct slice payload, unsigned *code, struct slice *reason)
{
    unsigned c;

    if (payload.len == 0) {
        *code = WS_CLOSE_NO_STATUS;
        *reason = payload;
        return WSP_OK;
    }
    if (payload.len < 2)
        return WSP_ERR_MALFORMED;
    c = (unsigned)payload.p[0] << 8 | payload.p[1];
    slice_advance(&payload, 2);
    if (!code_may_be_sent(c) || !slice_is_utf8(payload))
        return WSP_ERR_MALFORMED;
    *code = c;
    *reason = payload;
    return WSP_OK;
}

/* The length of the longest prefix of at most `max` bytes that splits no UTF-8 sequence. */
static size_t utf8_cut(struct slice s, size_t max)
{
    size_t n = s.len < max ? s.len : max;

    if (n == s.len)
        return n;
    while (n > 0 && (s.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

size_t ws_close_write(unsigned code, struct slice reason, uint8_t out[WS_CONTROL_MAX])
{
    size_t n = utf8_cut(reason, WS_CONTROL_MAX - 2);

    if (!code_may_be_sent(code))
        return 0;
    out[0] = (uint8_t)(code >> 8);
    out[1] = (uint8_t)code;
    if (n)
        memcpy(out + 2, reason.p, n);
    return 2 + n;
}
