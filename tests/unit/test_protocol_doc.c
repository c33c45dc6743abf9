/*
 * The examples of docs/protocol.md: two links in memory hold the conversation that section 9 shows.
 * What one says must be the example's bytes, and it is the example's bytes that the other hears.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/link.h"
#include "doc_examples.h"
#include "fake_wire.h"
#include "proto/handshake.h"

enum {
    EXAMPLES = 21, /* in the document */
    ENDS = 8,
};

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 section 1.3 */
#define NOTHING slice_of(NULL, 0)

/* ---- the handshake */

static void test_handshake(void **state)
{
    struct handshake_request r = {.target = slice_str("/"),
                                  .host = slice_str("wsps.example:8010"),
                                  .auth = slice_str("change-this-secret"),
                                  .key = KEY,
                                  .offer_wsp_1 = true};
    struct slice request = the_example("client: upgrade");
    struct slice answer = the_example("server: upgrade");
    struct handshake_verdict verdict;
    enum handshake_dialect dialect;
    struct http1_head head;
    char out[1024], error[128];
    struct slice in = request;
    size_t len;

    (void)state;
    assert_int_equal(handshake_request_write(&r, out, sizeof(out), &len), WSP_OK);
    assert_example("client: upgrade", request, slice_of(out, len));
    assert_int_equal(http1_request_parse(&in, &head), WSP_OK);
    handshake_check(&head, r.auth, &verdict);
    assert_int_equal(verdict.status, 101);
    assert_true(verdict.offered_wsp_1);
    assert_int_equal(handshake_accept_write(&verdict, true, out, sizeof(out), &len), WSP_OK);
    assert_example("server: upgrade", answer, slice_of(out, len));
    in = answer;
    assert_int_equal(http1_response_parse(&in, &head), WSP_OK);
    assert_int_equal(handshake_response_check(&head, KEY, true, &dialect, error, sizeof(error)),
                     WSP_OK);
    assert_int_equal(dialect, HANDSHAKE_WSP_1);
}

/* ---- the conversation */

struct end {
    struct chan ch;
    struct slice out; /* what it sends still */
    enum chan_then then;
    size_t got;
    unsigned opened, closed;
    enum chan_end how;
    char text[64]; /* of opened or closed */
};

struct side {
    struct link link;
    struct link_ops ops;
    struct end end[ENDS];
    size_t ends;
    bool mute; /* the next one asked for is a registration */
    struct buf tx;
    struct buf message; /* the last one taken from tx */
};

static struct pool pool;

static struct end *end_of(struct chan *ch)
{
    return container_of(ch, struct end, ch);
}

static void on_opened(struct chan *ch, struct slice bound)
{
    end_of(ch)->opened++;
    snprintf(end_of(ch)->text, sizeof(end_of(ch)->text), "%.*s", SLICE_FMT(bound));
}

static void on_closed(struct chan *ch, enum chan_end how, struct slice text)
{
    end_of(ch)->closed++;
    end_of(ch)->how = how;
    snprintf(end_of(ch)->text, sizeof(end_of(ch)->text), "%.*s", SLICE_FMT(text));
}

static size_t on_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    (void)data;
    end_of(ch)->got += len;
    return len;
}

static struct chan_pull on_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct end *e = end_of(ch);
    size_t n = e->out.len < cap ? e->out.len : cap;

    if (n) {
        memcpy(out, e->out.p, n);
        slice_advance(&e->out, n);
    }
    return (struct chan_pull){n, e->out.len ? CHAN_THEN_MORE : e->then};
}

static void on_finished(struct chan *ch)
{
    (void)ch;
}

static const struct chan_ops end_ops = {.opened = on_opened,
                                        .closed = on_closed,
                                        .deliver = on_deliver,
                                        .pull = on_pull,
                                        .finished = on_finished};

static struct end *new_end(struct side *s)
{
    struct end *e = &s->end[s->ends++];

    assert_true(s->ends <= ENDS);
    chan_init(&e->ch, &end_ops);
    e->then = CHAN_THEN_IDLE;
    e->ch.mute = s->mute;
    return e;
}

static void on_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    struct side *s = container_of(l, struct side, link);
    struct end *e = new_end(s);

    snprintf(e->text, sizeof(e->text), "%.*s", SLICE_FMT(request->url));
    assert_int_equal(link_adopt(l, &e->ch, id), WSP_OK);
}

static void on_wake(struct link *l)
{
    (void)l;
}

static uint64_t on_acked(struct link *l)
{
    return l->out_sent;
}

/* The mask of the document, over and over. */
static void on_random(void *out, size_t len)
{
    static const uint8_t mask[] = {0x37, 0xfa, 0x21, 0x3d};

    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = mask[i % sizeof(mask)];
}

