#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "unit/carrier_help.h"

enum {
    USERS = 6,
    HELD_MAX = 256 * 1024, /* bytes a channel of 0.10 holds before its link has to wait */
};

/* Two carriers in one loop, connected with each other; a pair of users for each channel. */
struct fixture {
    struct wsp_loop *loop;
    struct carrier client, server;
    bool client_ended, server_ended; /* on_end came */
    char why[96];                    /* of the last on_end */
    struct user out[USERS];          /* whose channels the client opened */
    struct user in[USERS];           /* the same at the server */
    size_t out_count, in_count;
    bool refuse;
};

static struct fixture *current; /* the carriers' callbacks have no context of their own */

static void on_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    struct msg_response failed = {.error = slice_str("connection refused")};

    assert_true(slice_eq_str(request->url, "tcp://x:1"));
    if (current->refuse)
        link_respond(l, id, &failed);
    else
        user_accept(&current->in[current->in_count++], current->loop, l, id);
}

static void on_end(struct carrier *c, const char *why)
{
    if (c == &current->client)
        current->client_ended = true;
    else
        current->server_ended = true;
    snprintf(current->why, sizeof(current->why), "%s", why);
}

static void start(struct fixture *f, struct carrier *c, int fd, enum link_dialect dialect)
{
    struct stream stream;
    struct carrier_start s = {
        .loop = f->loop,
        .stream = &stream,
        .opt = link_options_of(c == &f->server),
        .connect = on_connect,
        .on_end = on_end,
    };

    s.opt.dialect = dialect;
    assert_int_equal(stream_init(&stream, f->loop, fd, NULL), WSP_OK);
    assert_int_equal(carrier_start(c, &s), WSP_OK);
}

static struct fixture *setup_over(void (*pair)(int fds[2]), enum link_dialect dialect)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    assert_non_null(f);
    f->loop = wsp_loop_new();
    assert_non_null(f->loop);
    pair(fds);
    start(f, &f->client, fds[0], dialect);
    start(f, &f->server, fds[1], dialect == LINK_WSP_1 ? LINK_EITHER : dialect);
    current = f;
    return f;
}

static void default_tcp_pair(int fds[2])
{
    tcp_pair(fds, 0);
}

static int setup(void **state)
{
    *state = setup_over(default_tcp_pair, LINK_0_10);
    return 0;
}

static int setup_1(void **state)
{
    *state = setup_over(default_tcp_pair, LINK_WSP_1);
    return 0;
}

static int setup_unix(void **state)
{
    *state = setup_over(unix_pair, LINK_0_10);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (!f->client_ended)
        carrier_fini(&f->client);
    if (!f->server_ended)
        carrier_fini(&f->server);
    for (size_t i = 0; i < f->out_count; i++)
        user_fini(&f->out[i]);
    for (size_t i = 0; i < f->in_count; i++)
        user_fini(&f->in[i]);
    assert_int_equal(pool_used(loop_pool(f->loop)), 0);
    wsp_loop_free(f->loop);
    free(f);
    return 0;
}

static struct user *ask(struct fixture *f)
{
    static const struct msg_request request = {.type = MSG_DYNAMIC,
                                               .url = {(void *)"tcp://x:1", 9}};
    struct user *u = &f->out[f->out_count++];

    user_init(u, f->loop);
    assert_int_equal(link_open(&f->client.link, &u->relay.chan, &request), WSP_OK);
    return u;
}

static struct user *open_channel(struct fixture *f)
{
    struct user *u = ask(f);

    wait_for(f->loop, -1, u->opened);
    return u;
}

/* Sends more of the sequence, up to `n` bytes in total; true when all is sent. */
static bool send_more(struct user *u, size_t n)
{
    u->sent += send_pattern(u->far, u->sent, n - u->sent);
    return u->sent == n;
}

static void exchange(struct fixture *f, struct user *from, struct user *to, size_t n)
{
    wait_for(f->loop, to->far,
             (send_more(from, n), receive_some(to->far, &to->got, n), to->got.len == n));
    assert_false(to->got.mismatch);
    assert_false(to->got.eof || to->got.reset);
}

static void receive_end(struct fixture *f, struct user *u)
{
    wait_for(f->loop, u->far, receive_some(u->far, &u->got, SIZE_MAX));
    assert_false(u->got.mismatch);
}

/* Sends until the reader at the other end has made the whole link wait. */
static void send_until_blocked(struct fixture *f, struct user *from)
{
    wait_for(f->loop, -1, (send_more(from, from->sent + 65536), f->server.link.blocked));
}

