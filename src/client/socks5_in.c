#include "client/socks5_in.h"

#include <stdlib.h>
#include <unistd.h>

#include "client/proxy_listener.h"
#include "client/tunnel.h"

enum { INPUT_MAX = 4096 }; /* a request, and what a client sends behind it without waiting */

enum socks5_state { SOCKS5_GREETING, SOCKS5_AUTH, SOCKS5_REQUEST };

struct socks5_in {
    struct session_user user;
    struct proxy_listener *listener;
    struct stream stream;
    struct timer timer; /* for the whole dialogue */
    enum socks5_state state;
    size_t len;
    uint8_t in[INPUT_MAX];
};

/* Without the stream and the place in the listener. */
static void forget(struct socks5_in *c)
{
    timer_clear(c->stream.loop, &c->timer);
    session_leave(&c->user);
    free(c);
}

static void end(struct socks5_in *c)
{
    stream_linger(&c->stream);
    proxy_listener_release(c->listener);
    forget(c);
}

static void on_session_end(struct session_user *u)
{
    end(container_of(u, struct socks5_in, user));
}

static void on_timer(struct timer *t)
{
    end(container_of(t, struct socks5_in, timer));
}

/* False when not all of it went out: then nothing more may be said. */
static bool say(struct socks5_in *c, const void *bytes, size_t len)
{
    struct iovec iov = {(void *)bytes, len};

    return stream_send(&c->stream, &iov, 1) == (ssize_t)len;
}

static size_t word_answer(enum failure f, struct slice bound, uint8_t out[TUNNEL_ANSWER_MAX])
{
    return socks5_reply_write(failure_socks5(f), bound, out);
}

static enum wsp_err on_greeting(struct socks5_in *c, struct slice *in)
{
    struct socks5_greeting g;
    enum wsp_err err = socks5_greeting_parse(in, &g);
    bool need_auth = c->listener->session->config->dynamic_user != NULL;
    enum socks5_method method = SOCKS5_NONE_ACCEPTABLE;
    uint8_t out[2];

    if (err != WSP_OK)
        return err;
    if (need_auth && g.user_pass)
        method = SOCKS5_USER_PASS;
    else if (!need_auth && g.no_auth)
        method = SOCKS5_NO_AUTH;
    socks5_method_write(method, out);
    c->state = need_auth ? SOCKS5_AUTH : SOCKS5_REQUEST;
    if (!say(c, out, sizeof(out)) || method == SOCKS5_NONE_ACCEPTABLE)
        return WSP_ERR_REFUSED;
    return WSP_OK;
}

static enum wsp_err on_auth(struct socks5_in *c, struct slice *in)
{
    const struct wspc_client *config = c->listener->session->config;
    struct socks5_auth a;
    enum wsp_err err = socks5_auth_parse(in, &a);
    uint8_t out[2];
    bool user_ok, ok;

    if (err != WSP_OK)
        return err;
    if (!config->dynamic_user) /* no more: a reload has come in between */
        return WSP_ERR_REFUSED;
    user_ok = slice_eq_secret(a.user, slice_str(config->dynamic_user));
    ok = slice_eq_secret(a.password, slice_str(config->dynamic_password)) && user_ok;
    socks5_auth_status_write(ok, out);
    c->state = SOCKS5_REQUEST;
    return say(c, out, sizeof(out)) && ok ? WSP_OK : WSP_ERR_REFUSED;
}

/* WSP_OK: the connection is a tunnel now, or answered and closed; `c` is gone. */
static enum wsp_err on_request(struct socks5_in *c, struct slice *in)
{
    struct socks5_request r;
    enum wsp_err err = socks5_request_parse(in, &r);
    uint8_t out[SOCKS5_REPLY_MAX];
    struct tunnel_start start;

    if (err != WSP_OK)
        return err;
    if (r.reply != SOCKS5_SUCCEEDED) {
        say(c, out, socks5_reply_write(r.reply, slice_of(NULL, 0), out));
        return WSP_ERR_REFUSED;
    }
    start = (struct tunnel_start){
        .session = c->listener->session,
        .owner = &c->listener->owner,
        .to = proxy_listener_target(c->listener, "socks5", slice_str(r.host), r.port),
        .stream = &c->stream,
        .early = *in,
        .answer = word_answer};
    tunnel_open(&start);
    forget(c);
    return WSP_OK;
}

static enum wsp_err step(struct socks5_in *c, struct slice *in)
{
    switch (c->state) {
    case SOCKS5_GREETING:
        return on_greeting(c, in);
    case SOCKS5_AUTH:
        return on_auth(c, in);
    case SOCKS5_REQUEST:
        break;
    }
    return WSP_ERR_MORE;
}

/* A client that does not speak SOCKS5 gets a word of it all the same. */
static void say_malformed(struct socks5_in *c)
{
    uint8_t out[SOCKS5_REPLY_MAX];

    if (c->state == SOCKS5_GREETING) {
        socks5_method_write(SOCKS5_NONE_ACCEPTABLE, out);
        say(c, out, 2);
    } else if (c->state == SOCKS5_REQUEST) {
        say(c, out, socks5_reply_write(SOCKS5_GENERAL_FAILURE, slice_of(NULL, 0), out));
    }
}

/* False when the connection is gone. */
static bool consume(struct socks5_in *c)
{
    struct slice in = slice_of(c->in, c->len);
    enum wsp_err err = WSP_OK;

    while (c->state != SOCKS5_REQUEST && err == WSP_OK)
        err = step(c, &in);
    if (c->state == SOCKS5_REQUEST && err == WSP_OK) {
        err = on_request(c, &in);
        if (err == WSP_OK)
            return false;
    }
    if (err != WSP_ERR_MORE) {
        if (err == WSP_ERR_MALFORMED)
            say_malformed(c);
        end(c);
        return false;
    }
    memmove(c->in, in.p, in.len);
    c->len = in.len;
    return true;
}

static void on_event(struct stream *s)
{
    struct socks5_in *c = container_of(s, struct socks5_in, stream);

    while (s->readable) {
        ssize_t n = stream_recv(s, c->in + c->len, sizeof(c->in) - c->len);

        if (n == STREAM_AGAIN)
            return;
        if (n <= 0) {
            end(c);
            return;
        }
        c->len += (size_t)n;
        if (!consume(c))
            return;
    }
}

void socks5_in_accept(struct proxy_listener *p, int fd)
{
    struct wsp_loop *loop = p->session->client->loop;
    struct socks5_in *c = calloc(1, sizeof(*c));

    if (!c) {
        close(fd);
        proxy_listener_release(p);
        return;
    }
    c->listener = p;
    c->timer.fire = on_timer;
    session_join(p->session, &c->user, on_session_end);
    c->user.drain = on_session_end; /* it has asked for nothing yet */
    if (stream_init(&c->stream, loop, fd, on_event) != WSP_OK ||
        timer_set(loop, &c->timer,
                  loop_now(loop) + p->session->client->config->time.handshake_us) != WSP_OK)
        end(c);
}
