#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "unit/carrier_help.h"

/* One carrier, and the test itself as its WebSocket peer. */
struct fixture {
    struct wsp_loop *loop;
    struct carrier carrier;
    bool ended;
    char why[96];
    int fd;         /* the carrier's end, until it is started */
    int far;        /* ours */
    struct buf out; /* not yet sent by us */
    struct buf in;  /* received by us */
    bool eof;
    struct user user; /* of the one channel */
    bool connected;
};

static struct fixture *current;

static void on_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    (void)request;
    assert_false(current->connected);
    current->connected = true;
    user_accept(&current->user, current->loop, l, id);
}

static void on_end(struct carrier *c, const char *why)
{
    assert_ptr_equal(c, &current->carrier);
    assert_false(current->ended);
    current->ended = true;
    snprintf(current->why, sizeof(current->why), "%s", why);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    assert_non_null(f);
    f->loop = wsp_loop_new();
    assert_non_null(f->loop);
    tcp_pair(fds, 64 * 1024);
    f->fd = fds[0];
    f->far = fds[1];
    f->ended = true;
    *state = current = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (!f->ended)
        carrier_fini(&f->carrier);
    if (f->connected)
        user_fini(&f->user);
    buf_fini(&f->out);
    buf_fini(&f->in);
    close(f->far);
    assert_int_equal(pool_used(loop_pool(f->loop)), 0);
    wsp_loop_free(f->loop);
    free(f);
    return 0;
}

static enum wsp_err start_with(struct fixture *f, const struct link_options *opt,
                               struct slice early)
{
    struct stream stream;
    struct carrier_start s = {
        .loop = f->loop,
        .stream = &stream,
        .early = early,
        .opt = *opt,
        .connect = on_connect,
        .on_end = on_end,
    };
    enum wsp_err err = stream_init(&stream, f->loop, f->fd, NULL);

    assert_int_equal(err, WSP_OK);
    err = carrier_start(&f->carrier, &s);
    f->ended = err != WSP_OK;
    return err;
}

static void start(struct fixture *f)
{
    struct link_options opt = link_options_of(true);

    assert_int_equal(start_with(f, &opt, slice_of(NULL, 0)), WSP_OK);
}

/* Puts a masked frame into f->out. */
static void put_frame(struct fixture *f, enum ws_opcode op, bool fin, const void *payload,
                      size_t len)
{
    struct ws_frame frame = {
        .fin = fin, .op = op, .masked = true, .mask = {1, 2, 3, 4}, .len = len};
    uint8_t header[WS_HEADER_MAX];

    assert_int_equal(buf_append(&f->out, header, ws_frame_write(&frame, header)), WSP_OK);
    assert_int_equal(buf_append(&f->out, payload, len), WSP_OK);
    ws_mask(buf_tail(&f->out) - len, len, frame.mask, 0);
}

static void put_message(struct fixture *f, enum msg_cmd cmd, const void *data, size_t len)
{
    uint8_t *message = malloc(MSG_HEAD_MAX + len);
    size_t head = msg_head_write(message, slice_str("id"), cmd, len);

    assert_non_null(message);
    if (len)
        memcpy(message + head, data, len);
    put_frame(f, WS_BINARY, true, message, head + len);
    free(message);
}

static void put_connect(struct fixture *f)
{
    struct msg_request request = {.type = MSG_DYNAMIC, .url = slice_str("tcp://x:1")};
    uint8_t data[64];
    size_t len;

    assert_int_equal(msg_request_write(&request, data, sizeof(data), &len), WSP_OK);
    put_message(f, MSG_CONNECT, data, len);
}

/* Sends what fits; true when all of f->out is sent. */
static bool send_out(struct fixture *f)
{
    while (f->out.len) {
        ssize_t n = send(f->far, buf_slice(&f->out).p, f->out.len, MSG_NOSIGNAL);

        if (n < 0)
            return false;
        buf_consume(&f->out, (size_t)n);
    }
    return true;
}

