#include "api/stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BYTES = 1 << 20 }; /* more than fits anywhere, so that writes are short */

/* Descriptors that are the program's, and a place for the status socket. */
static struct {
    int visitor, relayed, asking;
    char directory[64], path[80];
} at;

/* False when what the callback would go on with may be gone. */
static bool moment(struct stage *s, enum moment m)
{
    s->seen[m]++;
    if (s->when == m || s->when == MOMENTS)
        s->act(s);
    return !s->is_over;
}

/* ---- callbacks */

static void on_server_event(void *ctx, const struct wsp_event *e)
{
    moment(ctx, SERVER_EVENT + (enum moment)e->kind);
}

static void on_client_event(void *ctx, const struct wsp_event *e)
{
    moment(ctx, CLIENT_EVENT + (enum moment)e->kind);
}

static bool on_accept(void *ctx, struct wsp_stream *stream)
{
    struct stage *s = ctx;
    bool is_mine;

    s->accepting = stream;
    moment(s, ACCEPT);
    is_mine = !s->accepting;
    s->accepting = NULL;
    return is_mine || echo_accept(&s->service, stream);
}

static void on_opened(struct wsp_stream *stream, void *ctx)
{
    struct stage *s = ctx;

    if (moment(s, OPENED))
        caller_events.opened(stream, &s->caller);
}

static void on_readable(struct wsp_stream *stream, void *ctx)
{
    struct stage *s = ctx;

    if (moment(s, READABLE))
        caller_events.readable(stream, &s->caller);
}

static void on_writable(struct wsp_stream *stream, void *ctx)
{
    struct stage *s = ctx;

    if (moment(s, WRITABLE))
        caller_events.writable(stream, &s->caller);
}

static void on_closed(struct wsp_stream *stream, enum wsp_err why, const char *text, void *ctx)
{
    struct stage *s = ctx;

    if (moment(s, CLOSED))
        caller_events.closed(stream, why, text, &s->caller);
}

static void on_relay_ended(void *ctx, enum wsp_err why, const char *text)
{
    struct stage *s = ctx;

    moment(s, RELAY_ENDED);
    REQUIRE(text && (why == WSP_OK || s->is_over));
}

/* A request can be answered as long as its handler runs, whatever is freed meanwhile. */
static void on_request(void *ctx, struct wsp_request *request)
{
    struct wsp_response response = {.status = 200, .body = "hello\n", .body_len = 6};
    struct wsp_detached detached;
    bool goes_on = moment(ctx, FALLBACK);

    REQUIRE(strcmp(wsp_request_method(request), "GET") == 0);
    REQUIRE(wsp_request_respond(request, &response) == WSP_OK || !goes_on);
    REQUIRE(wsp_request_respond(request, &response) == WSP_ERR_USAGE);
    REQUIRE(wsp_request_detach(request, &detached) == WSP_ERR_USAGE);
}

/* The guest's first request is handed over; the other one, its last, comes after the answer. */
static ssize_t guest_recv(void *ctx, void *out, size_t cap)
{
    static const char request[] = "GET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    struct stage *s = ctx;

    moment(s, GUEST_RECV);
    if (s->seen[GUEST_FINISH])
        return 0;
    if (s->asked == sizeof(request) - 1) {
        errno = EAGAIN;
        return -1;
    }
    if (cap > sizeof(request) - 1 - s->asked)
        cap = sizeof(request) - 1 - s->asked;
    memcpy(out, request + s->asked, cap);
    s->asked += cap;
    return (ssize_t)cap;
}

static ssize_t guest_send(void *ctx, const void *data, size_t len)
{
    struct stage *s = ctx;

    REQUIRE(data && len > 0);
    if (moment(s, GUEST_SEND))
        wsp_guest_ready(s->guest, WSP_READABLE);
    return (ssize_t)len;
}

static void guest_finish(void *ctx)
{
    struct stage *s = ctx;

    if (moment(s, GUEST_FINISH) && s->guest)
        wsp_guest_ready(s->guest, WSP_READABLE | WSP_WRITABLE);
}