static void start(struct side *s, bool server)
{
    struct link_options opt = {.server = server,
                               .name = server ? "server" : "client",
                               .ops = &s->ops,
                               .pool = &pool,
                               .max_channels = ENDS,
                               .dialect = server ? LINK_EITHER : LINK_WSP_1,
                               .memory_max = server ? 257 * 1024 * 1024 : 0,
                               .ping_us = 25000000,
                               .dead_us = 60000000,
                               .probe_us = 75000000};

    *s = (struct side){0};
    s->ops = (struct link_ops){
        .connect = on_connect, .wake = on_wake, .acked = on_acked, .random = on_random};
    for (uint8_t i = 0; i < MSG_INSTANCE_LEN; i++)
        opt.instance[i] = (uint8_t)(server ? 0 : 0xa0 + i);
    assert_int_equal(link_init(&s->link, &opt, 1000000), WSP_OK);
}

static void stop(struct side *s)
{
    link_fini(&s->link);
    buf_fini(&s->tx);
    buf_fini(&s->message);
}

static void hear(struct side *s, struct slice frame)
{
    uint8_t *data = malloc(frame.len);
    size_t used;

    assert_non_null(data);
    memcpy(data, frame.p, frame.len);
    assert_int_equal(link_input(&s->link, data, frame.len, &used, 1000000), WSP_OK);
    assert_int_equal(used, frame.len);
    free(data);
}

static void take_output(struct side *s)
{
    struct iovec iov;

    link_fill(&s->link);
    while (link_iov(&s->link, &iov, 1)) {
        assert_int_equal(buf_append(&s->tx, iov.iov_base, iov.iov_len), WSP_OK);
        link_sent(&s->link, iov.iov_len);
        link_fill(&s->link);
    }
}

/* The next frame of `from`; its payload is left unmasked in from->message. */
static struct ws_frame next_frame(struct side *from)
{
    struct ws_frame f = {0};
    struct slice in;

    take_output(from);
    in = buf_slice(&from->tx);
    assert_int_equal(ws_frame_parse(&in, &f), WSP_OK);
    assert_true(f.len <= in.len && f.masked == !from->link.opt.server);
    buf_consume(&from->message, from->message.len);
    assert_int_equal(buf_append(&from->message, in.p, (size_t)f.len), WSP_OK);
    ws_mask(buf_tail(&from->message) - f.len, (size_t)f.len, f.mask, 0);
    return f;
}

/* Takes the frame that next_frame showed, and lets the other hear it with `payload`. */
static void pass_frame(struct side *from, struct side *to, const struct ws_frame *f,
                       struct slice payload)
{
    struct buf frame = {0};

    buf_consume(&from->tx, ws_frame_header_len(f->len, f->masked) + (size_t)f->len);
    wire_frame(&frame, f->masked, true, f->op, payload);
    hear(to, buf_slice(&frame));
    buf_fini(&frame);
}

/* The next thing `from` says is the example, which `to` hears. */
static void says(struct side *from, struct side *to, const char *label)
{
    struct slice want = the_example(label);
    struct ws_frame f = next_frame(from);

    assert_int_equal(f.op, WS_BINARY);
    assert_example(label, want, buf_slice(&from->message));
    pass_frame(from, to, &f, want);
}

/* What `from` says next is not in the document. */
static void pass(struct side *from, struct side *to)
{
    struct ws_frame f = next_frame(from);

    pass_frame(from, to, &f, buf_slice(&from->message));
}

/* What the document does not show goes on until both are silent. */
static void go_on(struct side *a, struct side *b)
{
    for (struct side *from = a, *to = b;;) {
        struct side *swap = from;

        take_output(from);
        if (from->tx.len == 0)
            return;
        while (from->tx.len)
            pass(from, to);
        from = to;
        to = swap;
    }
}

static struct end *open_url(struct side *s, enum msg_type type, const char *url)
{
    struct msg_request request = {.type = (int32_t)type, .url = slice_str(url)};
    struct end *e = new_end(s);

    assert_int_equal(link_open(&s->link, &e->ch, &request), WSP_OK);
    return e;
}

static struct end *newest(struct side *s)
{
    return &s->end[s->ends - 1];
}

static void settle(struct side *client, struct side *server)
{
    says(client, server, "client: SETTINGS");
    assert_int_equal(next_frame(client).op, WS_PING);
    says(server, client, "server: SETTINGS");
    assert_memory_equal(client->link.peer.instance, server->link.opt.instance, MSG_INSTANCE_LEN);
    assert_memory_equal(server->link.peer.instance, client->link.opt.instance, MSG_INSTANCE_LEN);
    assert_int_equal(client->link.peer.window, 16384);
    assert_int_equal(server->link.peer.transfer, 32768);
    go_on(server, client);
}

