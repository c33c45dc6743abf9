/*
 * The other end of a link on libwebsockets' own ws role, for test_lws.py.
 *
 *     client PORT PATH AUTH URL   opens a DYNAMIC channel to URL, an echo service, and sends
 * through it in messages of many sizes, whole and fragmented, with pings; then closes the channel
 * and the link. Exit status 0: all was well. server PORT                 accepts links, says
 * SUCCESS to every open and echoes, now whole, now fragmented, with pings; an open of CLOSE_URL
 * gets a close frame. Until SIGTERM.
 *
 * What happens is told on standard output, a line each.
 */
#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/list.h"
#include "proto/msg.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ID "3MXEaTTv3gGxOcHjeVzsqNRZ1Xd"
#define CLOSE_URL "socks5://close.example:80"
#define PING_TEXT "are you there?"

enum {
    PING_EVERY = 8,   /* fragments; then a ping goes between them */
    ECHO_CHUNK = 777, /* bytes of a fragment of every second echo */
    CLIENT_LIMIT_S = 120,
};

/* A message on its way out; its bytes stand behind LWS_PRE free ones. */
struct outgoing {
    struct list node;
    size_t chunk; /* bytes of a fragment */
    size_t len, sent;
    uint8_t bytes[];
};

/* One link; lws owns the memory, zeroed. */
struct peer {
    struct lws *wsi;
    struct list out; /* of struct outgoing; owned */
    struct buf in;   /* the message being received */
    unsigned frames; /* written */
    unsigned pings;  /* to be written */
    unsigned unponged;
    unsigned echoes;
    size_t step, echoed; /* client: of steps[], bytes of it that came back */
};

/* What the client sends: bytes of data, in fragments of so many bytes (0: whole). */
static const struct {
    size_t len, chunk;
} steps[] = {
    {1, 0},    {90, 0},       {91, 0},        {125, 3},     {65000, 0},       {65536, 0},
    {5000, 1}, {100000, 997}, {100000, 4096}, {1000000, 0}, {1000000, 65536}, {2, 1},
};

static const char *open_url, *auth; /* of the client */
static int status = 1;
static volatile sig_atomic_t over;

static uint8_t byte_at(size_t step, size_t pos)
{
    return (uint8_t)(pos * 31 + (pos >> 8) + step);
}

static void tell(const char *line)
{
    puts(line);
    fflush(stdout);
}

/* ---- output */

static void queue_message(struct peer *p, struct slice id, enum msg_cmd cmd, struct slice data,
                          size_t chunk)
{
    size_t head = msg_head_len(id.len, cmd, data.len);
    struct outgoing *o = calloc(1, sizeof(*o) + LWS_PRE + head + data.len);

    if (!o)
        abort();
    o->len = head + data.len;
    o->chunk = chunk ? chunk : o->len;
    msg_head_write(o->bytes + LWS_PRE, id, cmd, data.len);
    if (data.len)
        memcpy(o->bytes + LWS_PRE + head, data.p, data.len);
    list_push(&p->out, &o->node);
    lws_callback_on_writable(p->wsi);
}

static int write_ping(struct peer *p)
{
    uint8_t bytes[LWS_PRE + sizeof(PING_TEXT)];
    size_t n = strlen(PING_TEXT);

    memcpy(bytes + LWS_PRE, PING_TEXT, n);
    p->pings--;
    p->unponged++;
    return lws_write(p->wsi, bytes + LWS_PRE, n, LWS_WRITE_PING) < (int)n ? -1 : 0;
}

static int write_fragment(struct peer *p, struct outgoing *o)
{
    size_t left = o->len - o->sent;
    size_t n = left < o->chunk ? left : o->chunk;
    int kind = o->sent ? LWS_WRITE_CONTINUATION : LWS_WRITE_BINARY;

    if (n < left)
        kind |= LWS_WRITE_NO_FIN;
    if (lws_write(p->wsi, o->bytes + LWS_PRE + o->sent, n, (enum lws_write_protocol)kind) < (int)n)
        return -1;
    if (n < left && ++p->frames % PING_EVERY == 0)
        p->pings++;
    o->sent += n;
    if (o->sent == o->len) {
        list_remove(&o->node);
        free(o);
    }
    return 0;
}

