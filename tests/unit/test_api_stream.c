#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/stream_help.h"

/* `end[0]` of a leads to `served`, of b. */
static void connect_both(struct net *n, const char *password)
{
    serve(n, n->b, "here", password);
    until(n, strstr(n->events[1], "registered here"));
    open_to(&n->end[0], n->a, (struct wsp_target){.channel = "here", .password = password});
    until(n, n->end[0].opened && n->served.stream);
    assert_int_equal(n->accepts, 1);
}

static void test_open_out_of_the_server(void **state)
{
    struct net *n = *state;
    struct end *e = &n->end[0];
    struct received got = {0};
    unsigned port;
    int listener = listen_somewhere(&port), fd;

    open_to(e, n->a, (struct wsp_target){.host = "127.0.0.1", .port = port});
    assert_int_equal(wsp_stream_write(e->stream, "x", 1), WSP_ERR_MORE);
    until(n, e->opened);
    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(fd >= 0);
    until(n, e->writable); /* since a write was short */
    assert_int_equal(end_write(e, 3000), 3000);
    until_fd(n, fd, (receive_some(fd, &got, SIZE_MAX), got.len == 3000));
    assert_int_equal(send_pattern(fd, 0, 5000), 5000);
    until(n, e->got == 5000);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    until(n, e->heard_end);
    assert_int_equal(wsp_stream_finish(e->stream), WSP_OK);
    until(n, e->closed);
    assert_int_equal(e->why, WSP_OK);
    until_fd(n, fd, receive_some(fd, &got, SIZE_MAX));
    assert_true(got.eof && !got.mismatch && !e->mismatch);
    close(fd);
    close(listener);
}

static void test_counts(void **state)
{
    struct net *n = *state;
    uint64_t sent, received;

    connect_both(n, "secret");
    assert_int_equal(end_write(&n->end[0], 100), 100);
    assert_int_equal(end_write(&n->served, 2000), 2000);
    until(n, n->served.got == 100 && n->end[0].got == 2000);
    wsp_stream_counts(n->end[0].stream, &sent, &received);
    assert_int_equal(sent, 100);
    assert_int_equal(received, 2000);
    wsp_stream_counts(n->end[0].stream, NULL, NULL);
    assert_int_equal(wsp_stream_finish(n->end[0].stream), WSP_OK);
    assert_int_equal(wsp_stream_finish(n->end[0].stream), WSP_OK);
    assert_int_equal(wsp_stream_write(n->end[0].stream, "x", 1), WSP_ERR_USAGE);
    until(n, n->served.heard_end);
    wsp_stream_finish(n->served.stream);
    until(n, n->served.closed && n->end[0].closed);
    until(n, strstr(n->events[0], " closed ended 100 2000\n"));
    until(n, strstr(n->events[1], " closed ended 2000 100\n"));
    assert_null(strstr(strstr(n->events[0], " opened") + 1, " opened"));
}

/* Each direction by itself. */
static void test_half_close(void **state)
{
    struct net *n = *state;
    struct end *e = &n->end[0];

    connect_both(n, NULL);
    assert_int_equal(end_write(e, 10), 10);
    wsp_stream_finish(e->stream);
    until(n, n->served.heard_end);
    assert_int_equal(n->served.closed, 0);
    assert_int_equal(end_write(&n->served, 20000), 20000);
    until(n, e->got == 20000);
    assert_false(e->heard_end);
    wsp_stream_finish(n->served.stream);
    until(n, e->closed && n->served.closed);
    assert_true(e->heard_end && e->why == WSP_OK && n->served.why == WSP_OK);
    assert_int_equal(wsp_stream_finish(e->stream), WSP_OK);
    assert_int_equal(wsp_stream_write(n->served.stream, "x", 1), WSP_ERR_USAGE);
}

/* In 0.10, the first end is that of both; what came before it is read. */
static void test_end_of_both(void **state)
{
    struct net *n = *state;
    struct end *e = &n->end[0];
    uint8_t byte;

    connect_both(n, NULL);
    assert_int_equal(wsp_stream_set_events(e->stream, &deaf_events, e), WSP_OK);
    assert_int_equal(end_write(&n->served, 50000), 50000);
    wsp_stream_finish(n->served.stream);
    until(n, n->served.closed);
    until(n, wsp_stream_write(e->stream, "x", 1) == WSP_ERR_LOST);
    assert_int_equal(e->closed, 0);
    end_read(e);
    assert_int_equal(e->got, 50000);
    until(n, e->closed);
    assert_int_equal(e->why, WSP_OK);
    assert_int_equal(wsp_stream_read(e->stream, &byte, 1), 0);
    assert_int_equal(wsp_stream_write(e->stream, &byte, 1), WSP_ERR_LOST);
}