static void guest_closed(void *ctx, bool reset)
{
    struct stage *s = ctx;

    (void)reset;
    s->guest = NULL;
    REQUIRE(s->seen[GUEST_CLOSED] == 0); /* once */
    moment(s, GUEST_CLOSED);
}

static char *document(void *ctx)
{
    moment(ctx, DOCUMENT);
    return strdup("{}");
}

static void on_client_drained(void *ctx)
{
    moment(ctx, CLIENT_DRAINED);
}

static void on_server_drained(void *ctx)
{
    moment(ctx, SERVER_DRAINED);
}

static void on_line(void *ctx, enum wsp_log_level level, const char *line, size_t len)
{
    (void)ctx;
    REQUIRE(level <= WSP_LOG_TRACE && strlen(line) == len && !strchr(line, '\n'));
}

/* ---- the scenario */

/* One whose service is refused, since the server has no `host`. */
static struct wsp_client *refused_client(struct stage *s, unsigned port)
{
    struct wsp_config *config = config_of(
        "{\"client\": [{\"server\": \"ws://127.0.0.1:%u/link\", "
        "\"remote\": [\"http://127.0.0.1:1?mode=domain&value=a.example\"]}], " SHORT_TIMES "}",
        port);
    struct wsp_client_options options = {.config = config, .event = on_client_event, .ctx = s};
    struct wsp_client *client = wsp_client_new(s->loop, &options, NULL);

    wsp_config_free(config);
    REQUIRE(client);
    return client;
}

static void start(struct stage *s)
{
    struct place place = place_listen();
    struct wsp_config *config = config_of("{\"path\": \"/link\", " SHORT_TIMES "}");
    struct wsp_server_options options = {.config = config,
                                         .socket = &place.fd,
                                         .socket_count = 1,
                                         .fallback = on_request,
                                         .event = on_server_event,
                                         .ctx = s};
    struct wsp_serve serve = {.channel = "echo", .accept = on_accept, .ctx = s};
    struct wsp_status_options status = {
        .program = "wsps", .version = "1", .path = at.path, .document = document, .ctx = s};

    s->loop = wsp_loop_new();
    REQUIRE(s->loop);
    wsp_loop_set_log(s->loop, WSP_LOG_TRACE, on_line, NULL);
    s->server = wsp_server_new(s->loop, &options, NULL);
    s->client = client_of(s->loop, place.port, on_client_event, s);
    s->refused = refused_client(s, place.port);
    s->status = wsp_status_open(s->loop, &status, NULL);
    REQUIRE(s->server && s->status);
    REQUIRE(wsp_client_serve(s->client, &serve, NULL) == WSP_OK);
    at.visitor = place_connect(place.port);
    wsp_config_free(config);
}

static void call(struct stage *s)
{
    const struct wsp_stream_events events = {
        .opened = on_opened, .readable = on_readable, .writable = on_writable, .closed = on_closed};
    const struct wsp_target target = {.channel = "echo"};

    s->caller = (struct caller){.size = BYTES};
    s->caller.stream = wsp_client_open(s->client, &target, &events, s, NULL);
    REQUIRE(s->caller.stream);
}

static void relay(struct stage *s)
{
    const struct wsp_target target = {.channel = "echo"};
    int pair[2];

    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    at.relayed = pair[0];
    REQUIRE(send(at.relayed, "hello", 5, MSG_NOSIGNAL) == 5);
    REQUIRE(shutdown(at.relayed, SHUT_WR) == 0);
    REQUIRE(wsp_client_relay(s->client, &target, pair[1], on_relay_ended, s, NULL) == WSP_OK);
}

