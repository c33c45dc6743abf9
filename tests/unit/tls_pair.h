/*
 * Two secured streams over one connection, in a loop; include it behind cmocka.h. Both follow the
 * rules of net/stream.h for its users: read and write while a flag is set, then wait for an event.
 */
#ifndef TESTS_UNIT_TLS_PAIR_H
#define TESTS_UNIT_TLS_PAIR_H

#include "net/stream.h"
#include "net/tls_context_parts.h"
#include "net/tls_server.h"
#include "net/tls_stream.h"
#include "unit/net_help.h"
#include "unit/tls_certs.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define HOST "server.test"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static struct tls_context *server_tls, *client_tls; /* of all pairs */

struct tls_end {
    struct stream stream;
    bool client;
    enum wsp_err shaken; /* of a client */
    bool deaf;           /* reads nothing */
    bool one_read;       /* at each event */
    size_t piece_max;    /* bytes of a read or write at most; their number is random */
    size_t to_send;      /* of the counting sequence */
    bool ends;           /* finishes once they are sent */
    size_t sent, got;
    bool finished;
    ssize_t last; /* what a call returned that did not work: STREAM_… */
    unsigned events;
};

struct stream_pair {
    struct wsp_loop *loop;
    struct tls_end server, client;
    uint64_t rng;
};

static struct stream_pair pair;

static inline size_t pair_random(size_t below)
{
    pair.rng ^= pair.rng << 13;
    pair.rng ^= pair.rng >> 7;
    pair.rng ^= pair.rng << 17;
    return pair.rng % below;
}

static inline void end_read(struct tls_end *e)
{
    uint8_t data[100000];

    while (e->stream.readable && !e->deaf && e->last == STREAM_AGAIN) {
        size_t cap = 1 + pair_random(e->piece_max);
        ssize_t n = stream_recv(&e->stream, data, cap);

        if (n <= 0)
            e->last = n;
        for (ssize_t i = 0; i < n; i++)
            if (data[i] != pattern_at(e->got++))
                fail_msg("byte %zu is wrong", e->got - 1);
        if (n <= 0 || e->one_read)
            break;
    }
}

static inline void end_write(struct tls_end *e)
{
    uint8_t data[100000];

    while (e->stream.writable && e->sent < e->to_send && e->last != STREAM_ERROR) {
        size_t len = 1 + pair_random(e->piece_max), first;
        struct iovec iov[3] = {{data, 0}};
        ssize_t n;

        len = len < e->to_send - e->sent ? len : e->to_send - e->sent;
        first = pair_random(len + 1);
        pattern_fill(data, e->sent, len);
        iov[1] = (struct iovec){data, first};
        iov[2] = (struct iovec){data + first, len - first};
        n = stream_send(&e->stream, iov, 3);
        if (n == STREAM_ERROR)
            e->last = n;
        else if (n > 0)
            e->sent += (size_t)n;
    }
    if (e->ends && e->sent == e->to_send && !e->finished && stream_is_ready(&e->stream)) {
        e->finished = true;
        stream_finish(&e->stream);
    }
}

static inline void end_run(struct tls_end *e)
{
    if (e->client && e->shaken == WSP_ERR_MORE)
        e->shaken = stream_handshake(&e->stream);
    if (e->client && e->shaken != WSP_OK)
        return;
    end_read(e);
    if (stream_is_ready(&e->stream))
        end_write(e);
}

static inline void end_on_event(struct stream *s)
{
    struct tls_end *e = container_of(s, struct tls_end, stream);

    e->events++;
    end_run(e);
}

static inline void end_init(struct tls_end *e, bool client)
{
    *e = (struct tls_end){
        .client = client, .shaken = WSP_ERR_MORE, .piece_max = 65536, .last = STREAM_AGAIN};
    e->stream.watch.fd = -1;
    e->stream.loop = pair.loop;
}

/* Plain still; fds[0] is the server's. */
static inline void pair_start_plain(int fds[2])
{
    end_init(&pair.server, false);
    end_init(&pair.client, true);
    assert_int_equal(stream_init(&pair.server.stream, pair.loop, fds[0], end_on_event), WSP_OK);
    assert_int_equal(stream_init(&pair.client.stream, pair.loop, fds[1], end_on_event), WSP_OK);
}

static inline void pair_secure_server(void)
{
    assert_int_equal(stream_secure(&pair.server.stream, server_tls, NULL), WSP_OK);
}

static inline void pair_secure_client(void)
{
    assert_int_equal(stream_secure(&pair.client.stream, client_tls, HOST), WSP_OK);
    end_run(&pair.client);
}

/* Over TCP with buffers of about `buffer` bytes. */
static inline void pair_start(int version, int buffer)
{
    int fds[2];

    SSL_CTX_set_max_proto_version(client_tls->ctx, version);
    tcp_pair(fds, buffer);
    pair_start_plain(fds);
    pair_secure_server();
    pair_secure_client();
}

static inline bool pair_is_ready(void)
{
    return stream_is_ready(&pair.server.stream) && pair.client.shaken == WSP_OK;
}

static inline void pair_connect(int version, int buffer)
{
    pair_start(version, buffer);
    wait_for(pair.loop, -1, pair_is_ready());
    turn_until_idle(pair.loop);
}

static inline bool pair_has_all(void)
{
    return pair.server.got == pair.client.to_send && pair.client.got == pair.server.to_send;
}

/* What a test leaves behind: nothing that is borrowed from the loop. */
static inline int pair_teardown(void **state)
{
    (void)state;
    stream_reset(&pair.client.stream);
    stream_reset(&pair.server.stream);
    assert_int_equal(pool_used(loop_pool(pair.loop)), 0);
    wsp_loop_free(pair.loop);
    return 0;
}

static inline int pair_setup(void **state)
{
    (void)state;
    pair = (struct stream_pair){.loop = wsp_loop_new(), .rng = 88172645463325252u};
    assert_non_null(pair.loop);
    end_init(&pair.server, false);
    end_init(&pair.client, true);
    return 0;
}

/* ---- the contexts, and their files */

static char ca_path[] = "/tmp/test-tls-XXXXXX", cert_path[] = "/tmp/test-tls-XXXXXX",
            key_path[] = "/tmp/test-tls-XXXXXX";
static const struct tls_pair server_pair = {cert_path, key_path, NULL};
static const struct tls_server_options server_options = {.pair = &server_pair, .pair_count = 1};
static const struct tls_options client_options = {.ca_file = ca_path};

static inline int contexts_setup(void **state)
{
    struct identity ca = cert_make(&(struct cert_spec){"ca", NULL, -1, 1, true}, NULL);
    struct identity id = cert_make(&(struct cert_spec){"x", "DNS:" HOST, -1, 1, false}, &ca);
    char error[TLS_TEXT_MAX];

    (void)state;
    cert_save(&ca, ca_path);
    cert_save(&id, cert_path);
    key_save(&id, NULL, key_path);
    cert_free(&ca);
    cert_free(&id);
    server_tls = tls_server_new(&server_options, error, sizeof(error));
    client_tls = tls_context_new(&client_options, error, sizeof(error));
    return server_tls && client_tls ? 0 : -1;
}

static inline int contexts_teardown(void **state)
{
    (void)state;
    unlink(ca_path);
    unlink(cert_path);
    unlink(key_path);
    assert_int_equal(server_tls->refs, 1);
    assert_int_equal(client_tls->refs, 1);
    tls_context_unref(server_tls);
    tls_context_unref(client_tls);
    return 0;
}

#endif