/* Receives what is there; true when `n` bytes or the end have been seen. */
static bool receive_in(struct fixture *f, size_t n)
{
    while (!f->eof) {
        ssize_t got;

        assert_int_equal(buf_reserve(&f->in, 4096), WSP_OK);
        got = recv(f->far, buf_tail(&f->in), 4096, 0);
        if (got < 0) {
            assert_int_equal(errno, EAGAIN); /* never a reset */
            break;
        }
        f->in.len += (size_t)got;
        f->eof = got == 0;
    }
    return f->eof || f->in.len >= n;
}

static void expect_bytes(struct fixture *f, const void *want, size_t n)
{
    wait_for(f->loop, f->far, (send_out(f), receive_in(f, n)));
    assert_in_range(f->in.len, n, SIZE_MAX);
    assert_memory_equal(buf_slice(&f->in).p, want, n);
    buf_consume(&f->in, n);
}

/* Bytes read behind the handshake count as input, wherever they are cut. */
static void test_early(void **state)
{
    struct link_options opt = link_options_of(true);

    for (size_t cut = 0; cut <= 2 * 11; cut++) {
        struct fixture *f = *state;
        uint8_t early[32];

        put_frame(f, WS_PING, true, "hello", 5);
        put_frame(f, WS_PING, true, "world", 5);
        memcpy(early, buf_slice(&f->out).p, cut);
        buf_consume(&f->out, cut);
        assert_int_equal(start_with(f, &opt, slice_of(early, cut)), WSP_OK);
        memset(early, 0, sizeof(early)); /* copied: ours to reuse */
        expect_bytes(f, "\x8a\5hello\x8a\5world", 14);
        teardown(state);
        setup(state);
    }
}

static void test_too_much_early(void **state)
{
    struct fixture *f = *state;
    struct link_options opt = link_options_of(true);
    uint8_t *early = calloc(1, BLOCK_BYTES + 1);

    assert_non_null(early);
    assert_int_equal(start_with(f, &opt, slice_of(early, BLOCK_BYTES + 1)), WSP_ERR_LIMIT);
    assert_int_equal(fcntl(f->fd, F_GETFD), -1);
    free(early);
}

/* The close frame arrives although more was sent than was read. */
static void test_protocol_error(void **state)
{
    struct fixture *f = *state;
    static uint8_t bad[500000] = {0x82, 5}; /* not masked */

    start(f);
    assert_int_equal(buf_append(&f->out, bad, sizeof(bad)), WSP_OK);
    expect_bytes(f, "\x88\x10\x03\xeaunmasked frame", 18);
    wait_for(f->loop, f->far, (send_out(f), receive_in(f, SIZE_MAX)) && f->ended);
    assert_string_equal(f->why, "unmasked frame");
    assert_int_equal(f->in.len, 0);
}

static void test_peer_closes(void **state)
{
    struct fixture *f = *state;

    start(f);
    put_frame(f, WS_CLOSE, true, "\x03\xe8", 2);
    expect_bytes(f, "\x88\2\x03\xe8", 4);
    wait_for(f->loop, f->far, receive_in(f, SIZE_MAX) && f->ended);
    assert_string_equal(f->why, "closed by the peer");
}

/* A peer that asks much and reads nothing: it has to wait, and then gets every answer. */
static void test_peer_does_not_read(void **state)
{
    struct fixture *f = *state;
    uint8_t payload[WS_CONTROL_MAX] = "ping";
    size_t pings = 0;

    start(f);
    for (bool stuck = false; !stuck;) {
        for (; f->out.len < 65536; pings++)
            put_frame(f, WS_PING, true, payload, sizeof(payload));
        stuck = !send_out(f) && !link_wants_input(&f->carrier.link);
        wsp_loop_turn(f->loop);
        assert_true(pings < 1000000);
    }
    assert_in_range(f->carrier.link.out.bytes, LINK_OUTPUT_MAX, LINK_OUTPUT_MAX + 127);
    wait_for(f->loop, f->far, (send_out(f), receive_in(f, pings * 127)));
    assert_int_equal(f->in.len, pings * 127);
    for (size_t i = 0; i < pings; i++)
        if (memcmp(buf_slice(&f->in).p + 127 * i, "\x8a\175ping", 6) != 0)
            fail_msg("pong %zu", i);
    assert_false(f->ended);
}

