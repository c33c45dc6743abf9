/* For tests of credit on the wire: what the peer sends, and a link whose memory is limited. */
#ifndef TESTS_UNIT_CREDIT_HELP_H
#define TESTS_UNIT_CREDIT_HELP_H

#include "fake_wsp_1.h"

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

static uint8_t pattern[2 * MIB];

static inline int fill_pattern(void **state)
{
    (void)state;
    rig_seed = 3;
    rig_random(pattern, sizeof(pattern));
    return 0;
}

/* A link whose memory is that of a process. */
struct world {
    struct rig r;
    struct credit_cap process;
};

static inline void world_start(struct world *w, size_t process_max, size_t window_max)
{
    struct link_options opt = rig_options(true, LINK_WSP_1);

    w->process = (struct credit_cap){.max = process_max};
    opt.memory = &w->process;
    opt.window_max = window_max;
    rig_begin(&w->r, opt);
    greet(&w->r);
}

static inline void world_stop(struct world *w)
{
    rig_stop(&w->r);
    assert_int_equal(w->process.used, 0);
}

/* The peer sends `n` bytes of the pattern from `pos` on, in messages of at most 32 KiB. */
static inline void peer_sends(struct rig *r, const struct end *e, size_t pos, size_t n)
{
    while (n) {
        size_t part = n < MSG_DATA_MAX ? n : (size_t)MSG_DATA_MAX;

        rig_send(r, end_id(e), MSG_TRANSFER, slice_of(pattern + pos, part));
        pos += part;
        n -= part;
    }
    assert_int_equal(r->rx.len, 0); /* never does a channel hold up the link */
    assert_true(r->link.failed || link_wants_input(&r->link));
}

static inline void assert_got(const struct end *e, size_t n)
{
    assert_slice(buf_slice(&e->got), slice_of(pattern, n));
}

#endif
