#include "proto/msg.h"

#include "proto/msg_wire.h"

/* Field numbers. */
enum {
    MSG_ID = 1,
    MSG_CMD = 2,
    MSG_DATA = 3,
    REQUEST_TYPE = 1,
    REQUEST_URL = 2,
    REQUEST_WINDOW = 3,
    RESPONSE_CODE = 1,
    RESPONSE_ERROR = 2,
    RESPONSE_BOUND = 3,
    RESPONSE_WINDOW = 4,
};

#define CODE_SUCCESS 1

static bool is_field(const struct wire_field *f, uint32_t number, enum wire_type type)
{
    return f->number == number && f->type == type;
}

/* An enum goes over the wire as a 64-bit varint of which the low 32 bits count. */
static int32_t enum_value(const struct wire_field *f)
{
    return (int32_t)(uint32_t)f->varint;
}

static uint64_t enum_varint(int32_t v)
{
    return (uint64_t)(int64_t)v;
}

static bool take_string(const struct wire_field *f, struct slice *s)
{
    *s = f->bytes;
    return slice_is_utf8(f->bytes);
}

enum wsp_err msg_parse(struct slice in, struct msg *m)
{
    struct msg got = {0};
    struct wire_field f;

    while (in.len) {
        if (wire_field_read(&in, &f) != WSP_OK)
            return WSP_ERR_MALFORMED;
        if (is_field(&f, MSG_ID, WIRE_BYTES)) {
            if (!take_string(&f, &got.id))
                return WSP_ERR_REFUSED;
        } else if (is_field(&f, MSG_CMD, WIRE_VARINT)) {
            got.cmd = enum_value(&f);
        } else if (is_field(&f, MSG_DATA, WIRE_BYTES)) {
            got.data = f.bytes;
        }
    }
    *m = got;
    return WSP_OK;
}

enum wsp_err msg_request_parse(struct slice in, struct msg_request *r)
{
    struct msg_request got = {.raw = slice_of(in.p, 0)};
    struct wire_field f;

    while (in.len) {
        if (wire_field_read(&in, &f) != WSP_OK)
            return WSP_ERR_MALFORMED;
        if (is_field(&f, REQUEST_WINDOW, WIRE_VARINT)) {
            got.window = f.varint;
            continue;
        }
        if (is_field(&f, REQUEST_TYPE, WIRE_VARINT))
            got.type = enum_value(&f);
        else if (is_field(&f, REQUEST_URL, WIRE_BYTES) && !take_string(&f, &got.url))
            return WSP_ERR_MALFORMED;
        got.raw.len = (size_t)(in.p - got.raw.p);
    }
    *r = got;
    return WSP_OK;
}

enum wsp_err msg_response_parse(struct slice in, struct msg_response *r)
{
    struct msg_response got = {0};
    struct wire_field f;

    while (in.len) {
        if (wire_field_read(&in, &f) != WSP_OK)
            return WSP_ERR_MALFORMED;
        if (is_field(&f, RESPONSE_CODE, WIRE_VARINT))
            got.success = enum_value(&f) == CODE_SUCCESS;
        else if (is_field(&f, RESPONSE_ERROR, WIRE_BYTES) && !take_string(&f, &got.error))
            return WSP_ERR_MALFORMED;
        else if (is_field(&f, RESPONSE_BOUND, WIRE_BYTES) && !take_string(&f, &got.bound))
            return WSP_ERR_MALFORMED;
        else if (is_field(&f, RESPONSE_WINDOW, WIRE_VARINT))
            got.window = f.varint;
    }
    *r = got;
    return WSP_OK;
}

static enum wsp_err peek_byte(struct slice *in, uint8_t wanted)
{
    if (in->len == 0)
        return WSP_ERR_MORE;
    if (in->p[0] != wanted)
        return WSP_ERR_REFUSED;
    slice_advance(in, 1);
    return WSP_OK;
}

/* A bytes field's tag and its length, which must be in shortest form and not 0. */
static enum wsp_err peek_bytes_head(struct slice *in, uint32_t number, uint64_t *len)
{
    enum wsp_err err = peek_byte(in, (uint8_t)(number << 3 | WIRE_BYTES));
    size_t before = in->len;