static void test_bytes_both_ways(void **state)
{
    struct fixture *f = *state;
    struct user *a = open_channel(f), *b = &f->in[0];

    exchange(f, a, b, 1);
    exchange(f, b, a, 1);
    exchange(f, a, b, 1000000);
    exchange(f, b, a, 1500000);
    exchange(f, a, b, 1000100);
    shutdown(a->far, SHUT_WR);
    receive_end(f, b);
    assert_true(b->got.eof);
    receive_end(f, a); /* a channel of 0.10 ends both ways */
    assert_true(a->got.eof);
    assert_int_equal(a->end, CHAN_END_SENT);
    assert_int_equal(b->end, CHAN_END_PEER);
    assert_true(a->done && b->done);
    assert_int_equal(f->client.link.channels.count, 0);
    assert_int_equal(f->server.link.channels.count, 0);
    wait_for(f->loop, -1, pool_used(loop_pool(f->loop)) == 0); /* idle links hold no buffer */
}

/* All at once, everyone in pieces of other sizes. */
static void test_many_channels(void **state)
{
    struct fixture *f = *state;
    uint64_t until = now_ms() + WAIT_MS;
    size_t open;

    for (size_t i = 0; i < USERS; i++)
        ask(f);
    wait_for(f->loop, -1, f->in_count == USERS && f->out[USERS - 1].opened);
    srand(6);
    do {
        open = 0;
        for (size_t i = 0; i < USERS; i++) {
            struct user *a = &f->out[i], *b = &f->in[i];
            size_t total = 100000 * (i + 1);

            send_more(a, a->sent + (size_t)rand() % (total - a->sent + 1));
            send_more(b, b->sent + (size_t)rand() % (total - b->sent + 1));
            receive_some(a->far, &a->got, total);
            receive_some(b->far, &b->got, total);
            open += a->got.len < total || b->got.len < total;
        }
        wsp_loop_turn(f->loop);
    } while (open && now_ms() < until);
    assert_int_equal(open, 0);
    for (size_t i = 0; i < USERS; i++)
        assert_false(f->out[i].got.mismatch || f->in[i].got.mismatch);
}

static void test_slow_reader(void **state)
{
    struct fixture *f = *state;
    struct user *a = open_channel(f), *b = &f->in[0];

    send_until_blocked(f, a);
    assert_int_equal(b->relay.chan.held.bytes, HELD_MAX);
    for (int i = 0; i < 200; i++) { /* whatever else comes, memory does not grow */
        send_more(a, a->sent + 65536);
        wsp_loop_turn(f->loop);
    }
    assert_int_equal(b->relay.chan.held.bytes, HELD_MAX);
    assert_true(f->client.link.out.bytes <= LINK_OUTPUT_TARGET + BLOCK_BYTES);
    assert_in_range(loop_pool(f->loop)->blocks.used, 1, 8);
    assert_in_range(loop_pool(f->loop)->pieces.used, 1, HELD_MAX / PIECE_BYTES + 2);
    exchange(f, a, b, a->sent);
    exchange(f, b, a, 100000);
    exchange(f, a, b, a->sent + 100000);
}

/* A channel that its peer has ended gives all it has before the end shows. */
static void test_peer_ends(void **state)
{
    struct fixture *f = *state;
    struct user *a = open_channel(f), *b = &f->in[0];
    size_t n = 400000;

    wait_for(f->loop, -1, send_more(a, n));
    shutdown(a->far, SHUT_WR);
    wait_for(f->loop, -1, b->relay.chan.state == CHAN_FLUSHING || f->server.link.blocked);
    wait_for(
        f->loop, b->far,
        (receive_some(b->far, &b->got, b->got.len + 4096), b->relay.chan.state == CHAN_FLUSHING));
    assert_true(b->relay.chan.held.bytes > 0);
    assert_false(b->closed);
    receive_end(f, b);
    assert_int_equal(b->end, CHAN_END_PEER);
    assert_true(b->got.eof);
    assert_int_equal(b->got.len, n);
    assert_true(b->done);
}

/* The server's side ends: the same the other way round, also for what the client still sends. */
static void test_server_side_ends(void **state)
{
    struct fixture *f = *state;
    struct user *a = open_channel(f), *b = &f->in[0];

    wait_for(f->loop, a->far,
             (send_more(b, 300000), send_more(a, a->sent + 100), b->sent == 300000));
    shutdown(b->far, SHUT_WR);
    receive_end(f, a);
    assert_true(a->got.eof);
    assert_int_equal(a->got.len, 300000);
    wait_for(f->loop, -1, a->done && b->done);
}