/* Writes one frame. */
static int on_writeable(struct peer *p)
{
    int failed = 0;

    if (p->pings)
        failed = write_ping(p);
    else if (!list_empty(&p->out))
        failed = write_fragment(p, container_of(p->out.next, struct outgoing, node));
    if (p->pings || !list_empty(&p->out))
        lws_callback_on_writable(p->wsi);
    return failed;
}

static int close_link(struct peer *p, enum lws_close_status code)
{
    lws_close_reason(p->wsi, code, NULL, 0);
    return -1;
}

/* ---- the client's side: nonzero ends the link */

static void send_request(struct peer *p)
{
    struct msg_request request = {.type = MSG_DYNAMIC, .url = slice_str(open_url)};
    uint8_t data[512];
    size_t len;

    if (msg_request_write(&request, data, sizeof(data), &len) != WSP_OK)
        abort();
    queue_message(p, slice_str(ID), MSG_CONNECT, slice_of(data, len), 0);
}

static void send_step(struct peer *p)
{
    size_t len = steps[p->step].len;
    uint8_t *data = malloc(len);

    if (!data)
        abort();
    for (size_t i = 0; i < len; i++)
        data[i] = byte_at(p->step, i);
    p->echoed = 0;
    queue_message(p, slice_str(ID), MSG_TRANSFER, slice_of(data, len), steps[p->step].chunk);
    free(data);
}

static int take_echo(struct peer *p, struct slice data)
{
    for (size_t i = 0; i < data.len; i++)
        if (p->echoed == steps[p->step].len || data.p[i] != byte_at(p->step, p->echoed++)) {
            tell("wrong echo");
            return -1;
        }
    if (p->echoed < steps[p->step].len)
        return 0;
    if (++p->step < COUNT(steps))
        send_step(p);
    else
        queue_message(p, slice_str(ID), MSG_INTERRUPT, slice_of(NULL, 0), 0);
    return 0;
}

static int take_response(struct peer *p, struct slice data)
{
    struct msg_response r;

    if (msg_response_parse(data, &r) != WSP_OK || !r.success) {
        printf("refused: %.*s\n", SLICE_FMT(r.error));
        return -1;
    }
    tell("opened");
    send_step(p);
    return 0;
}

static int client_message(struct peer *p, const struct msg *m)
{
    if (!slice_eq_str(m->id, ID)) {
        tell("foreign id");
        return -1;
    }
    if (m->cmd == MSG_RESPOND)
        return take_response(p, m->data);
    if (m->cmd == MSG_TRANSFER)
        return take_echo(p, m->data);
    if (m->cmd != MSG_INTERRUPT || p->step < COUNT(steps) || p->unponged || p->pings) {
        printf("command %d in step %zu, %u pongs missing\n", (int)m->cmd, p->step, p->unponged);
        return -1;
    }
    status = 0;
    return close_link(p, LWS_CLOSE_STATUS_NORMAL);
}

/* ---- the server's side */

static int server_message(struct peer *p, const struct msg *m)
{
    struct msg_response accepted = {.success = true};
    struct msg_request request;
    uint8_t data[16];
    size_t len;

    if (m->cmd == MSG_TRANSFER) {
        queue_message(p, m->id, MSG_TRANSFER, m->data, p->echoes++ % 2 ? ECHO_CHUNK : 0);
    } else if (m->cmd == MSG_INTERRUPT) {
        queue_message(p, m->id, MSG_INTERRUPT, slice_of(NULL, 0), 0);
    } else if (m->cmd == MSG_CONNECT) {
        if (msg_request_parse(m->data, &request) != WSP_OK)
            return -1;
        printf("open %.*s\n", SLICE_FMT(request.url));
        fflush(stdout);
        if (slice_eq_str(request.url, CLOSE_URL))
            return close_link(p, LWS_CLOSE_STATUS_GOINGAWAY);
        msg_response_write(&accepted, data, sizeof(data), &len);
        queue_message(p, m->id, MSG_RESPOND, slice_of(data, len), 0);
    }
    return 0;
}

/* ---- lws */

