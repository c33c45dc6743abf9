#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/api_help.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct wsp_header host[] = {{"Host", "b.example"}};
static const struct wsp_request_head nothing = {"GET", "/nothing", false, host, 1};

static void on_closed(void *ctx, bool reset)
{
    note(ctx, "closed%s\n", reset ? " reset" : "");
}

/* The program's own connection, by calls: what is to be read, and what was written. */
struct lent {
    struct world *w;
    struct wsp_guest *guest;
    char in[4096], out[16384];
    size_t in_len, read, out_len;
    size_t room; /* for what is written */
    bool in_ends, in_fails;
};

static ssize_t lent_recv(void *ctx, void *out, size_t cap)
{
    struct lent *l = ctx;
    size_t n = l->in_len - l->read;

    errno = l->in_fails ? ECONNRESET : EAGAIN;
    if (n == 0)
        return l->in_ends ? 0 : -1;
    n = n < cap ? n : cap;
    memcpy(out, l->in + l->read, n);
    l->read += n;
    return (ssize_t)n;
}

static ssize_t lent_send(void *ctx, const void *data, size_t len)
{
    struct lent *l = ctx;
    size_t n = len < l->room ? len : l->room;

    errno = EAGAIN;
    if (n == 0)
        return -1;
    if (n > 7) /* as one that sends a record at a time */
        n = 7;
    memcpy(l->out + l->out_len, data, n);
    l->out_len += n;
    l->room -= n;
    return (ssize_t)n;
}

static void lent_finish(void *ctx)
{
    struct lent *l = ctx;

    note(l->w, "finish\n");
}

static void lent_closed(void *ctx, bool reset)
{
    struct lent *l = ctx;

    wsp_guest_ready(l->guest,
                    WSP_READABLE | WSP_WRITABLE); /* to the last: it says nothing any more */
    on_closed(l->w, reset);
    l->guest = NULL;
}

static void lent_put(struct lent *l, const char *text)
{
    size_t n = strlen(text);

    memcpy(l->in + l->in_len, text, n);
    l->in_len += n;
}

static struct wsp_connection lent_connection(struct world *w, struct lent *l)
{
    *l = (struct lent){.w = w, .room = sizeof(l->out)};
    return (struct wsp_connection){.fd = -1,
                                   .recv = lent_recv,
                                   .send = lent_send,
                                   .finish = lent_finish,
                                   .closed = lent_closed,
                                   .ctx = l};
}

static enum wsp_err lend(struct world *w, struct lent *l, const struct wsp_request_head *head)
{
    struct wsp_connection c = lent_connection(w, l);

    return wsp_server_take(w->server, head, &c, &l->guest);
}

