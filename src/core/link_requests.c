/* Opening channels and answering those that want to: what is the same in both dialects. */
#include "core/dialect.h"

enum {
    ERROR_TEXT_MAX = 1024, /* bytes of a refusal's text that are sent */
    BOUND_MAX = 256,       /* no address is longer; of one that is, nothing is sent */
};

/* A window that its owner would grant us at once. */
static bool is_window(struct link *l, uint64_t window)
{
    if (!l->dialect->windows || window <= CREDIT_MAX)
        return true;
    link_fail(l, WS_CLOSE_PROTOCOL, "too much credit");
    return false;
}

/* A channel whose reader is slow to take the last bytes costs as much as an open one. */
static bool is_full(const struct link *l)
{
    return l->channels.count + l->flushing_count >= l->opt.max_channels;
}

void link_on_connect(struct link *l, const struct msg *m)
{
    struct msg_request request;
    const char *refusal = NULL;

    if (msg_request_parse(m->data, &request) != WSP_OK)
        refusal = "proto: cannot parse invalid wire-format data";
    else if (is_full(l))
        refusal = "too many channels";
    if (refusal) {
        link_refuse(l, m->id, refusal);
        return;
    }
    if (!is_window(l, request.window))
        return;
    l->connect_window = request.window ? request.window : l->peer.window;
    l->opt.ops->connect(l, m->id, &request);
}

void link_on_respond(struct link *l, struct chan *ch, const struct msg *m)
{
    struct msg_response r;

    if (msg_response_parse(m->data, &r) != WSP_OK) {
        r = (struct msg_response){.error = slice_str("undecodable response")};
        l->dialect->interrupt(l, m->id, MSG_PROTOCOL);
    }
    log_debug(l->opt.log, "%s chan %.*s: RESPOND %s%.*s", l->name, SLICE_FMT(m->id),
              r.success ? "SUCCESS" : "FAILED ", SLICE_FMT(r.error));
    if (is_window(l, r.window))
        chan_answered(ch, &r);
}

bool link_takes_opens(const struct link *l)
{
    return !l->failed && !l->peer_going;
}

static enum wsp_err enter(struct link *l, struct chan *ch, enum chan_state state)
{
    enum wsp_err err;

    if (l->failed)
        return WSP_ERR_REFUSED;
    if (is_full(l))
        return WSP_ERR_LIMIT;
    err = map_add(&l->channels, &ch->node);
    if (err != WSP_OK)
        return err;
    ch->link = l;
    if (!chan_open_window(ch)) {
        map_remove(&l->channels, &ch->node);
        ch->link = NULL;
        return WSP_ERR_LIMIT;
    }
    ch->ended = ch->told = false;
    ch->credit = l->dialect->windows ? 0 : UINT64_MAX;
    ch->mark = l->out_total;
    chan_set_state(ch, state);
    return WSP_OK;
}

enum wsp_err link_open(struct link *l, struct chan *ch, const struct msg_request *request)
{
    struct msg_request r = *request;
    uint8_t data[4096 + 64];
    size_t len;
    enum wsp_err err;

    if (!link_takes_opens(l))
        return WSP_ERR_REFUSED;
    if (l->out.bytes >= LINK_OUTPUT_MAX)
        return WSP_ERR_LIMIT; /* the peer takes nothing: asking more would only pile up */
    ch->node.key = slice_of(ch->id, l->dialect->new_id(l, ch));
    err = enter(l, ch, CHAN_OPENING);
    if (err != WSP_OK)
        return err;
    r.window = ch->window.size;
    err = msg_request_write(&r, data, sizeof(data), &len);
    if (err != WSP_OK) {
        chan_forget(ch);
        return err;
    }
    log_debug(l->opt.log, "%s chan %.*s: CONNECT sent", l->name, SLICE_FMT(ch->node.key));
    link_put(l, ch->node.key, MSG_CONNECT, slice_of(data, len));
    return WSP_OK;
}

enum wsp_err link_adopt(struct link *l, struct chan *ch, struct slice id)
{
    enum wsp_err err;

    if (id.len)
        memcpy(ch->id, id.p, id.len);
    ch->node.key = slice_of(ch->id, id.len);
    err = enter(l, ch, CHAN_ASKED);
    if (err == WSP_OK && l->dialect->windows)
        ch->credit = l->connect_window;
    return err;
}

void link_respond(struct link *l, struct slice id, const struct msg_response *response)
{
    uint8_t data[2048];
    struct msg_response r = *response;
    size_t len;

    if (!r.success)
        l->refused++;
    if (r.error.len > ERROR_TEXT_MAX)
        r.error.len = ERROR_TEXT_MAX;
    while (r.error.len && !slice_is_utf8(r.error))
        r.error.len--; /* a proto3 string must be UTF-8 */
    if (r.bound.len > BOUND_MAX)
        r.bound.len = 0;
    if (msg_response_write(&r, data, sizeof(data), &len) != WSP_OK)
        return;
    log_debug(l->opt.log, "%s chan %.*s: RESPOND %s%.*s sent", l->name, SLICE_FMT(id),
              r.success ? "SUCCESS" : "FAILED ", SLICE_FMT(r.error));
    link_put(l, id, MSG_RESPOND, slice_of(data, len));
}

void link_refuse(struct link *l, struct slice id, const char *text)
{
    struct msg_response failed = {.success = false, .error = slice_str(text)};

    link_respond(l, id, &failed);
}