static int on_receive(struct peer *p, const void *in, size_t len, bool client)
{
    struct msg m;
    int ended;

    if (buf_append(&p->in, in, len) != WSP_OK)
        abort();
    if (!lws_is_final_fragment(p->wsi) || lws_remaining_packet_payload(p->wsi))
        return 0;
    if (!lws_frame_is_binary(p->wsi) || msg_parse(buf_slice(&p->in), &m) != WSP_OK) {
        tell("not a message");
        return -1;
    }
    ended = client ? client_message(p, &m) : server_message(p, &m);
    buf_consume(&p->in, p->in.len);
    return ended;
}

static int on_pong(struct peer *p, const void *in, size_t len)
{
    if (!slice_eq_str(slice_of(in, len), PING_TEXT)) {
        tell("wrong pong");
        return -1;
    }
    tell("pong");
    p->unponged--;
    return 0;
}

static void on_established(struct peer *p, struct lws *wsi)
{
    p->wsi = wsi;
    list_init(&p->out);
    p->pings = 1;
    lws_callback_on_writable(wsi);
    tell("link up");
}

static void on_closed(struct peer *p)
{
    struct list *node;

    while ((node = list_shift(&p->out)))
        free(container_of(node, struct outgoing, node));
    buf_fini(&p->in);
    tell("link closed");
}

/* Into what lws gives as the place and the end of the headers. */
static int add_headers(struct lws *wsi, uint8_t **at, size_t room)
{
    uint8_t *end = *at + room;

    return lws_add_http_header_by_name(wsi, (const uint8_t *)"Auth:", (const uint8_t *)auth,
                                       (int)strlen(auth), at, end) ||
           lws_add_http_header_by_name(wsi, (const uint8_t *)"Proto:", (const uint8_t *)"0.10", 4,
                                       at, end);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct peer *p = user;

    switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return add_headers(wsi, (uint8_t **)in, len);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        printf("cannot connect: %.*s\n", (int)len, in ? (const char *)in : "");
        over = 1;
        return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        on_established(p, wsi);
        send_request(p);
        return 0;
    case LWS_CALLBACK_ESTABLISHED:
        on_established(p, wsi);
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return on_writeable(p);
    case LWS_CALLBACK_CLIENT_RECEIVE:
    case LWS_CALLBACK_RECEIVE:
        return on_receive(p, in, len, reason == LWS_CALLBACK_CLIENT_RECEIVE);
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
    case LWS_CALLBACK_RECEIVE_PONG:
        return on_pong(p, in, len);
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_CLOSED:
        over = reason == LWS_CALLBACK_CLIENT_CLOSED;
        on_closed(p);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "wsp-link", .callback = callback, .per_session_data_size = sizeof(struct peer)},
    {0},
};

static struct lws_context *wake;

static void on_signal(int number)
{
    (void)number;
    over = 1;
    lws_cancel_service(wake);
}

static int start_client(struct lws_context *context, int port, const char *path)
{
    struct lws_client_connect_info info = {.context = context,
                                           .address = "127.0.0.1",
                                           .host = "127.0.0.1",
                                           .port = port,
                                           .path = path,
                                           .local_protocol_name = protocols[0].name};

    return lws_client_connect_via_info(&info) ? 0 : -1;
}

int main(int argc, char **argv)
{
    bool client = argc == 6 && strcmp(argv[1], "client") == 0;
    bool server = argc == 3 && strcmp(argv[1], "server") == 0;
    struct lws_context_creation_info info = {.protocols = protocols,
                                             .fd_limit_per_thread = 64,
                                             .iface = "127.0.0.1",
                                             .port = CONTEXT_PORT_NO_LISTEN};

    if (!client && !server)
        return 2;
    if (client) {
        auth = argv[4];
        open_url = argv[5];
        alarm(CLIENT_LIMIT_S);
    } else {
        info.port = atoi(argv[2]);
        status = 0;
    }
    lws_set_log_level(LLL_ERR | LLL_WARN, NULL);
    wake = lws_create_context(&info);
    if (!wake || (client && start_client(wake, atoi(argv[2]), argv[3]) != 0))
        return 1;
    signal(SIGTERM, on_signal);
    tell("ready");
    while (!over && lws_service(wake, 0) >= 0)
        ;
    lws_context_destroy(wake);
    return status;
}