static void test_match(void **state)
{
    static const struct {
        const char *method, *target;
        struct wsp_header header[4];
        enum wsp_match match;
    } cases[] = {
        {"GET",
         "/proxy",
         {{"Host", "x"}, {"Upgrade", "websocket"}, {"Proto", "0.10"}},
         WSP_MATCH_LINK},
        {"GET",
         "/proxy?a=b",
         {{"Host", "x"}, {"Upgrade", "websocket"}, {"Proto", ""}},
         WSP_MATCH_LINK},
        {"GET", "/proxy", {{"Host", "x"}, {"upgrade", "WebSocket"}}, WSP_MATCH_LINK},
        {"GET", "/proxy", {{"Host", "x"}}, WSP_MATCH_NONE},
        {"POST", "/proxy", {{"Host", "x"}}, WSP_MATCH_NONE},
        {"GET", "/proxy/", {{"Host", "x"}, {"Upgrade", "websocket"}}, WSP_MATCH_NONE},
        {"GET",
         "/prox",
         {{"Host", "x"}, {"Upgrade", "websocket"}, {"Proto", "0.10"}, {"Auth", "s"}},
         WSP_MATCH_LINK},
        {"GET",
         "/proxy",
         {{"Host", "x"}, {"Sec-WebSocket-Key", "k"}, {"Proto", "0.10"}, {"Auth", "s"}},
         WSP_MATCH_LINK},
        {"GET", "/", {{"Host", "x"}}, WSP_MATCH_NONE},
        {"GET", "/api", {{"Host", "x"}}, WSP_MATCH_SERVICE},
        {"GET", "/api/v1?x", {{"Host", "x"}}, WSP_MATCH_SERVICE},
        {"GET", "/apis", {{"Host", "x"}}, WSP_MATCH_NONE},
        {"GET", "/api", {{"Host", "x"}, {"Host", "y"}}, WSP_MATCH_NONE},
        {"GET", "/api", {{NULL, NULL}}, WSP_MATCH_NONE},
        {"CONNECT", "/api", {{"Host", "x"}}, WSP_MATCH_NONE},
        {"GET", "api", {{"Host", "x"}}, WSP_MATCH_NONE},
        {"GET", "/a pi", {{"Host", "x"}}, WSP_MATCH_NONE},
        {"GET", "", {{"Host", "x"}}, WSP_MATCH_NONE},
    };
    struct world *w = *state;
    struct wsp_client_options o = {.config = wsp_config_new()};
    struct wsp_client *client;
    unsigned port;
    char url[64];

    world_serve(w, SECRET, NULL, &port);
    snprintf(url, sizeof(url), "ws://127.0.0.1:%u/proxy", port);
    wsp_config_set(o.config, "client[+].server", url, NULL);
    wsp_config_set(o.config, "client[].auth", "secret", NULL);
    wsp_config_set(o.config, "client[].remote[]", "http://127.0.0.1:1?mode=path&value=api", NULL);
    client = wsp_client_new(w->loop, &o, NULL);
    expect_note(w, "registered http:path:api");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wsp_request_head head = {cases[i].method, cases[i].target, false, cases[i].header,
                                        0};

        while (head.header_count < 4 && cases[i].header[head.header_count].name)
            head.header_count++;
        assert_int_equal(wsp_server_match(w->server, &head), cases[i].match);
    }
    wsp_client_free(client);
    wsp_config_free(o.config);
}

static void test_forged_heads(void **state)
{
    static const struct {
        const char *method, *target, *name, *value;
        enum wsp_err err;
    } cases[] = {
        {"GET", "/", "Host", "x", WSP_OK},
        {"GET", "/", "Host", "x\r\nEvil: y", WSP_ERR_MALFORMED},
        {"GET", "/", "Host", "x\n", WSP_ERR_MALFORMED},
        {"GET", "/", "Host: x\r\nEvil", "y", WSP_ERR_MALFORMED},
        {"GET", "/", "Ho st", "x", WSP_ERR_MALFORMED},
        {"GET", "/", "", "x", WSP_ERR_MALFORMED},
        {"GET", "/ HTTP/1.1\r\nEvil:", "Host", "x", WSP_ERR_MALFORMED},
        {"GET", "", "Host", "x", WSP_ERR_MALFORMED},
        {"GET /", "/", "Host", "x", WSP_ERR_MALFORMED},
        {"", "/", "Host", "x", WSP_ERR_MALFORMED},
        {NULL, "/", "Host", "x", WSP_ERR_USAGE},
        {"GET", NULL, "Host", "x", WSP_ERR_USAGE},
        {"GET", "/", NULL, "x", WSP_ERR_USAGE},
        {"GET", "/", "Host", NULL, WSP_ERR_USAGE},
    };
    struct world *w = *state;

    world_serve(w, SECRET, NULL, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wsp_header header = {cases[i].name, cases[i].value};
        struct wsp_request_head head = {cases[i].method, cases[i].target, false, &header, 1};
        struct lent l;

        assert_int_equal(lend(w, &l, &head), cases[i].err);
        if (cases[i].err == WSP_OK)
            expect_note(w, "closed");
        else
            assert_null(l.guest);
    }
    turn_until_idle(w->loop);
    assert_string_equal(w->log, "finish\nclosed\n");
}

