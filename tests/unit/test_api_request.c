#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/stream.h"
#include "net/tls_context.h"
#include "unit/api_help.h"
#include "unit/tls_certs.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* What the handler does with the next request. */
static struct {
    struct wsp_response response;
    bool detaches, frees, says_nothing;
    struct wsp_detached detached;
    enum wsp_err err;
} then;

static void on_request(void *ctx, struct wsp_request *r)
{
    struct world *w = ctx;
    const char *agent = wsp_request_header(r, "USER-AGENT");

    note(w, "%s %s %s%s\n", wsp_request_method(r), wsp_request_target(r), agent ? agent : "-",
         wsp_request_is_secure(r) ? " secure" : "");
    assert_non_null(strstr(wsp_request_peer(r), "127.0.0.1:"));
    if (then.detaches)
        then.err = wsp_request_detach(r, &then.detached);
    else if (!then.says_nothing)
        then.err = wsp_request_respond(r, &then.response);
    if (then.err == WSP_OK && !then.says_nothing) { /* only once */
        assert_int_equal(wsp_request_respond(r, &then.response), WSP_ERR_USAGE);
        assert_int_equal(wsp_request_detach(r, &then.detached), WSP_ERR_USAGE);
    }
    if (then.frees)
        wsp_server_free(w->server);
    if (then.frees)
        w->server = NULL;
}

static int setup(void **state)
{
    memset(&then, 0, sizeof(then));
    then.response.status = 200;
    return world_setup(state);
}

static void test_whose_requests(void **state)
{
    static const struct {
        const char *request, *answer, *log;
    } cases[] = {
        {"GET /page?q HTTP/1.1\r\nHost: x\r\nUser-Agent:  me \r\n\r\n", " 200 ",
         "GET /page?q me\n"},
        {"GET /proxy HTTP/1.1\r\nHost: x\r\n\r\n", " 200 ", "GET /proxy -\n"},
        {"BREW / HTTP/1.0\r\nUser-Agent:\r\n\r\n", " 200 ", "BREW / \n"},
        {"GET /proxy HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n", " 401 ", ""},
        {LINK_REQUEST, " 101 ", "link 1 up  \n"},
        {"GET /prox HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nProto: 0.10\r\nAuth: s\r\n\r\n",
         " 404 ", ""},
        {"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", " 405 ", ""},
        {"GET / HTTP/1.1\r\n\r\n", " 400 ", ""},
        {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", " 400 ", ""},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         " 400 ", ""},
    };
    struct world *w = *state;
    unsigned port;

    world_serve(w, SECRET, on_request, &port);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct heard h = {.len = 0};
        int fd = visit(port);

        w->log[0] = '\0';
        say(fd, cases[i].request);
        expect_text(w, fd, &h, "\r\n");
        assert_non_null(strstr(h.text, cases[i].answer));
        turn_until_idle(w->loop);
        assert_string_equal(w->log, cases[i].log);
        close(fd);
        turn_until_idle(w->loop);
    }
}

static void test_nobody_answers(void **state)
{
    struct world *w = *state;
    struct heard h = {.len = 0};
    unsigned port;
    int fd;

    world_serve(w, SECRET, on_request, &port);
    then.says_nothing = true;
    fd = visit(port);
    say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_text(w, fd, &h, " 404 ");
    close(fd);
}

static const char *field(const struct heard *h, const char *name, char out[64])
{
    const char *at = strstr(h->text, name);

    out[0] = '\0';
    if (at)
        sscanf(at + strlen(name), ": %63[^\r]", out);
    return out;
}