/* Writes as much as is taken, until `total` is. */
static bool pump(struct end *e, size_t total)
{
    if (e->sent < total)
        end_write(e, total - e->sent);
    return e->sent == total;
}

static void test_large_transfers(void **state)
{
    enum { TOTAL = 8 * 1024 * 1024 };
    struct net *n = *state;
    struct end *e = &n->end[0];

    connect_both(n, NULL);
    until(n, (pump(e, TOTAL), pump(&n->served, TOTAL), e->got == TOTAL && n->served.got == TOTAL));
    assert_false(e->mismatch || n->served.mismatch);
    assert_true(e->writable > 0 && n->served.writable > 0);
}

/* Who does not read holds up the writer, and gets all of it later. */
static void test_slow_reader(void **state)
{
    struct net *n = *state;
    struct end *e = &n->end[0];
    size_t before;

    connect_both(n, NULL);
    assert_int_equal(wsp_stream_set_events(n->served.stream, &deaf_events, &n->served), WSP_OK);
    do {
        before = e->sent;
        for (int i = 0; i < 50; i++) {
            end_write(e, SIZE_MAX);
            wsp_loop_wait(n->w.loop, 2);
        }
    } while (e->sent != before);
    assert_in_range(e->sent, 100 * 1024, 4 * 1024 * 1024);
    assert_int_equal(n->served.got, 0);
    e->writable = 0;
    assert_int_equal(wsp_stream_set_events(n->served.stream, &stream_events, &n->served), WSP_OK);
    until(n, n->served.got == e->sent);
    assert_true(e->writable > 0 && !n->served.mismatch);
}

/* ---- what is not opened */