static void test_take_a_descriptor(void **state)
{
    static const struct {
        const struct wsp_request_head *head;
        const char *early, *later, *answer;
    } cases[] = {
        {&nothing, NULL, "", "HTTP/1.1 404 Not Found\r\n"},
        {NULL, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", "", "HTTP/1.1 404 Not Found\r\n"},
        {NULL, "GET /nothing HTT", "P/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"},
        {NULL, NULL, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"},
        {NULL, NULL, LINK_REQUEST, "HTTP/1.1 101 Switching Protocols\r\n"},
    };
    struct world *w = *state;

    world_serve(w, SECRET, NULL, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct heard h = {.len = 0};
        struct wsp_connection c = {.early = cases[i].early};
        int fds[2];

        tcp_pair(fds, 0);
        c.fd = fds[0];
        c.early_len = c.early ? strlen(c.early) : 0;
        assert_int_equal(wsp_server_take(w->server, cases[i].head, &c, NULL), WSP_OK);
        say(fds[1], cases[i].later);
        expect_text(w, fds[1], &h, cases[i].answer);
        close(fds[1]);
        turn_until_idle(w->loop);
    }
}

static void test_take_a_duplicate(void **state)
{
    struct world *w = *state;
    struct heard h = {.len = 0};
    struct wsp_connection c = {.closed = on_closed, .ctx = w};
    int fds[2];

    world_serve(w, SECRET, NULL, NULL);
    tcp_pair(fds, 0);
    c.fd = fds[0];
    assert_int_equal(wsp_server_take(w->server, &nothing, &c, NULL), WSP_OK);
    expect_end(w, fds[1], &h);
    assert_non_null(strstr(h.text, "404 Not Found"));
    assert_string_equal(w->log, ""); /* it waits for the other end */
    close(fds[1]);
    expect_note(w, "closed\n");
    assert_int_equal(recv(fds[0], h.text, 1, 0), 0); /* the program's is still open */
    close(fds[0]);
}

static void test_free_ends_what_lingers(void **state)
{
    struct world *w = *state;
    struct heard h = {.len = 0};
    struct wsp_connection c = {.closed = on_closed, .ctx = w};
    struct lent l;
    int fds[2];

    world_serve(w, SECRET, NULL, NULL);
    tcp_pair(fds, 0);
    c.fd = fds[0];
    assert_int_equal(wsp_server_take(w->server, &nothing, &c, NULL), WSP_OK);
    expect_end(w, fds[1], &h);
    assert_int_equal(lend(w, &l, NULL), WSP_OK);
    wsp_server_free(w->server);
    w->server = NULL;
    assert_string_equal(w->log, "closed\nclosed\n");
    turn_until_idle(w->loop);
    close(fds[0]);
    close(fds[1]);
}

static void test_by_calls(void **state)
{
    struct world *w = *state;
    struct lent l;

    world_serve(w, SECRET, NULL, NULL);
    assert_int_equal(lend(w, &l, NULL), WSP_OK);
    assert_non_null(l.guest);
    turn_until_idle(w->loop);
    lent_put(&l, "GET /nothing HTT");
    wsp_guest_ready(l.guest, WSP_READABLE);
    assert_int_equal(l.read, 0); /* nothing is called before the next turn */
    wait_for(w->loop, -1, l.read == l.in_len);
    lent_put(&l, "P/1.1\r\nHost: x\r\n\r\n");
    l.room = 10;
    wsp_guest_ready(l.guest, WSP_READABLE);
    wait_for(w->loop, -1, l.out_len == 10);
    turn_until_idle(w->loop);
    assert_string_equal(w->log, "");
    l.room = sizeof(l.out) - 10;
    wsp_guest_ready(l.guest, WSP_WRITABLE);
    expect_note(w, "closed");
    assert_string_equal(w->log, "finish\nclosed\n");
    assert_memory_equal(l.out, "HTTP/1.1 404 Not Found\r\n", 24);
    assert_null(l.guest);
}

static void test_what_comes_by_calls_ends(void **state)
{
    static const struct {
        const char *text;
        bool fails;
        const char *log;
    } cases[] = {
        {"", false, "finish\nclosed\n"},
        {"GET / HTTP/1.1\r\n", false, "finish\nclosed\n"},
        {"", true, "closed reset\n"},
    };
    struct world *w = *state;

    world_serve(w, SECRET, NULL, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct lent l;

        w->log[0] = '\0';
        assert_int_equal(lend(w, &l, NULL), WSP_OK);
        turn_until_idle(w->loop);
        lent_put(&l, cases[i].text);
        l.in_ends = !cases[i].fails;
        l.in_fails = cases[i].fails;
        wsp_guest_ready(l.guest, WSP_READABLE);
        expect_note(w, "closed");
        assert_string_equal(w->log, cases[i].log);
    }
}

static ssize_t lying_recv(void *ctx, void *out, size_t cap)
{
    (void)ctx;
    (void)out;
    return (ssize_t)cap + 1;
}

static void test_calls_that_lie(void **state)
{
    struct world *w = *state;
    struct lent l;
    struct wsp_connection c = lent_connection(w, &l);

    world_serve(w, SECRET, NULL, NULL);
    c.recv = lying_recv;
    assert_int_equal(wsp_server_take(w->server, NULL, &c, &l.guest), WSP_OK);
    expect_note(w, "closed reset");
}

static ssize_t freeing_recv(void *ctx, void *out, size_t cap)
{
    struct lent *l = ctx;

    (void)out;
    (void)cap;
    wsp_server_free(l->w->server);
    l->w->server = NULL;
    note(l->w, "freed\n");
    errno = EAGAIN;
    return -1;
}

static void test_free_within_a_call(void **state)
{
    struct world *w = *state;
    struct lent l;
    struct wsp_connection c = lent_connection(w, &l);

    world_serve(w, SECRET, NULL, NULL);
    c.recv = freeing_recv;
    assert_int_equal(wsp_server_take(w->server, NULL, &c, &l.guest), WSP_OK);
    expect_note(w, "closed");
    assert_string_equal(w->log, "freed\nclosed\n");
}

static ssize_t draining_recv(void *ctx, void *out, size_t cap)
{
    struct lent *l = ctx;

    wsp_server_drain(l->w->server, NULL, NULL);
    return lent_recv(ctx, out, cap);
}

static void test_drain_within_a_call(void **state)
{
    struct world *w = *state;
    struct lent l, more;
    struct wsp_connection c = lent_connection(w, &l);

    world_serve(w, SECRET, NULL, NULL);
    c.recv = draining_recv;
    assert_int_equal(wsp_server_take(w->server, NULL, &c, &l.guest), WSP_OK);
    expect_note(w, "closed");
    assert_int_equal(lend(w, &more, &nothing), WSP_ERR_REFUSED);
}

static void test_limit(void **state)
{
    struct world *w = *state;
    struct lent l, more;

    world_serve(w, "{\"limits\": {\"connections\": 1}}", NULL, NULL);
    assert_int_equal(lend(w, &l, NULL), WSP_OK);
    assert_int_equal(lend(w, &more, NULL), WSP_ERR_LIMIT);
    assert_null(more.guest);
    l.in_ends = true;
    wsp_guest_ready(l.guest, WSP_READABLE);
    expect_note(w, "closed");
    assert_int_equal(lend(w, &more, NULL), WSP_OK);
    wsp_server_free(w->server); /* calls `closed` while that is still there */
    w->server = NULL;
}

static void test_misuse(void **state)
{
    struct world *w = *state;
    struct lent l;
    struct wsp_connection good = lent_connection(w, &l), c;
    struct wsp_upgrade u = {.status = 101, .dialect = 99};
    int fds[2];

    world_serve(w, SECRET, NULL, NULL);
    assert_int_equal(wsp_server_match(NULL, &nothing), WSP_MATCH_NONE);
    assert_int_equal(wsp_server_match(w->server, NULL), WSP_MATCH_NONE);
    assert_int_equal(wsp_server_upgrade(NULL, &nothing, &u), WSP_ERR_USAGE);
    assert_int_equal(wsp_server_upgrade(w->server, NULL, &u), WSP_ERR_USAGE);
    assert_int_equal(wsp_server_upgrade(w->server, &nothing, NULL), WSP_ERR_USAGE);
    assert_int_equal(wsp_server_take(w->server, &nothing, NULL, NULL), WSP_ERR_USAGE);
    assert_int_equal(wsp_server_take_upgraded(w->server, &u, NULL, NULL), WSP_ERR_USAGE);
    assert_int_equal(wsp_server_take_upgraded(w->server, NULL, &good, &l.guest), WSP_ERR_USAGE);
    u = (struct wsp_upgrade){.status = 101, .dialect = 99};
    assert_int_equal(wsp_server_take_upgraded(w->server, &u, &good, &l.guest), WSP_ERR_USAGE);
    assert_int_equal(wsp_server_take(NULL, &nothing, &good, &l.guest), WSP_ERR_USAGE);
    assert_int_equal(wsp_server_take(w->server, &nothing, &good, NULL), WSP_ERR_USAGE);
    wsp_guest_ready(NULL, WSP_READABLE);
#define WITH(field, value) \
    c = good;              \
    c.field = value;       \
    assert_int_equal(wsp_server_take(w->server, &nothing, &c, &l.guest), WSP_ERR_USAGE)
    WITH(recv, NULL);
    WITH(send, NULL);
    WITH(closed, NULL);
    WITH(fd, 0);
    WITH(peer, "nobody");
    WITH(early_len, 1);
    c = (struct wsp_connection){.fd = -1};
    assert_int_equal(wsp_server_take(w->server, &nothing, &c, NULL), WSP_ERR_USAGE);
    unix_pair(fds); /* a descriptor that was given away is closed all the same */
    c = (struct wsp_connection){.fd = fds[0]};
    assert_int_equal(wsp_server_take(NULL, &nothing, &c, NULL), WSP_ERR_USAGE);
    assert_int_equal(recv(fds[1], &l, 1, 0), 0);
    close(fds[1]);
    c = (struct wsp_connection){.fd = 1000000};
    assert_int_equal(wsp_server_take(w->server, &nothing, &c, NULL), WSP_ERR_SYSTEM);
    c = good;
    c.early = "SSH-2.0-x\r\n";
    c.early_len = 11;
    assert_int_equal(wsp_server_take(w->server, NULL, &c, &l.guest), WSP_ERR_MALFORMED);
    turn_until_idle(w->loop);
    assert_string_equal(w->log, "");
}

/* ---- detached: what the program lends comes back as a socket */

static void detach(void *ctx, struct wsp_request *r)
{
    struct world *w = ctx;

    assert_int_equal(wsp_request_detach(r, &w->detached), WSP_OK);
    note(w, "%s\n", wsp_request_peer(r));
}

static void test_detach_what_was_lent(void **state)
{
    struct world *w = *state;
    struct heard h = {.len = 0};
    struct lent l;

    world_serve(w, SECRET, detach, NULL);
    assert_int_equal(lend(w, &l, &nothing), WSP_OK);
    expect_note(w, "unknown\n");
    lent_put(&l, "further");
    wsp_guest_ready(l.guest, WSP_READABLE);
    expect_text(w, w->detached.fd, &h, "further");
    say(w->detached.fd, "an answer");
    wait_for(w->loop, -1, l.out_len == 9);
    close(w->detached.fd);
    l.in_ends = true;
    wsp_guest_ready(l.guest, WSP_READABLE);
    expect_note(w, "closed");
    assert_string_equal(w->log, "unknown\nfinish\nclosed\n");
    free(w->detached.data);
}

/* ---- links */

static struct wsp_request_head link_head(struct wsp_header header[8])
{
    static const struct wsp_header all[] = {LINK_HEADERS};

    memcpy(header, all, sizeof(all));
    return (struct wsp_request_head){"GET", "/proxy", false, header, COUNT(all)};
}

static const char *header_of(const struct wsp_upgrade *u, const char *name)
{
    for (size_t i = 0; i < u->header_count; i++)
        if (strcmp(u->header[i].name, name) == 0)
            return u->header[i].value;
    return NULL;
}

static void test_upgrade(void **state)
{
    static const struct {
        size_t at;
        const char *name, *value; /* replaces or adds a header; NULL name: the method */
        unsigned status;
        const char *header, *is, *text;
    } cases[] = {
        {7, "X", "y", 101, "Sec-WebSocket-Accept", ACCEPT, ""},
        {7, "X", "y", 101, "Sec-WebSocket-Protocol", NULL, ""},
        {7, "Sec-WebSocket-Protocol", "wsp.1", 101, "Sec-WebSocket-Protocol", "wsp.1", ""},
        {6, "Auth", "wrong", 401, NULL, NULL, "token error, access denied!\n"},
        {7, "Origin", "http://x", 403, NULL, NULL, "a link cannot be opened from a web page\n"},
        {3, "Sec-WebSocket-Version", "12", 426, "Sec-WebSocket-Version", "13", "\n"},
        {1, "Upgrade", "h2c", 400, NULL, NULL, "\n"},
        {0, NULL, "POST", 405, "Allow", "GET", "\n"},
    };
    struct world *w = *state;

    world_serve(w, SECRET, NULL, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wsp_header header[8];
        struct wsp_request_head head = link_head(header);
        struct wsp_upgrade u;

        if (cases[i].name)
            header[cases[i].at] = (struct wsp_header){cases[i].name, cases[i].value};
        else
            head.method = cases[i].value;
        head.header_count += cases[i].at == 7;
        assert_int_equal(wsp_server_upgrade(w->server, &head, &u), WSP_OK);
        assert_int_equal(u.status, cases[i].status);
        assert_non_null(strstr(u.text, cases[i].text));
        if (cases[i].is)
            assert_string_equal(header_of(&u, cases[i].header), cases[i].is);
        else if (cases[i].header)
            assert_null(header_of(&u, cases[i].header));
    }
}

/* A PING, masked with zeros, and its answer. */
#define PING "\x89\x80\x00\x00\x00\x00"
#define PONG "\x8a"

static void test_take_upgraded(void **state)
{
    struct world *w = *state;
    struct wsp_header header[8];
    struct wsp_request_head head = link_head(header);
    struct wsp_connection c = {.early = PING, .early_len = 6, .peer = "[2001:db8::1]:1234"};
    struct heard h = {.len = 0};
    struct wsp_upgrade u;
    int fds[2];

    world_serve(w, SECRET, NULL, NULL);
    tcp_pair(fds, 0);
    c.fd = fds[0];
    assert_int_equal(wsp_server_upgrade(w->server, &head, &u), WSP_OK);
    assert_int_equal(u.status, 101);
    assert_int_equal(wsp_server_take_upgraded(w->server, &u, &c, NULL), WSP_OK);
    expect_text(w, fds[1], &h, PONG);
    expect_note(w, "link 1 up");
    close(fds[1]);
    expect_note(w, "link 1 down");
}

/* Between the judgement and the hand-over others may have come. */
static void test_take_upgraded_is_limited(void **state)
{
    struct world *w = *state;
    struct wsp_header header[8];
    struct wsp_request_head head = link_head(header);
    struct wsp_upgrade u;
    enum wsp_err expected[] = {WSP_OK, WSP_ERR_LIMIT};
    int fds[2][2];

    world_serve(w, "{\"auth\": \"secret\", \"path\": \"/proxy\", \"limits\": {\"links\": 1}}", NULL,
                NULL);
    assert_int_equal(wsp_server_upgrade(w->server, &head, &u), WSP_OK);
    assert_int_equal(u.status, 101);
    for (int i = 0; i < 2; i++) {
        struct wsp_connection c = {.fd = -1};

        tcp_pair(fds[i], 0);
        c.fd = fds[i][0];
        assert_int_equal(wsp_server_take_upgraded(w->server, &u, &c, NULL), expected[i]);
    }
    close(fds[0][1]);
    close(fds[1][1]);
    turn_until_idle(w->loop);
}

static void test_take_upgraded_by_calls(void **state)
{
    struct world *w = *state;
    struct wsp_header header[8];
    struct wsp_request_head head = link_head(header);
    struct wsp_upgrade u;
    struct lent l;
    struct wsp_connection c = lent_connection(w, &l);

    world_serve(w, SECRET, NULL, NULL);
    assert_int_equal(wsp_server_upgrade(w->server, &head, &u), WSP_OK);
    assert_int_equal(wsp_server_take_upgraded(w->server, &u, &c, &l.guest), WSP_OK);
    expect_note(w, "link 1 up");
    memcpy(l.in, PING, 6);
    l.in_len = 6;
    wsp_guest_ready(l.guest, WSP_READABLE);
    wait_for(w->loop, -1, l.out_len > 0);
    assert_memory_equal(l.out, PONG, 1);
    l.in_ends = true;
    wsp_guest_ready(l.guest, WSP_READABLE);
    expect_note(w, "link 1 down");
    expect_note(w, "closed");
}

/* ---- what a service is told */

static void test_a_service_is_told_of_tls(void **state)
{
    struct world *w = *state;
    struct wsp_client_options o = {.config = wsp_config_new()};
    struct wsp_request_head head = {"GET", "/api", false, host, 1};
    struct wsp_client *client;
    struct heard h = {.len = 0};
    struct lent l;
    struct wsp_connection c = lent_connection(w, &l);
    unsigned port, service_port;
    int service = listen_somewhere(&service_port), fd = -1;
    char text[128];

    world_serve(w, SECRET, NULL, &port);
    snprintf(text, sizeof(text), "ws://127.0.0.1:%u/proxy", port);
    wsp_config_set(o.config, "client[+].server", text, NULL);
    wsp_config_set(o.config, "client[].auth", "secret", NULL);
    snprintf(text, sizeof(text), "http://127.0.0.1:%u?mode=path&value=api", service_port);
    wsp_config_set(o.config, "client[].remote[]", text, NULL);
    client = wsp_client_new(w->loop, &o, NULL);
    expect_note(w, "registered http:path:api");
    c.is_secure = true;
    c.peer = "192.0.2.7:99";
    assert_int_equal(wsp_server_take(w->server, &head, &c, &l.guest), WSP_OK);
    set_nonblocking(service);
    wait_for(w->loop, service, (fd = accept(service, NULL, NULL)) >= 0);
    expect_text(w, fd, &h, "\r\n\r\n");
    assert_non_null(strstr(h.text, "X-Forwarded-Proto: https\r\n"));
    assert_non_null(strstr(h.text, "X-Forwarded-For: 192.0.2.7\r\n"));
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    wait_for(w->loop, -1, l.out_len && strstr(l.out, "\r\n\r\nhi"));
    wsp_client_free(client);
    wsp_config_free(o.config);
    close(fd);
    close(service);
    wsp_server_free(w->server); /* the connection is kept, and `l` goes */
    w->server = NULL;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_match),
        TEST(test_forged_heads),
        TEST(test_take_a_descriptor),
        TEST(test_take_a_duplicate),
        TEST(test_free_ends_what_lingers),
        TEST(test_by_calls),
        TEST(test_what_comes_by_calls_ends),
        TEST(test_calls_that_lie),
        TEST(test_free_within_a_call),
        TEST(test_drain_within_a_call),
        TEST(test_limit),
        TEST(test_misuse),
        TEST(test_detach_what_was_lent),
        TEST(test_upgrade),
        TEST(test_take_upgraded),
        TEST(test_take_upgraded_is_limited),
        TEST(test_take_upgraded_by_calls),
        TEST(test_a_service_is_told_of_tls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
