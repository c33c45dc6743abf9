/* An endpoint of a channel that takes and gives as the test says, and notes what it hears. */
#ifndef TESTS_UNIT_FAKE_END_H
#define TESTS_UNIT_FAKE_END_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/link.h"

struct end {
    struct chan ch;
    struct buf got;
    size_t room;       /* bytes it still takes */
    size_t delivered;  /* calls */
    struct slice out;  /* what it sends, and then: */
    size_t out_repeat; /* how many times more */
    enum chan_then then;
    unsigned opened, closed, finished, flushing;
    enum chan_end how;
    char text[64]; /* of opened or closed */
};

static inline struct end *end_of(struct chan *ch)
{
    return container_of(ch, struct end, ch);
}

static inline void end_note(struct end *e, struct slice text)
{
    snprintf(e->text, sizeof(e->text), "%.*s", SLICE_FMT(text));
}

static inline void end_opened(struct chan *ch, struct slice bound)
{
    end_of(ch)->opened++;
    end_note(end_of(ch), bound);
}

static inline void end_closed(struct chan *ch, enum chan_end how, struct slice text)
{
    struct end *e = end_of(ch);

    assert_false(chan_live(ch));
    assert_int_equal(ch->state, CHAN_CLOSED);
    e->closed++;
    e->how = how;
    end_note(e, text);
}

static inline size_t end_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct end *e = end_of(ch);
    size_t n = len < e->room ? len : e->room;

    assert_true(len > 0);
    e->delivered++;
    e->room -= n;
    assert_int_equal(buf_append(&e->got, data, n), WSP_OK);
    return n;
}

static inline struct chan_pull end_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct end *e = end_of(ch);
    size_t n = e->out.len < cap ? e->out.len : cap;

    assert_true(ch->link->out.bytes < LINK_OUTPUT_TARGET);
    if (n)
        memcpy(out, e->out.p, n);
    if (e->out_repeat) {
        e->out_repeat--;
        return (struct chan_pull){n, CHAN_THEN_MORE};
    }
    if (n)
        slice_advance(&e->out, n);
    return (struct chan_pull){n, e->out.len ? CHAN_THEN_MORE : e->then};
}

static inline void end_finished(struct chan *ch)
{
    assert_int_equal(ch->state, CHAN_HEARD);
    assert_int_equal(ch->held.bytes, 0);
    end_of(ch)->finished++;
}

static inline void end_flushing(struct chan *ch)
{
    assert_int_equal(ch->state, CHAN_FLUSHING);
    assert_int_not_equal(ch->held.bytes, 0);
    end_of(ch)->flushing++;
}

static const struct chan_ops end_ops = {
    .opened = end_opened,
    .closed = end_closed,
    .deliver = end_deliver,
    .pull = end_pull,
    .finished = end_finished,
    .flushing = end_flushing,
};

#endif