static void receive_user(struct fixture *f, size_t n)
{
    struct user *u = &f->user;

    wait_for(f->loop, u->far, (send_out(f), receive_some(u->far, &u->got, n), u->got.len == n));
    assert_false(u->got.mismatch);
}

/*
 * A TRANSFER in fragments is collected first. When its reader then stops, all of the input has
 * been consumed and the link waits all the same: it has to go on from there without new input.
 */
static void test_blocked_behind_all_input(void **state)
{
    struct fixture *f = *state;
    enum { DATA = 900 * 1024, PART = 100 * 1024 };
    uint8_t *message = malloc(MSG_HEAD_MAX + DATA);
    size_t head = msg_head_write(message, slice_str("id"), MSG_TRANSFER, DATA);

    assert_non_null(message);
    pattern_fill(message + head, 0, DATA);
    start(f);
    put_connect(f);
    for (size_t at = 0, n; at < head + DATA; at += n) {
        n = head + DATA - at < PART ? head + DATA - at : PART;
        put_frame(f, at ? WS_CONT : WS_BINARY, at + n == head + DATA, message + at, n);
    }
    free(message);
    wait_for(f->loop, -1, (send_out(f), f->carrier.link.blocked));
    assert_int_equal(f->out.len, 0);
    receive_user(f, DATA);
    put_message(f, MSG_INTERRUPT, NULL, 0);
    wait_for(f->loop, f->user.far,
             (send_out(f), receive_some(f->user.far, &f->user.got, SIZE_MAX)));
    assert_true(f->user.got.eof);
    assert_int_equal(f->user.got.len, DATA);
}

/* The same with the data handed on as it comes, cut everywhere by a small socket buffer. */
static void test_blocked_in_the_middle(void **state)
{
    struct fixture *f = *state;
    enum { DATA = 900 * 1024 };
    uint8_t *data = malloc(DATA);

    assert_non_null(data);
    pattern_fill(data, 0, DATA);
    start(f);
    put_connect(f);
    put_message(f, MSG_TRANSFER, data, DATA);
    free(data);
    wait_for(f->loop, -1, (send_out(f), f->carrier.link.blocked));
    receive_user(f, DATA);
    put_frame(f, WS_PING, true, "", 0);
    expect_bytes(f, "\x82\x0a\x0a\2id\x10\1\x1a\2\x08\1" /* RESPOND */ "\x8a\0", 14);
}

/* A client pings a silent server, and gives it up. */
static void test_client_life(void **state)
{
    struct fixture *f = *state;
    struct link_options opt = link_options_of(false);

    opt.ping_us = 20000;
    opt.dead_us = 50000;
    assert_int_equal(start_with(f, &opt, slice_of(NULL, 0)), WSP_OK);
    wait_for(f->loop, f->far, receive_in(f, 6));
    assert_memory_equal(buf_slice(&f->in).p, "\x89\x80", 2);
    wait_for(f->loop, -1, f->ended);
    assert_string_equal(f->why, "silent for 0 s");
    wait_for(f->loop, f->far, receive_in(f, SIZE_MAX));
    assert_true(f->eof);
}

/* A server asks a silent client for a sign of life; any byte is one. */
static void test_server_life(void **state)
{
    struct fixture *f = *state;
    struct link_options opt = link_options_of(true);
    size_t probe = 2 + 2 + 26 + 2 + 3; /* frame header, id, command, data */

    opt.probe_us = 20000;
    opt.probe_answer_us = 200000;
    assert_int_equal(start_with(f, &opt, slice_of(NULL, 0)), WSP_OK);
    wait_for(f->loop, f->far, receive_in(f, probe));
    put_frame(f, WS_PONG, true, "", 0);
    wait_for(f->loop, f->far, (send_out(f), receive_in(f, 2 * probe)));
    assert_int_equal(f->in.len, 2 * probe);
    assert_false(f->ended);
    wait_for(f->loop, -1, f->ended);
    assert_string_equal(f->why, "no sign of life for 0 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_early, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_much_early, setup, teardown),
        cmocka_unit_test_setup_teardown(test_protocol_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peer_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peer_does_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocked_behind_all_input, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocked_in_the_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server_life, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