static void visit(struct stage *s)
{
    static const char request[] = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    const struct wsp_connection connection = {.fd = -1,
                                              .peer = "192.0.2.1:1234",
                                              .recv = guest_recv,
                                              .send = guest_send,
                                              .finish = guest_finish,
                                              .closed = guest_closed,
                                              .ctx = s};

    REQUIRE(send(at.visitor, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0);
    REQUIRE(wsp_server_take(s->server, NULL, &connection, &s->guest) == WSP_OK && s->guest);
}

static void ask_status(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    at.asking = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", at.path);
    REQUIRE(connect(at.asking, (struct sockaddr *)&address, sizeof(address)) == 0);
}

static bool is_registered(const struct stage *s)
{
    return s->seen[CLIENT_EVENT + WSP_NAME_REGISTERED] &&
           s->seen[CLIENT_EVENT + WSP_NAME_REFUSED] && s->seen[SERVER_EVENT + WSP_NAME_REFUSED];
}

static bool is_all_called(const struct stage *s)
{
    return s->caller.closed && s->seen[RELAY_ENDED] && s->seen[FALLBACK] >= 2 &&
           s->seen[GUEST_CLOSED] && s->seen[DOCUMENT] && !s->service.first;
}

static bool is_name_gone(const struct stage *s)
{
    return s->seen[SERVER_EVENT + WSP_NAME_GONE];
}

static bool is_client_drained(const struct stage *s)
{
    return s->seen[CLIENT_DRAINED];
}

static bool is_server_drained(const struct stage *s)
{
    return s->seen[SERVER_DRAINED];
}

static bool is_link_down(const struct stage *s)
{
    return s->seen[CLIENT_EVENT + WSP_LINK_DOWN];
}

static void begin_all(struct stage *s)
{
    call(s);
    relay(s);
    visit(s);
    ask_status();
}

static void begin_unserve(struct stage *s)
{
    REQUIRE(wsp_client_unserve(s->client, "echo", 0) == WSP_OK);
}

static void begin_client_drain(struct stage *s)
{
    REQUIRE(wsp_client_drain(s->client, on_client_drained, s) == WSP_OK);
}

static void begin_server_drain(struct stage *s)
{
    close(at.visitor);
    at.visitor = -1;
    REQUIRE(wsp_server_drain(s->server, on_server_drained, s) == WSP_OK);
}

static void begin_end(struct stage *s)
{
    wsp_server_free(s->server);
    s->server = NULL;
}

static const struct {
    void (*begin)(struct stage *s);
    bool (*is_done)(const struct stage *s);
} steps[] = {
    {start, is_registered},
    {begin_all, is_all_called},
    {begin_unserve, is_name_gone},
    {begin_client_drain, is_client_drained},
    {begin_server_drain, is_server_drained},
    {begin_end, is_link_down},
};

struct wait {
    const struct stage *stage;
    size_t step;
};

static bool is_step_done(const void *what)
{
    const struct wait *w = what;

    return w->stage->is_over || steps[w->step].is_done(w->stage);
}

static void finish(struct stage *s)
{
    if (s->loop)
        settle(s->loop);
    wsp_client_free(s->client);
    caller_free(&s->caller);
    wsp_server_free(s->server);
    echo_service_free(&s->service);
    wsp_status_close(s->status);
    wsp_client_free(s->refused);
    wsp_loop_free(s->loop);
    for (int *fd = (int[]){at.visitor, at.relayed, at.asking, -2}; *fd != -2; fd++)
        if (*fd >= 0)
            close(*fd);
}

void stage_play(struct stage *s)
{
    size_t open = descriptors();

    at.visitor = at.relayed = at.asking = -1;
    snprintf(at.directory, sizeof(at.directory), "/tmp/wsp-api-XXXXXX");
    REQUIRE(mkdtemp(at.directory));
    snprintf(at.path, sizeof(at.path), "%s/status", at.directory);
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps) && !s->is_over; i++) {
        struct wait wait = {.stage = s, .step = i};

        steps[i].begin(s);
        if (!until(s->loop, is_step_done, &wait)) {
            fprintf(stderr, "step %zu does not end\n", i);
            abort();
        }
    }
    finish(s);
    REQUIRE(rmdir(at.directory) == 0); /* the socket is gone, too */
    REQUIRE(descriptors() == open);
}