    if (err != WSP_OK)
        return err;
    err = wire_varint_read(in, len);
    if (err == WSP_ERR_MORE)
        return err;
    if (err != WSP_OK || *len == 0 || before - in->len != wire_varint_len(*len))
        return WSP_ERR_REFUSED;
    return WSP_OK;
}

static enum wsp_err peek_id(struct slice *in, struct slice *id)
{
    uint64_t len;
    enum wsp_err err = peek_bytes_head(in, MSG_ID, &len);

    if (err != WSP_OK)
        return err;
    if (len > MSG_ID_MAX)
        return WSP_ERR_REFUSED;
    if (len > in->len)
        return WSP_ERR_MORE;
    *id = slice_of(in->p, (size_t)len);
    slice_advance(in, (size_t)len);
    return WSP_OK;
}

/* Everything up to the data; `*data_len` is what the data's length field says. */
static enum wsp_err peek_head(struct slice *in, struct slice *id, uint64_t *data_len)
{
    enum wsp_err err = peek_id(in, id);

    if (err == WSP_OK)
        err = peek_byte(in, MSG_CMD << 3 | WIRE_VARINT);
    if (err == WSP_OK)
        err = peek_byte(in, MSG_TRANSFER);
    if (err == WSP_OK)
        err = peek_bytes_head(in, MSG_DATA, data_len);
    return err;
}

enum wsp_err msg_transfer_peek(struct slice in, uint64_t total, struct slice *id, size_t *head_len)
{
    struct slice rest = in;
    struct slice got_id;
    uint64_t data_len;
    size_t head;
    enum wsp_err err = peek_head(&rest, &got_id, &data_len);

    if (err == WSP_ERR_MORE && in.len >= total)
        return WSP_ERR_REFUSED;
    if (err != WSP_OK)
        return err;
    head = in.len - rest.len;
    if (head > total || data_len != total - head)
        return WSP_ERR_REFUSED;
    *id = got_id;
    *head_len = head;
    return WSP_OK;
}

size_t msg_head_len(size_t id_len, enum msg_cmd cmd, size_t data_len)
{
    return wire_bytes_field_len(id_len) + wire_varint_field_len((uint64_t)cmd) +
           wire_bytes_field_len(data_len) - data_len;
}

size_t msg_head_write(uint8_t *out, struct slice id, enum msg_cmd cmd, size_t data_len)
{
    uint8_t *p = wire_bytes_field_write(out, MSG_ID, id);

    p = wire_varint_field_write(p, MSG_CMD, (uint64_t)cmd);
    p = wire_bytes_head_write(p, MSG_DATA, data_len);
    return (size_t)(p - out);
}

enum wsp_err msg_request_write(const struct msg_request *r, uint8_t *out, size_t cap, size_t *len)
{
    uint64_t type = enum_varint(r->type);
    size_t need =
        r->raw.len ? r->raw.len : wire_varint_field_len(type) + wire_bytes_field_len(r->url.len);

    need += wire_varint_field_len(r->window);
    if (need > cap)
        return WSP_ERR_LIMIT;
    *len = need;
    if (r->raw.len) {
        memcpy(out, r->raw.p, r->raw.len);
        out += r->raw.len;
    } else {
        out = wire_varint_field_write(out, REQUEST_TYPE, type);
        out = wire_bytes_field_write(out, REQUEST_URL, r->url);
    }
    wire_varint_field_write(out, REQUEST_WINDOW, r->window);
    return WSP_OK;
}

enum wsp_err msg_response_write(const struct msg_response *r, uint8_t *out, size_t cap, size_t *len)
{
    uint64_t code = r->success ? CODE_SUCCESS : 0;
    size_t need = wire_varint_field_len(code) + wire_bytes_field_len(r->error.len) +
                  wire_bytes_field_len(r->bound.len) + wire_varint_field_len(r->window);

    if (need > cap)
        return WSP_ERR_LIMIT;
    out = wire_varint_field_write(out, RESPONSE_CODE, code);
    out = wire_bytes_field_write(out, RESPONSE_ERROR, r->error);
    out = wire_bytes_field_write(out, RESPONSE_BOUND, r->bound);
    wire_varint_field_write(out, RESPONSE_WINDOW, r->window);
    *len = need;
    return WSP_OK;
}
