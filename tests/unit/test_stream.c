#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/stream.h"
#include "unit/net_help.h"

struct end {
    struct stream stream; /* first: the callback casts */
    unsigned events;
};

struct fixture {
    struct wsp_loop *loop;
    struct end near;
    int far; /* the other end; -1 when closed */
};

static void on_event(struct stream *s)
{
    container_of(s, struct end, stream)->events++;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->loop = wsp_loop_new();
    assert_non_null(f->loop);
    f->near.stream = (struct stream){.loop = f->loop, .watch.fd = -1};
    f->far = -1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    stream_close(&f->near.stream);
    stream_close(&f->near.stream);
    if (f->far >= 0)
        close(f->far);
    wsp_loop_free(f->loop);
    free(f);
    return 0;
}

static void start(struct fixture *f, int fds[2])
{
    assert_int_equal(stream_init(&f->near.stream, f->loop, fds[0], on_event), WSP_OK);
    f->far = fds[1];
}

static void start_unix(struct fixture *f)
{
    int fds[2];

    unix_pair(fds);
    start(f, fds);
}

static void start_tcp(struct fixture *f, int buffer)
{
    int fds[2];

    tcp_pair(fds, buffer);
    start(f, fds);
}

static void close_far(struct fixture *f)
{
    close(f->far);
    f->far = -1;
}

/* Sends the sequence until the kernel takes no more; returns how much it took. */
static size_t fill_kernel(struct stream *s)
{
    uint8_t piece[8192];
    size_t sent = 0;
    ssize_t n;

    do {
        struct iovec iov[2] = {{piece, 100}, {piece + 100, sizeof(piece) - 100}};

        pattern_fill(piece, sent, sizeof(piece));
        n = stream_send(s, iov, 2);
        sent += n > 0 ? (size_t)n : 0;
        assert_true(n == (ssize_t)sizeof(piece) || !s->writable);
    } while (s->writable);
    return sent;
}

static void test_init_fails(void **state)
{
    struct fixture *f = *state;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC); /* epoll takes no such file */

    assert_int_equal(stream_init(&f->near.stream, f->loop, fd, on_event), WSP_ERR_SYSTEM);
    assert_false(stream_is_open(&f->near.stream));
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* taken all the same */
}

static void test_readable_flag(void **state)
{
    struct fixture *f = *state;
    struct stream *s = &f->near.stream;
    char out[8];

    start_unix(f);
    assert_true(s->writable);
    assert_false(s->readable);
    assert_int_equal(stream_recv(s, out, sizeof(out)), STREAM_AGAIN);
    assert_int_equal(send(f->far, "abcdef", 6, 0), 6);
    turn_until_idle(f->loop);
    assert_true(s->readable);
    assert_int_equal(stream_recv(s, out, 4), 4);
    assert_true(s->readable); /* half-read: there may be more */
    assert_int_equal(stream_recv(s, out, 4), 2);
    assert_false(s->readable); /* a short read has emptied it */
    assert_memory_equal(out, "ef", 2);
    assert_int_equal(send(f->far, "g", 1, 0), 1);
    turn_until_idle(f->loop);
    assert_true(s->readable);
    assert_false(s->hangup);
}

/* A read that fills the buffer exactly leaves the flag; the next one clears it. */
static void test_exact_read(void **state)
{
    struct fixture *f = *state;
    struct stream *s = &f->near.stream;
    char out[4];

    start_unix(f);
    assert_int_equal(send(f->far, "abcd", 4, 0), 4);
    turn_until_idle(f->loop);
    assert_int_equal(stream_recv(s, out, 4), 4);
    assert_true(s->readable);
    assert_int_equal(stream_recv(s, out, 4), STREAM_AGAIN);
    assert_false(s->readable);
}

/* FIN right behind data: the flag survives the short read, so that the end is found. */
static void test_eof(void **state)
{
    struct fixture *f = *state;
    struct stream *s = &f->near.stream;
    char out[8];

    start_tcp(f, 0);
    assert_int_equal(send(f->far, "abc", 3, 0), 3);
    shutdown(f->far, SHUT_WR);
    wait_for(f->loop, -1, s->hangup);
    assert_int_equal(stream_recv(s, out, sizeof(out)), 3);
    assert_true(s->readable);
    assert_int_equal(stream_recv(s, out, sizeof(out)), STREAM_EOF);
    assert_int_equal(stream_send(s, &(struct iovec){out, 3}, 1), 3); /* half-closed only */
}

/* FIN that comes after the data was read is an event of its own. */
static void test_eof_later(void **state)
{
    struct fixture *f = *state;
    struct stream *s = &f->near.stream;
    char out[8];

    start_tcp(f, 0);
    assert_int_equal(send(f->far, "abc", 3, 0), 3);
    wait_for(f->loop, -1, s->readable);
    assert_int_equal(stream_recv(s, out, sizeof(out)), 3);
    assert_false(s->readable);
    shutdown(f->far, SHUT_WR);
    wait_for(f->loop, -1, s->readable);
    assert_true(s->hangup);
    assert_int_equal(stream_recv(s, out, sizeof(out)), STREAM_EOF);
}