static void test_responses(void **state)
{
    static const struct {
        const char *request;
        unsigned status;
        const char *body, *start, *length, *connection, *sent;
    } cases[] = {
        {"GET / HTTP/1.1\r\n", 200, "hello", "HTTP/1.1 200 OK\r\n", "5", "", "hello"},
        {"HEAD / HTTP/1.1\r\n", 200, "hello", "HTTP/1.1 200 OK\r\n", "5", "", ""},
        {"GET / HTTP/1.1\r\n", 204, "", "HTTP/1.1 204 No Content\r\n", "", "", ""},
        {"GET / HTTP/1.1\r\n", 304, "not sent", "HTTP/1.1 304 Not Modified\r\n", "", "", ""},
        {"GET / HTTP/1.1\r\n", 299, "", "HTTP/1.1 299 \r\n", "0", "", ""},
        {"GET / HTTP/1.1\r\nConnection: close\r\n", 200, "x", "HTTP/1.1 200 ", "1", "close", "x"},
        {"GET / HTTP/1.0\r\n", 200, "x", "HTTP/1.1 200 ", "1", "close", "x"},
        {"POST / HTTP/1.1\r\nContent-Length: 9\r\n", 200, "x", "HTTP/1.1 200 ", "1", "close", "x"},
        {"POST / HTTP/1.1\r\nContent-Length: 0\r\n", 200, "x", "HTTP/1.1 200 ", "1", "", "x"},
    };
    static const struct wsp_header header[] = {{"Content-Type", "text/plain"}, {"X-Empty", ""}};
    struct world *w = *state;
    unsigned port;
    char text[64];

    world_serve(w, SECRET, on_request, &port);
    then.response.header = header;
    then.response.header_count = COUNT(header);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct heard h = {.len = 0};
        int fd = visit(port);

        then.response.status = cases[i].status;
        then.response.body = cases[i].body;
        then.response.body_len = strlen(cases[i].body);
        say(fd, cases[i].request);
        say(fd, "Host: x\r\n\r\n");
        expect_text(w, fd, &h, "\r\n\r\n");
        turn_until_idle(w->loop);
        hear(fd, &h);
        assert_memory_equal(h.text, cases[i].start, strlen(cases[i].start));
        assert_string_equal(field(&h, "Content-Length", text), cases[i].length);
        assert_string_equal(field(&h, "Connection", text), cases[i].connection);
        assert_string_equal(field(&h, "Content-Type", text), "text/plain");
        assert_int_equal(strlen(field(&h, "Date", text)), 29);
        assert_string_equal(text + 25, " GMT");
        assert_string_equal(strstr(h.text, "\r\n\r\n") + 4, cases[i].sent);
        hear(fd, &h);
        assert_int_equal(h.ended, cases[i].connection[0] != '\0');
        close(fd);
        turn_until_idle(w->loop);
    }
}

