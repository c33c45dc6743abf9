/* What only wsp.1 carries in the data of its messages. */
#include "proto/msg.h"
#include "proto/msg_wire.h"

/* Field numbers. */
enum {
    SETTINGS_WINDOW = 1,
    SETTINGS_TRANSFER = 2,
    SETTINGS_INSTANCE = 3,
};

enum wsp_err msg_settings_parse(struct slice in, struct msg_settings *s)
{
    struct msg_settings got = {0};
    struct wire_field f;

    while (in.len) {
        if (wire_field_read(&in, &f) != WSP_OK)
            return WSP_ERR_MALFORMED;
        if (f.number == SETTINGS_WINDOW && f.type == WIRE_VARINT)
            got.window = f.varint;
        else if (f.number == SETTINGS_TRANSFER && f.type == WIRE_VARINT)
            got.transfer = f.varint;
        else if (f.number == SETTINGS_INSTANCE && f.type == WIRE_BYTES) {
            if (f.bytes.len != MSG_INSTANCE_LEN)
                return WSP_ERR_MALFORMED;
            memcpy(got.instance, f.bytes.p, MSG_INSTANCE_LEN);
        }
    }
    *s = got;
    return WSP_OK;
}

size_t msg_settings_write(const struct msg_settings *s, uint8_t *out)
{
    uint8_t *p = wire_varint_field_write(out, SETTINGS_WINDOW, s->window);

    p = wire_varint_field_write(p, SETTINGS_TRANSFER, s->transfer);
    p = wire_bytes_field_write(p, SETTINGS_INSTANCE, slice_of(s->instance, MSG_INSTANCE_LEN));
    return (size_t)(p - out);
}

enum wsp_err msg_credit_parse(struct slice in, uint64_t *credit)
{
    uint64_t v;

    if (wire_varint_read(&in, &v) != WSP_OK || in.len || v == 0)
        return WSP_ERR_MALFORMED;
    *credit = v;
    return WSP_OK;
}

size_t msg_credit_write(uint64_t credit, uint8_t *out)
{
    size_t n = 0;

    for (; credit >= 0x80; credit >>= 7)
        out[n++] = (uint8_t)(credit | 0x80);
    out[n++] = (uint8_t)credit;
    return n;
}

uint8_t msg_reason_parse(struct slice in, struct slice *text)
{
    uint8_t reason = in.len ? in.p[0] : (uint8_t)MSG_CLOSED;

    if (in.len)
        slice_advance(&in, 1);
    *text = in;
    return reason;
}