/* A connection of the forward proxy: opened, used, ended by both. */
static void converse(struct side *client, struct side *server)
{
    static const char framed[] = "client: TRANSFER 1 as a WebSocket frame";
    static const uint8_t bulk[MSG_DATA_MAX];
    struct end *c = open_url(client, MSG_DYNAMIC, "socks5://example.com:80"), *s;

    says(client, server, "client: CONNECT 1");
    s = newest(server);
    assert_string_equal(s->text, "socks5://example.com:80");
    assert_int_equal(s->ch.credit, 262144);
    chan_accept(&s->ch, slice_str("192.0.2.7:40000"));
    says(server, client, "server: RESPOND 1, SUCCESS");
    assert_int_equal(c->ch.credit, 65536);
    assert_string_equal(c->text, "192.0.2.7:40000");

    c->out = slice_str("hello\n");
    chan_ready(&c->ch);
    take_output(client);
    assert_example(framed, the_example(framed), buf_slice(&client->tx));
    says(client, server, "client: TRANSFER 1");
    assert_int_equal(s->got, 6);

    c->out = slice_of(bulk, sizeof(bulk));
    c->then = CHAN_THEN_END;
    chan_ready(&c->ch);
    pass(client, server);
    assert_int_equal(c->ch.credit, 65536 - 32774);
    says(server, client, "server: WINDOW 1");
    assert_int_equal(c->ch.credit, 65536);
    says(client, server, "client: FINISH 1");
    assert_int_equal(s->ch.state, CHAN_HEARD);
    chan_finish(&s->ch);
    says(server, client, "server: FINISH 1");
    assert_int_equal(s->how, CHAN_END_SENT);
    assert_int_equal(c->how, CHAN_END_PEER);
}

static void be_refused(struct side *client, struct side *server)
{
    struct end *c = open_url(client, MSG_DYNAMIC, "socks5://192.0.2.1:80");

    pass(client, server);
    chan_refuse(&newest(server)->ch, slice_str("dial tcp 192.0.2.1:80: i/o timeout"));
    says(server, client, "server: RESPOND 3, FAILED");
    assert_int_equal(c->how, CHAN_END_FAILED);
    assert_string_equal(c->text, "dial tcp 192.0.2.1:80: i/o timeout");
}

/* A name is registered, used from elsewhere, and taken back. */
static void serve(struct side *client, struct side *server)
{
    struct end *name, *held, *s;

    client->mute = server->mute = true;
    name = open_url(client, MSG_REMOTE, "tcp://ssh:pw@192.168.1.200:22");
    says(client, server, "client: CONNECT 5, a registration");
    held = newest(server);
    assert_string_equal(held->text, "tcp://ssh:pw@192.168.1.200:22");
    chan_accept(&held->ch, NOTHING);
    says(server, client, "server: RESPOND 5, SUCCESS");
    assert_int_equal(name->opened, 1);

    client->mute = server->mute = false;
    s = open_url(server, MSG_LOCAL, "tcp://ssh:pw@localhost:0");
    says(server, client, "server: CONNECT 2");
    assert_string_equal(newest(client)->text, "tcp://ssh:pw@localhost:0");
    chan_accept(&newest(client)->ch, NOTHING);
    says(client, server, "client: RESPOND 2, SUCCESS");
    assert_int_equal(s->ch.credit, 262144);
    s->then = CHAN_THEN_CLOSE;
    chan_ready(&s->ch);
    says(server, client, "server: INTERRUPT 2, CLOSED");
    assert_int_equal(newest(client)->how, CHAN_END_PEER);

    s = open_url(server, MSG_LOCAL, "tcp://ssh:pw@localhost:0");
    pass(server, client);
    chan_accept(&newest(client)->ch, NOTHING);
    pass(client, server);
    chan_reset(&newest(client)->ch);
    says(client, server, "client: INTERRUPT 4, RESET");
    assert_int_equal(s->how, CHAN_END_PEER_RESET);

    chan_withdraw(&held->ch);
    says(server, client, "server: INTERRUPT 5, WITHDRAWN");
    assert_int_equal(name->how, CHAN_END_PEER_RESET);
}

/* GOAWAY crosses an open. */
static void part(struct side *client, struct side *server)
{
    struct end *c = open_url(client, MSG_DYNAMIC, "socks5://example.com:80");

    link_goaway(&server->link);
    says(server, client, "server: GOAWAY");
    assert_false(link_takes_opens(&client->link));
    pass(client, server);
    says(server, client, "server: RESPOND 7, FAILED");
    assert_string_equal(c->text, "goaway");
}

static void test_conversation(void **state)
{
    struct side client, server;

    (void)state;
    pool_init(&pool, 2);
    start(&client, false);
    start(&server, true);
    settle(&client, &server);
    converse(&client, &server);
    be_refused(&client, &server);
    serve(&client, &server);
    part(&client, &server);
    take_output(&client);
    take_output(&server);
    assert_int_equal(client.tx.len + server.tx.len, 0);
    stop(&client);
    stop(&server);
    assert_int_equal(pool_used(&pool), 0);
    pool_fini(&pool);
}

static void test_all_examples_were_used(void **state)
{
    (void)state;
    assert_int_equal(examples, EXAMPLES);
    for (size_t i = 0; i < examples; i++)
        if (!example[i].used)
            fail_msg("nothing says \"%s\"", example[i].label);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),
        cmocka_unit_test(test_conversation),
        cmocka_unit_test(test_all_examples_were_used),
    };

    return cmocka_run_group_tests(tests, read_document, NULL);
}