static void test_the_connection_goes_on(void **state)
{
    struct world *w = *state;
    struct heard h = {.len = 0};
    unsigned port;
    int fd;

    world_serve(w, SECRET, on_request, &port);
    fd = visit(port);
    say(fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_note(w, "GET /1 -\nGET /2 -\n");
    say(fd, "GET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_note(w, "GET /3 -\n");
    say(fd, LINK_REQUEST);
    expect_text(w, fd, &h, " 101 ");
    close(fd);
}

/* More than the socket takes at once: the next request waits until it is out. */
static void test_a_large_response(void **state)
{
    struct world *w = *state;
    static char body[8 << 20];
    struct heard h = {.len = 0};
    size_t got = 0;
    unsigned port;
    int fd;

    world_serve(w, SECRET, on_request, &port);
    then.response.body = body;
    then.response.body_len = sizeof(body);
    fd = visit(port);
    say(fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_note(w, "GET /1 -\n");
    turn_until_idle(w->loop);
    assert_null(strstr(w->log, "/2"));
    wait_for(w->loop, fd, (h.len = 0, hear(fd, &h), got += h.len, got > 2 * sizeof(body)));
    close(fd);
}

static void test_what_must_not_be_sent(void **state)
{
    static const struct {
        unsigned status;
        const char *name, *value;
        const char *body;
        size_t body_len;
    } cases[] = {
        {199, "X", "y", "", 0},
        {101, "X", "y", "", 0},
        {600, "X", "y", "", 0},
        {200, NULL, "y", "", 0},
        {200, "X", NULL, "", 0},
        {200, "X", "y\r\nEvil: z", "", 0},
        {200, "X: y\r\nEvil", "z", "", 0},
        {200, "", "y", "", 0},
        {200, "content-length", "1", "", 0},
        {200, "Date", "now", "", 0},
        {200, "CONNECTION", "close", "", 0},
        {200, "Transfer-Encoding", "chunked", "", 0},
        {200, "Upgrade", "x", "", 0},
        {200, "X", "y", NULL, 1},
    };
    struct world *w = *state;
    unsigned port;

    world_serve(w, SECRET, on_request, &port);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wsp_header header = {cases[i].name, cases[i].value};
        struct heard h = {.len = 0};
        int fd = visit(port);

        then.response =
            (struct wsp_response){cases[i].status, &header, 1, cases[i].body, cases[i].body_len};
        say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_text(w, fd, &h, " 404 ");
        assert_int_equal(then.err, WSP_ERR_USAGE);
        close(fd);
    }
    assert_null(wsp_request_method(NULL));
    assert_null(wsp_request_target(NULL));
    assert_null(wsp_request_header(NULL, "X"));
    assert_null(wsp_request_peer(NULL));
    assert_false(wsp_request_is_secure(NULL));
    assert_int_equal(wsp_request_respond(NULL, &then.response), WSP_ERR_USAGE);
    assert_int_equal(wsp_request_detach(NULL, &then.detached), WSP_ERR_USAGE);
}

static void test_free_within_the_handler(void **state)
{
    static const bool detaches[] = {false, true};
    struct world *w = *state;
    unsigned port;

    for (size_t i = 0; i < COUNT(detaches); i++) {
        struct heard h = {.len = 0};
        int fd;

        world_serve(w, SECRET, on_request, &port);
        fd = visit(port);
        then.frees = true;
        then.detaches = detaches[i];
        say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        wait_for(w->loop, -1, !w->server);
        if (detaches[i]) {
            say(then.detached.fd, "mine");
            expect_text(w, fd, &h, "mine");
            close(then.detached.fd);
            free(then.detached.data);
        } else {
            expect_end(w, fd, &h);
        }
        close(fd);
    }
}

/* ---- taking the connection */

static void test_detach(void **state)
{
    static const struct {
        const char *request, *data;
    } cases[] = {
        {"POST /a HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
         "POST /a HTTP/1.1\r\nConnection: close\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"},
        {"GET /a HTTP/1.1\r\nHost:x\r\nConnection: TE, keep-alive\r\n\r\n",
         "GET /a HTTP/1.1\r\nConnection: close, TE\r\nHost:x\r\n\r\n"},
        {"GET /a HTTP/1.0\r\nKeep-Alive: 5\r\nConnection: keep-alive,\r\nConnection: ,a ,b\r\n\r\n",
         "GET /a HTTP/1.0\r\nConnection: close, a, b\r\n\r\n"},
        {"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nmore",
         "GET /ws HTTP/1.1\r\nConnection: close, Upgrade\r\nHost: x\r\nUpgrade: "
         "websocket\r\n\r\nmore"},
    };
    struct world *w = *state;
    unsigned port;

    world_serve(w, SECRET, on_request, &port);
    then.detaches = true;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct heard h = {.len = 0}, near = {.len = 0};
        int fd = visit(port);

        w->log[0] = '\0';
        say(fd, cases[i].request);
        expect_note(w, "\n");
        assert_int_equal(then.err, WSP_OK);
        assert_int_equal(then.detached.len, strlen(cases[i].data));
        assert_memory_equal(then.detached.data, cases[i].data, then.detached.len);
        assert_true(fcntl(then.detached.fd, F_GETFL) & O_NONBLOCK);
        say(fd, "further");
        expect_text(w, then.detached.fd, &near, "further");
        say(then.detached.fd, "HTTP/1.1 200 OK\r\n\r\n");
        close(then.detached.fd);
        expect_end(w, fd, &h);
        assert_string_equal(h.text, "HTTP/1.1 200 OK\r\n\r\n");
        free(then.detached.data);
        close(fd);
    }
}

/* What the program hands over is what it has judged: no further request of that connection. */
static void test_one_request_is_handed_over(void **state)
{
    static const char requests[] =
        "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n";
    struct world *w = *state;
    struct wsp_connection c = {.early = requests, .early_len = sizeof(requests) - 1};
    struct heard h = {.len = 0};
    int fds[2];

    world_serve(w, SECRET, on_request, NULL);
    tcp_pair(fds, 0);
    c.fd = fds[0];
    assert_int_equal(wsp_server_take(w->server, NULL, &c, NULL), WSP_OK);
    expect_end(w, fds[1], &h);
    assert_non_null(strstr(h.text, "\r\nConnection: close\r\n"));
    assert_string_equal(w->log, "GET /1 -\n");
    close(fds[1]);
}

/* The place goes back: the program has as many connections as it likes. */
static void test_detached_ones_do_not_count(void **state)
{
    struct world *w = *state;
    unsigned port;

    world_serve(w, "{\"limits\": {\"connections\": 1}}", on_request, &port);
    then.detaches = true;
    for (int i = 0; i < 3; i++) {
        int fd = visit(port);

        w->log[0] = '\0';
        say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_note(w, "GET");
        close(then.detached.fd);
        free(then.detached.data);
        close(fd);
    }
}

/* A visitor with TLS, in the loop of the server. */
struct secure {
    struct stream stream;
    struct heard h;
};

static void on_secure(struct stream *s)
{
    struct secure *v = container_of(s, struct secure, stream);
    ssize_t n = 1;

    while (stream_handshake(s) == WSP_OK && s->readable && n > 0) {
        n = stream_recv(s, v->h.text + v->h.len, sizeof(v->h.text) - 1 - v->h.len);
        v->h.len += n > 0 ? (size_t)n : 0;
        v->h.ended = n == STREAM_EOF;
        v->h.broken = n == STREAM_ERROR;
    }
}

static void secure_visit(struct world *w, struct secure *v, unsigned port)
{
    struct tls_options options = {.insecure = true};
    char error[TLS_TEXT_MAX];
    struct tls_context *x = tls_context_new(&options, error, sizeof(error));

    memset(v, 0, sizeof(*v));
    assert_non_null(x);
    assert_int_equal(stream_init(&v->stream, w->loop, visit(port), on_secure), WSP_OK);
    assert_int_equal(stream_secure(&v->stream, x, "a.example"), WSP_OK);
    tls_context_unref(x);
    stream_handshake(&v->stream);
    wait_for(w->loop, -1, stream_is_ready(&v->stream));
}

static void secure_say(struct secure *v, const char *text)
{
    struct iovec iov = {(void *)text, strlen(text)};

    assert_int_equal(stream_send(&v->stream, &iov, 1), (ssize_t)iov.iov_len);
}

/* A server with a certificate of its own, by which it knows its clients, too, when `asks`. */
static void secure_serve(struct world *w, bool asks, unsigned *port)
{
    struct cert_spec spec = {"a.example", "DNS:a.example", -1, 1, false};
    struct identity id = cert_make(&spec, NULL);
    char cert[] = "/tmp/test-cert-XXXXXX", key[] = "/tmp/test-key-XXXXXX", json[512];

    cert_save(&id, cert);
    key_save(&id, NULL, key);
    snprintf(json, sizeof(json),
             "{\"path\": \"/proxy\", \"auth\": \"secret\", \"ssl\": {\"enable\": true, "
             "\"cert\": \"%s\", \"key\": \"%s\"%s%s%s}}",
             cert, key, asks ? ", \"client_ca\": \"" : "", asks ? cert : "", asks ? "\"" : "");
    world_serve(w, json, on_request, port);
    unlink(cert);
    unlink(key);
    cert_free(&id);
}

static void test_detach_behind_tls(void **state)
{
    struct world *w = *state;
    struct secure v;
    struct heard near = {.len = 0};
    unsigned port;

    secure_serve(w, false, &port);
    then.detaches = true;
    secure_visit(w, &v, port);
    secure_say(&v, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_note(w, "GET / - secure\n");
    secure_say(&v, "further");
    expect_text(w, then.detached.fd, &near, "further");
    say(then.detached.fd, "HTTP/1.1 200 OK\r\n\r\nall of it");
    close(then.detached.fd);
    wait_for(w->loop, -1, v.h.ended || v.h.broken);
    assert_string_equal(v.h.text, "HTTP/1.1 200 OK\r\n\r\nall of it");
    assert_true(v.h.ended);
    stream_close(&v.stream);
    free(then.detached.data);
}

/* Where links are asked for certificates, none can be seen behind the program's TLS. */
static void test_client_ca_refuses_what_is_handed_over(void **state)
{
    static const struct wsp_header header[] = {LINK_HEADERS};
    static const struct wsp_request_head head = {"GET", "/proxy", false, header, 7};
    static const unsigned expected[] = {101, 403};
    struct world *w = *state;

    for (int asks = 0; asks < 2; asks++) {
        struct wsp_connection c = {.early = LINK_REQUEST, .early_len = strlen(LINK_REQUEST)};
        struct heard h = {.len = 0};
        struct wsp_upgrade u;
        unsigned port;
        char line[16];
        int fds[2];

        secure_serve(w, asks, &port);
        assert_int_equal(wsp_server_upgrade(w->server, &head, &u), WSP_OK);
        assert_int_equal(u.status, expected[asks]);
        tcp_pair(fds, 0);
        c.fd = fds[0];
        assert_int_equal(wsp_server_take(w->server, NULL, &c, NULL), WSP_OK);
        snprintf(line, sizeof(line), "HTTP/1.1 %u ", expected[asks]);
        expect_text(w, fds[1], &h, line);
        close(fds[1]);
        wsp_server_free(w->server);
        w->server = NULL;
    }
}

/* The program's end of the pair is open when the server goes: it sees an end. */
static void test_free_with_a_pump(void **state)
{
    struct world *w = *state;
    struct secure v;
    struct heard near = {.len = 0};
    unsigned port;

    secure_serve(w, false, &port);
    then.detaches = true;
    secure_visit(w, &v, port);
    secure_say(&v, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_note(w, "GET / - secure\n");
    wsp_server_free(w->server);
    w->server = NULL;
    expect_end(w, then.detached.fd, &near);
    stream_close(&v.stream);
    close(then.detached.fd);
    free(then.detached.data);
}

static void note_drained(void *ctx)
{
    note(ctx, "drained\n");
}

static void test_a_drain_waits_for_a_pump(void **state)
{
    struct world *w = *state;
    struct secure v;
    unsigned port;

    secure_serve(w, false, &port);
    then.detaches = true;
    secure_visit(w, &v, port);
    secure_say(&v, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_note(w, "GET / - secure\n");
    assert_int_equal(wsp_server_drain(w->server, note_drained, w), WSP_OK);
    turn_until_idle(w->loop);
    assert_null(strstr(w->log, "drained"));
    close(then.detached.fd);
    stream_close(&v.stream);
    expect_note(w, "drained");
    free(then.detached.data);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_whose_requests),
        TEST(test_one_request_is_handed_over),
        TEST(test_client_ca_refuses_what_is_handed_over),
        TEST(test_nobody_answers),
        TEST(test_responses),
        TEST(test_the_connection_goes_on),
        TEST(test_a_large_response),
        TEST(test_what_must_not_be_sent),
        TEST(test_free_within_the_handler),
        TEST(test_detach),
        TEST(test_detached_ones_do_not_count),
        TEST(test_detach_behind_tls),
        TEST(test_free_with_a_pump),
        TEST(test_a_drain_waits_for_a_pump),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