static void test_refused(void **state)
{
    static const struct {
        struct wsp_target target;
        const char *text;
    } cases[] = {
        {{.channel = "here", .password = "wrong"}, "here password is incorrect"},
        {{.channel = "here"}, "here password is incorrect"},
        {{.channel = "nowhere"}, "nowhere"},
        {{.host = "169.254.1.1", .port = 80}, "not allowed"},
    };
    struct net *n = *state;
    uint8_t byte;

    serve(n, n->b, "here", "right");
    until(n, strstr(n->events[1], "registered here"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct end *e = &n->end[0];

        open_to(e, n->a, cases[i].target);
        until(n, e->closed);
        assert_int_equal(e->why, WSP_ERR_REFUSED);
        assert_non_null(strstr(e->text, cases[i].text));
        assert_int_equal(e->opened + e->readable + e->writable, 0);
        assert_int_equal(wsp_stream_read(e->stream, &byte, 1), WSP_ERR_REFUSED);
        assert_int_equal(wsp_stream_write(e->stream, &byte, 1), WSP_ERR_REFUSED);
        assert_int_equal(wsp_stream_finish(e->stream), WSP_OK);
        end_fini(e);
    }
    n->refuses = true;
    open_to(&n->end[0], n->a, (struct wsp_target){.channel = "here", .password = "right"});
    until(n, n->end[0].closed);
    assert_int_equal(n->end[0].why, WSP_ERR_REFUSED);
    assert_int_equal(n->accepts, 1);
}

static void free_it(struct net *n, struct wsp_stream *s)
{
    (void)n;
    wsp_stream_free(s);
    assert_int_equal(wsp_stream_finish(s), WSP_ERR_USAGE);
    wsp_stream_free(s);
}

static void free_client(struct net *n, struct wsp_stream *s)
{
    (void)s;
    wsp_client_free(n->b);
    n->b = NULL;
}

static void unserve(struct net *n, struct wsp_stream *s)
{
    (void)s;
    assert_int_equal(wsp_client_unserve(n->b, "here", 0), WSP_OK);
}

/* What the program may do while it is asked. */
static void test_accept(void **state)
{
    static const struct {
        void (*act)(struct net *n, struct wsp_stream *s);
        bool refuses, opens, lives;
    } cases[] = {
        {free_it, true, false, false},     {unserve, false, true, true},
        {unserve, true, false, false},     {free_client, true, false, false},
        {free_client, false, false, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct net *n = *state;
        struct end *e = &n->end[0];
        uint8_t byte;

        serve(n, n->b, "here", NULL);
        until(n, strstr(n->events[1], "registered here"));
        n->on_accept = cases[i].act;
        n->refuses = cases[i].refuses;
        open_to(e, n->a, (struct wsp_target){.channel = "here"});
        until(n, n->accepts && (cases[i].opens ? e->opened : e->closed));
        assert_int_equal(n->served.stream != NULL, cases[i].lives);
        assert_int_equal(wsp_stream_read(n->served.stream, &byte, 1),
                         !cases[i].lives  ? WSP_ERR_USAGE
                         : cases[i].opens ? WSP_ERR_MORE
                                          : WSP_ERR_LOST);
        net_teardown(state);
        setup_wsp_1(state);
    }
}

static void test_no_link(void **state)
{
    struct net *n = *state;
    struct end *e = &n->end[0];

    wsp_server_free(n->w.server);
    n->w.server = NULL;
    until(n, strstr(n->events[0], "down"));
    open_to(e, n->a, (struct wsp_target){.channel = "here"});
    open_to(&n->end[1], n->a, (struct wsp_target){.channel = "here"});
    end_fini(&n->end[1]);
    until(n, e->closed);
    assert_int_equal(e->why, WSP_ERR_REFUSED);
    assert_non_null(strstr(e->text, "no link to the server: ")); /* and why */
}

/* Before there is a link, and right from a new client. */
static void test_waits_for_a_link(void **state)
{
    struct net *n = *state;
    struct end *e = &n->end[0];

    serve(n, n->b, "here", NULL);
    until(n, strstr(n->events[1], "registered here"));
    wsp_client_free(n->a);
    n->a = client_of(n, "", n->events[0]);
    open_to(e, n->a, (struct wsp_target){.channel = "here"});
    assert_int_equal(wsp_stream_finish(e->stream), WSP_ERR_MORE);
    until(n, e->opened);
}

/* ---- what is cut off, and freed */

static void test_link_cut(void **state)
{
    struct net *n = *state;
    uint8_t byte;

    connect_both(n, NULL);
    wsp_server_free(n->w.server);
    n->w.server = NULL;
    until(n, n->end[0].closed && n->served.closed);
    assert_int_equal(n->end[0].why, WSP_ERR_LOST);
    assert_string_equal(n->end[0].text, "link lost");
    assert_int_equal(wsp_stream_read(n->end[0].stream, &byte, 1), WSP_ERR_LOST);
    assert_int_equal(wsp_stream_write(n->end[0].stream, &byte, 1), WSP_ERR_LOST);
    until(n, strstr(n->events[0], " closed link lost 0 0\n"));
}

static void test_freed_when_told(void **state)
{
    struct net *n = *state;

    serve(n, n->b, "here", NULL);
    until(n, strstr(n->events[1], "registered here"));
    n->end[0].free_when_opened = true;
    open_to(&n->end[0], n->a, (struct wsp_target){.channel = "here"});
    until(n, n->served.closed);
    assert_int_equal(n->served.why, WSP_ERR_LOST);
    end_fini(&n->served);

    open_to(&n->end[0], n->a, (struct wsp_target){.channel = "here"});
    until(n, n->end[0].opened && n->served.stream);
    n->end[0].free_when_readable = true;
    n->served.free_when_closed = true;
    end_write(&n->served, 100000);
    until(n, !n->served.stream);
    assert_null(n->end[0].stream);
}

/* What was written before a finish arrives without the stream, whatever has to wait for room. */
static void rest_arrives(struct net *n)
{
    struct end *e = &n->end[0];
    size_t total;

    while (end_write(e, CHUNK) == CHUNK)
        ;
    total = e->sent;
    wsp_stream_finish(e->stream);
    end_fini(e);
    wsp_stream_set_events(n->served.stream, &stream_events, &n->served);
    until(n, n->served.closed);
    assert_int_equal(n->served.why, WSP_OK);
    assert_true(n->served.got == total && !n->served.mismatch);
}

static void test_rest_of_both(void **state)
{
    struct net *n = *state;

    connect_both(n, NULL);
    rest_arrives(n);
}

static void test_rest_behind_the_other_end(void **state)
{
    struct net *n = *state;

    connect_both(n, NULL);
    wsp_stream_set_events(n->served.stream, &deaf_events, &n->served);
    wsp_stream_finish(n->served.stream);
    until(n, n->end[0].heard_end);
    rest_arrives(n);
}

/* A drain waits for it; freed, the client takes it along. */
static void test_rest_and_client(void **state)
{
    struct net *n = *state;

    connect_both(n, NULL);
    wsp_stream_set_events(n->served.stream, &deaf_events, &n->served);
    wsp_stream_finish(n->served.stream);
    until(n, n->end[0].heard_end);
    while (end_write(&n->end[0], CHUNK) == CHUNK)
        ;
    wsp_stream_finish(n->end[0].stream);
    end_fini(&n->end[0]);
    wsp_client_free(n->a);
    n->a = NULL;
    until(n, n->served.closed);
    assert_int_equal(n->served.why, WSP_ERR_LOST);
}

static void test_free_at_every_state(void **state)
{
    struct net *n = *state;

    open_to(&n->end[0], n->a, (struct wsp_target){.channel = "here"});
    end_fini(&n->end[0]); /* opening */
    connect_both(n, NULL);
    end_fini(&n->end[0]); /* open */
    until(n, n->served.closed);
    assert_int_equal(n->served.why, WSP_ERR_LOST);
    end_fini(&n->served); /* over */
    wsp_client_free(n->a);
    n->a = client_of(n, "", n->events[0]);
    open_to(&n->end[0], n->a, (struct wsp_target){.channel = "here"});
    end_fini(&n->end[0]); /* waiting */
    wsp_stream_free(NULL);
}

static void test_client_freed_first(void **state)
{
    struct net *n = *state;
    struct end *e = &n->end[0];
    uint8_t byte;

    connect_both(n, NULL);
    open_to(&n->end[1], n->a, (struct wsp_target){.channel = "here"});
    wsp_client_free(n->a);
    n->a = NULL;
    until(n, n->served.closed);
    turn_until_idle(n->w.loop);
    assert_int_equal(e->closed + n->end[1].closed + n->end[1].opened, 0);
    assert_int_equal(wsp_stream_read(e->stream, &byte, 1), WSP_ERR_LOST);
    assert_int_equal(wsp_stream_write(e->stream, &byte, 1), WSP_ERR_LOST);
    assert_int_equal(wsp_stream_finish(e->stream), WSP_OK);
    assert_int_equal(wsp_stream_set_events(e->stream, &stream_events, e), WSP_OK);
    turn_until_idle(n->w.loop);
    assert_int_equal(e->closed, 0);
}

static void test_loop_freed_first(void **state)
{
    struct net *n = *state;

    connect_both(n, NULL);
    wsp_loop_free(n->w.loop);
    end_fini(&n->end[0]);
    wsp_client_free(n->a);
    wsp_client_free(n->b);
    wsp_server_free(n->w.server);
    n->a = n->b = NULL;
    n->w.server = NULL;
    n->w.loop = NULL;
}

/* A handler that comes later is told what it has missed. */
static void test_told_anew(void **state)
{
    struct net *n = *state;
    struct end *late = &n->end[1];

    connect_both(n, NULL);
    wsp_stream_set_events(n->end[0].stream, NULL, NULL);
    end_write(&n->served, 1000);
    wsp_stream_finish(n->served.stream);
    turn_until_idle(n->w.loop);
    late->stream = n->end[0].stream;
    n->end[0].stream = NULL;
    wsp_stream_set_events(late->stream, &stream_events, late);
    until(n, late->heard_end || late->closed);
    assert_int_equal(late->opened, 1);
    assert_int_equal(late->got, 1000);
}

static void test_misuse(void **state)
{
    struct net *n = *state;
    struct wsp_stream *s;
    uint8_t byte;

    assert_int_equal(wsp_stream_read(NULL, &byte, 1), WSP_ERR_USAGE);
    assert_int_equal(wsp_stream_write(NULL, &byte, 1), WSP_ERR_USAGE);
    assert_int_equal(wsp_stream_finish(NULL), WSP_ERR_USAGE);
    assert_int_equal(wsp_stream_set_events(NULL, NULL, NULL), WSP_ERR_USAGE);
    wsp_stream_counts(NULL, NULL, NULL);
    s = open_to(&n->end[0], n->a, (struct wsp_target){.channel = "here"});
    assert_int_equal(wsp_stream_read(s, NULL, 1), WSP_ERR_USAGE);
    assert_int_equal(wsp_stream_read(s, &byte, 0), WSP_ERR_USAGE);
    assert_int_equal(wsp_stream_write(s, NULL, 1), WSP_ERR_USAGE);
    assert_int_equal(wsp_stream_read(s, &byte, 1), WSP_ERR_MORE);
    assert_int_equal(wsp_stream_write(s, &byte, 1), WSP_ERR_MORE);
    assert_int_equal(wsp_stream_finish(s), WSP_ERR_MORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_wsp_1(test_open_out_of_the_server),
        in_both(test_counts),
        in_wsp_1(test_half_close),
        in_0_10(test_end_of_both),
        in_both(test_large_transfers),
        in_both(test_slow_reader),
        in_both(test_refused),
        in_wsp_1(test_accept),
        in_wsp_1(test_no_link),
        in_both(test_waits_for_a_link),
        in_both(test_link_cut),
        in_both(test_freed_when_told),
        in_0_10(test_rest_of_both),
        in_wsp_1(test_rest_behind_the_other_end),
        in_wsp_1(test_rest_and_client),
        in_both(test_free_at_every_state),
        in_both(test_client_freed_first),
        in_wsp_1(test_loop_freed_first),
        in_both(test_told_anew),
        in_wsp_1(test_misuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
