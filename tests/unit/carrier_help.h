/* For tests of carriers: endpoints that are relays, with the test at the far end of their streams.
 */
#ifndef UNIT_CARRIER_HELP_H
#define UNIT_CARRIER_HELP_H

#include <stdio.h>

#include "net/carrier.h"
#include "net/relay.h"
#include "unit/net_help.h"

struct user {
    struct relay relay;
    int far;             /* -1 when closed */
    size_t sent;         /* bytes of the sequence */
    struct received got; /* by `far` */
    bool opened, closed, done;
    enum chan_end end;
    char text[64]; /* why the open failed */
};

static inline struct user *user_of(struct chan *ch)
{
    return container_of(container_of(ch, struct relay, chan), struct user, relay);
}

static inline void user_opened(struct chan *ch, struct slice bound)
{
    struct user *u = user_of(ch);

    (void)bound;
    u->opened = true;
    assert_int_equal(relay_start(&u->relay, slice_of(NULL, 0)), WSP_OK);
}

static inline void user_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct user *u = user_of(ch);

    assert_false(u->closed);
    u->closed = true;
    u->end = end;
    snprintf(u->text, sizeof(u->text), "%.*s", SLICE_FMT(text));
    relay_closed(ch, end, text);
}

static inline void user_done(struct relay *r)
{
    container_of(r, struct user, relay)->done = true;
}

static inline void user_on_stream(struct stream *s)
{
    (void)s;
}

static inline void user_init(struct user *u, struct wsp_loop *loop)
{
    static const struct chan_ops ops = {
        .opened = user_opened,
        .closed = user_closed,
        .deliver = relay_deliver,
        .deliver_iov = relay_deliver_iov,
        .pull = relay_pull,
        .finished = relay_finished,
        .flushing = relay_flushing,
    };
    int fds[2];

    *u = (struct user){0};
    relay_init(&u->relay, loop, &ops, user_done);
    tcp_pair(fds, 64 * 1024);
    assert_int_equal(stream_init(&u->relay.stream, loop, fds[0], user_on_stream), WSP_OK);
    u->far = fds[1];
}

static inline void user_fini(struct user *u)
{
    relay_fini(&u->relay);
    if (u->far >= 0)
        close(u->far);
    u->far = -1;
}

/* What an exit does with a CONNECT, without the dialling. */
static inline void user_accept(struct user *u, struct wsp_loop *loop, struct link *l,
                               struct slice id)
{
    user_init(u, loop);
    assert_int_equal(link_adopt(l, &u->relay.chan, id), WSP_OK);
    assert_int_equal(relay_start(&u->relay, slice_of(NULL, 0)), WSP_OK);
    chan_accept(&u->relay.chan, slice_of(NULL, 0));
}

static inline struct link_options link_options_of(bool server)
{
    return (struct link_options){
        .server = server,
        .name = server ? "link 1" : "server",
        .max_channels = 100,
        .ping_us = 60000000,
        .dead_us = 120000000,
        .probe_us = 60000000,
        .probe_answer_us = 60000000,
        .stall_us = 60000000,
    };
}

#endif
