/* Frames and messages as a peer writes them, right or wrong; include it behind cmocka.h. */
#ifndef TESTS_UNIT_FAKE_WIRE_H
#define TESTS_UNIT_FAKE_WIRE_H

#include "base/buf.h"
#include "proto/msg.h"
#include "proto/ws.h"

enum { WIRE_ID_MAX = 256 };

static inline void wire_frame(struct buf *w, bool masked, bool fin, enum ws_opcode op,
                              struct slice payload)
{
    struct ws_frame f = {fin, op, masked, {0x12, 0x34, 0x56, 0x78}, payload.len};
    uint8_t header[WS_HEADER_MAX];

    assert_int_equal(buf_append(w, header, ws_frame_write(&f, header)), WSP_OK);
    assert_int_equal(buf_append(w, payload.p, payload.len), WSP_OK);
    if (masked)
        ws_mask(buf_tail(w) - payload.len, payload.len, f.mask, 0);
}

/* A message without frame; the id may be longer than we ever write. */
static inline void wire_message(struct buf *w, struct slice id, int cmd, struct slice data)
{
    uint8_t head[WIRE_ID_MAX + 16];

    assert_true(id.len <= WIRE_ID_MAX);
    buf_append(w, head, msg_head_write(head, id, (enum msg_cmd)cmd, data.len));
    buf_append(w, data.p, data.len);
}

static inline void wire_msg(struct buf *w, bool masked, struct slice id, int cmd, struct slice data)
{
    struct buf m = {0};

    wire_message(&m, id, cmd, data);
    wire_frame(w, masked, true, WS_BINARY, buf_slice(&m));
    buf_fini(&m);
}

#endif
