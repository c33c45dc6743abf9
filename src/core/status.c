#include "core/status.h"

#include "core/dialect.h"

void link_totals_add(struct link_totals *t, const struct link *l)
{
    t->links++;
    t->opened += l->opened;
    t->refused += l->refused;
    t->in += l->in_total;
    t->out += l->out_sent;
}

void link_totals_write(const struct link_totals *t, struct json_out *j)
{
    json_out_uint(j, "links", t->links);
    json_out_uint(j, "channels_opened", t->opened);
    json_out_uint(j, "channels_refused", t->refused);
    json_out_uint(j, "bytes_in", t->in);
    json_out_uint(j, "bytes_out", t->out);
}

static struct chan *chan_of(struct map_node *n)
{
    return container_of(n, struct chan, node);
}

struct link_usage link_usage(const struct link *l)
{
    struct link_usage usage = {0};

    for (struct map_node *n = NULL; (n = map_next(&l->channels, n));) {
        const struct chan *ch = chan_of(n);

        usage.channels += !ch->mute;
        usage.held_bytes += ch->held.bytes;
    }
    return usage;
}

void link_status_write(const struct link *l, struct json_out *j, uint64_t now)
{
    struct link_usage usage = link_usage(l);

    json_out_text(j, "dialect", l->dialect->name);
    json_out_seconds(j, "age_s", now - l->began_us);
    json_out_seconds(j, "silent_s", now - l->last_rx_us);
    if (link_rtt_us(l))
        json_out_millis(j, "rtt_ms", link_rtt_us(l));
    else
        json_out_null(j, "rtt_ms");
    json_out_uint(j, "channels", usage.channels);
    json_out_uint(j, "channels_opened", l->opened);
    json_out_uint(j, "channels_refused", l->refused);
    json_out_uint(j, "bytes_in", l->in_total);
    json_out_uint(j, "bytes_out", l->out_sent);
    json_out_uint(j, "queued_bytes", l->out.bytes);
    json_out_uint(j, "held_bytes", usage.held_bytes);
    json_out_uint(j, "reserved_bytes", l->cap.used);
    json_out_bool(j, "held_up", l->blocked != NULL);
    json_out_bool(j, "leaving", l->going || l->peer_going);
}

static void channel_write(const struct chan *ch, struct json_out *j)
{
    json_out_object(j, NULL);
    json_out_text(j, "link", ch->link->name);
    json_out_string(j, "id", ch->node.key);
    json_out_text(j, "state", chan_state_name(ch->state));
    json_out_uint(j, "bytes_in", ch->received);
    json_out_uint(j, "bytes_out", ch->sent);
    json_out_uint(j, "held_bytes", ch->held.bytes);
    json_out_uint(j, "reserved_bytes", ch->window.size);
    if (ch->link->dialect->windows)
        json_out_uint(j, "credit_bytes", ch->credit);
    else
        json_out_null(j, "credit_bytes");
    json_out_end_object(j);
}

void channels_status_write(const struct link *l, struct json_out *j, size_t *room)
{
    for (struct map_node *n = NULL; *room && (n = map_next(&l->channels, n));) {
        if (chan_of(n)->mute)
            continue;
        channel_write(chan_of(n), j);
        (*room)--;
    }
}

static size_t bytes_of(size_t blocks, size_t pieces)
{
    return blocks * BLOCK_BYTES + pieces * PIECE_BYTES;
}

void memory_status_write(const struct pool *pool, const struct credit_cap *cap, struct json_out *j)
{
    json_out_object(j, "memory");
    json_out_uint(j, "buffers_bytes", bytes_of(pool->blocks.used, pool->pieces.used));
    json_out_uint(j, "spare_bytes", bytes_of(pool->blocks.idle, pool->pieces.idle));
    json_out_uint(j, "reserved_bytes", cap->used);
    json_out_uint(j, "limit_bytes", cap->max);
    json_out_end_object(j);
}