static void test_peer_reset(void **state)
{
    struct fixture *f = *state;
    struct stream *s = &f->near.stream;
    struct linger hard = {1, 0};
    char out[8];

    start_tcp(f, 0);
    turn_until_idle(f->loop);
    setsockopt(f->far, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close_far(f);
    wait_for(f->loop, -1, s->hangup);
    assert_true(s->readable && s->writable);
    assert_int_equal(stream_recv(s, out, sizeof(out)), STREAM_ERROR);
    assert_int_equal(errno, ECONNRESET);
    assert_false(s->readable);
    assert_int_equal(stream_send(s, &(struct iovec){out, 8}, 1), STREAM_ERROR);
    assert_int_equal(errno, EPIPE); /* and no signal */
}

static void test_writable_flag(void **state)
{
    struct fixture *f = *state;
    struct stream *s = &f->near.stream;
    struct received got = {0};
    uint8_t byte = 0;
    size_t sent;

    start_tcp(f, 64 * 1024);
    sent = fill_kernel(s);
    assert_false(s->writable);
    assert_int_equal(stream_send(s, &(struct iovec){&byte, 1}, 1), STREAM_AGAIN);
    assert_true(stream_unacked(s) > 0);
    wait_for(f->loop, f->far, (receive_some(f->far, &got, sent), got.len == sent));
    wait_for(f->loop, -1, s->writable);
    wait_for(f->loop, -1, stream_unacked(s) == 0);
    assert_false(got.mismatch);
}

static void test_move(void **state)
{
    struct fixture *f = *state;
    struct end heir = {0};
    char out[8];

    start_unix(f);
    assert_int_equal(send(f->far, "abc", 3, 0), 3);
    turn_until_idle(f->loop);
    f->near.events = 0;
    assert_int_equal(stream_move(&heir.stream, &f->near.stream, on_event), WSP_OK);
    assert_false(stream_is_open(&f->near.stream));
    assert_true(heir.stream.readable && heir.stream.writable);
    assert_false(f->near.stream.readable || f->near.stream.writable);
    assert_int_equal(stream_recv(&heir.stream, out, sizeof(out)), 3);
    assert_int_equal(send(f->far, "d", 1, 0), 1);
    turn_until_idle(f->loop);
    assert_true(heir.stream.readable);
    assert_int_equal(f->near.events, 0);
    assert_int_equal(stream_move(&f->near.stream, &heir.stream, on_event), WSP_OK);
    assert_int_equal(stream_recv(&f->near.stream, out, sizeof(out)), 1);
}

static void test_close_and_reset(void **state)
{
    struct fixture *f = *state;

    for (int hard = 0; hard < 2; hard++) {
        struct received got = {0};

        start_tcp(f, 0);
        if (hard)
            stream_reset(&f->near.stream);
        else
            stream_close(&f->near.stream);
        assert_false(stream_is_open(&f->near.stream));
        wait_for(f->loop, f->far, receive_some(f->far, &got, SIZE_MAX));
        assert_int_equal(got.reset, hard);
        close_far(f);
    }
    stream_reset(&f->near.stream);
}

/* What a lingering stream still has to send arrives in full, although the peer goes on sending
 * what nobody wants: `flood` bytes of it. */
static void linger_under(struct fixture *f, size_t flood)
{
    struct received got = {0};
    size_t sent, dropped;

    start_tcp(f, 64 * 1024);
    dropped = send_pattern(f->far, 0, 1000);
    sent = fill_kernel(&f->near.stream);
    stream_linger(&f->near.stream);
    assert_false(stream_is_open(&f->near.stream));
    wait_for(f->loop, -1, (dropped += send_pattern(f->far, 0, 65536)) >= flood);
    wait_for(f->loop, f->far, receive_some(f->far, &got, SIZE_MAX));
    assert_true(got.eof);
    assert_false(got.mismatch);
    assert_int_equal(got.len, sent);
    close_far(f);
    turn_until_idle(f->loop);
}

static void test_linger(void **state)
{
    linger_under(*state, 0);
}

static void test_linger_under_a_flood(void **state)
{
    linger_under(*state, 4 * 1024 * 1024);
}

/* A lingering socket belongs to the loop: freed with it, which the leak check sees. */
static void test_linger_outlived(void **state)
{
    struct fixture *f = *state;

    start_tcp(f, 0);
    stream_linger(&f->near.stream);
    stream_linger(&f->near.stream);
    turn_until_idle(f->loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_init_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readable_flag, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exact_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_eof, setup, teardown),
        cmocka_unit_test_setup_teardown(test_eof_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peer_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writable_flag, setup, teardown),
        cmocka_unit_test_setup_teardown(test_move, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_and_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_linger, setup, teardown),
        cmocka_unit_test_setup_teardown(test_linger_under_a_flood, setup, teardown),
        cmocka_unit_test_setup_teardown(test_linger_outlived, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