static void test_user_resets(void **state)
{
    struct fixture *f = *state;
    struct user *a = open_channel(f), *b = &f->in[0];
    struct linger hard = {1, 0};

    exchange(f, a, b, 1000);
    setsockopt(a->far, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(a->far);
    a->far = -1;
    wait_for(f->loop, -1, a->done && b->done);
    assert_int_equal(a->end, CHAN_END_RESET);
    assert_int_equal(f->server.link.channels.count, 0);
    exchange(f, open_channel(f), &f->in[1], 1000); /* the link lives */
}

/* ---- wsp.1 */

/* One reader that takes nothing holds up nobody else, and costs no more than its window. */
static void test_stalled_reader_1(void **state)
{
    struct fixture *f = *state;
    struct user *a = open_channel(f), *b = &f->in[0];
    struct user *c = open_channel(f), *d = &f->in[1];

    wait_for(f->loop, -1, (send_more(a, a->sent + 65536), a->relay.chan.credit == 0));
    exchange(f, c, d, 3000000);
    exchange(f, d, c, 3000000);
    assert_in_range(b->relay.chan.held.bytes, 1, b->relay.chan.window.size);
    exchange(f, a, b, a->sent);
    exchange(f, a, b, a->sent + 3000000);
}

/* Each direction ends by itself. */
static void test_half_close_1(void **state)
{
    struct fixture *f = *state;
    struct user *a = open_channel(f), *b = &f->in[0];

    wait_for(f->loop, b->far,
             (send_more(a, 2000000), receive_some(b->far, &b->got, 2000000), a->sent == 2000000));
    shutdown(a->far, SHUT_WR);
    receive_end(f, b);
    assert_true(b->got.eof);
    assert_int_equal(b->got.len, 2000000);
    assert_false(a->closed || b->closed);
    exchange(f, b, a, 2000000);
    shutdown(b->far, SHUT_WR);
    receive_end(f, a);
    assert_true(a->got.eof);
    wait_for(f->loop, -1, a->done && b->done);
    assert_int_equal(f->client.link.channels.count, 0);
    assert_int_equal(f->server.link.channels.count, 0);
    assert_int_equal(f->client.link.cap.used + f->server.link.cap.used, 0);
    wait_for(f->loop, -1, pool_used(loop_pool(f->loop)) == 0);
}

/* A reset goes through, to the other side's reader. */
static void test_reset_1(void **state)
{
    struct fixture *f = *state;
    struct user *a = open_channel(f), *b = &f->in[0];
    struct linger hard = {1, 0};

    exchange(f, a, b, 1000);
    setsockopt(a->far, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(a->far);
    a->far = -1;
    receive_end(f, b);
    assert_true(b->got.reset);
    wait_for(f->loop, -1, a->done && b->done);
    assert_int_equal(b->end, CHAN_END_PEER_RESET);
    exchange(f, open_channel(f), &f->in[1], 1000);
}

/* ---- ends of the link */

/* The link is lost at the client: on both sides the users' connections are reset, not closed, and
 * what was queued is not pretended to be all. */
static void test_link_lost(void **state)
{
    struct fixture *f = *state;
    struct user *a = open_channel(f), *b = &f->in[0];
    struct user *idle = open_channel(f), *idle_in = &f->in[1];

    send_until_blocked(f, a);
    carrier_fini(&f->client);
    f->client_ended = true;
    assert_true(a->done && idle->done);
    wait_for(f->loop, b->far, (receive_some(b->far, &b->got, a->sent), b->done && f->server_ended));
    assert_int_equal(b->end, CHAN_END_LINK_LOST);
    assert_int_equal(idle_in->end, CHAN_END_LINK_LOST);
    receive_end(f, a);
    receive_end(f, b);
    receive_end(f, idle);
    receive_end(f, idle_in);
    assert_true(a->got.reset && b->got.reset && idle->got.reset && idle_in->got.reset);
    assert_true(b->got.len < a->sent);
}

static void test_link_lost_while_idle(void **state)
{
    struct fixture *f = *state;
    struct user *a = open_channel(f), *b = &f->in[0];

    exchange(f, a, b, 1000);
    exchange(f, b, a, 1000);
    carrier_fini(&f->client);
    f->client_ended = true;
    wait_for(f->loop, -1, f->server_ended);
    assert_string_equal(f->why, "closed by the peer");
    receive_end(f, a);
    receive_end(f, b);
    assert_true(a->got.reset && b->got.reset);
}

/* A close frame ends both sides; what was written before it has arrived. */
static void test_link_closed(void **state)
{
    struct fixture *f = *state;
    struct user *a = open_channel(f), *b = &f->in[0];

    exchange(f, a, b, 1000);
    link_close(&f->client.link, WS_CLOSE_GOING_AWAY, "bye");
    wait_for(f->loop, -1, f->client_ended && f->server_ended);
    assert_int_equal(f->server.link.close_code, WS_CLOSE_GOING_AWAY);
    assert_int_equal(b->end, CHAN_END_LINK_LOST);
    receive_end(f, a);
    assert_true(a->got.reset);
}

static void test_open_refused(void **state)
{
    struct fixture *f = *state;
    struct user *a;

    f->refuse = true;
    a = ask(f);
    wait_for(f->loop, -1, a->closed);
    assert_int_equal(a->end, CHAN_END_FAILED);
    assert_string_equal(a->text, "connection refused");
    assert_true(a->done);
    assert_false(a->opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes_both_ways, setup_unix, teardown),
        cmocka_unit_test_setup_teardown(test_many_channels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_channels, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_stalled_reader_1, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_half_close_1, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_reset_1, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_link_closed, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_open_refused, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peer_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server_side_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_user_resets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_lost_while_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
