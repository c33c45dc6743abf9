#include "core/credit.h"

enum {
    GRANT_PART = 4,     /* of a window: so much is granted at a time, and may wait for the reader */
    LAST_PART = 8,      /* of the whole: with less free, a link gets no more than its share of it */
    FIRST_SHARE = 4096, /* a new channel gets this part of what is free at most */
    PARTS = 8,          /* with each of these parts in use, the most it can get is half as much */
    ROUND_MIN_US = 500, /* two round trips count as this at least: what is nearer is fast anyway */
};

/* A cap can have been lowered below what is in use. */
static size_t room(const struct credit_cap *c)
{
    return c->used < c->max ? c->max - c->used : 0;
}

bool credit_reserve(struct credit_cap *c, size_t n)
{
    if (!c)
        return true;
    if (n > room(c) || !credit_reserve(c->parent, n))
        return false;
    c->used += n;
    return true;
}

void credit_release(struct credit_cap *c, size_t n)
{
    for (; c; c = c->parent)
        c->used -= n;
}

size_t credit_free(const struct credit_cap *c)
{
    size_t least = SIZE_MAX;

    for (; c; c = c->parent)
        if (room(c) < least)
            least = room(c);
    return least;
}

bool credit_is_short(const struct credit_cap *c)
{
    for (; c; c = c->parent)
        if (c->used > c->max - c->max / 4)
            return true;
    return false;
}

static size_t parts_used(const struct credit_cap *c)
{
    size_t most = 0;

    for (; c; c = c->parent) {
        size_t parts = c->used / (c->max / PARTS + 1);

        most = parts > most ? parts : most;
    }
    return most < PARTS ? most : (size_t)PARTS;
}

/* The last part of all is for those that have little, compared with what is left: so however many
 * links take as much as they get, something is there for the next. */
static bool has_its_share(const struct credit_cap *c, size_t left)
{
    return left < c->parent->max / LAST_PART && c->used > left / 2;
}

/* Few channels get much, and thousands still find room: what is set aside for an idle one does not
 * come back. */
size_t credit_reserve_first(struct credit_cap *c)
{
    size_t first = (size_t)CREDIT_WINDOW_FIRST >> parts_used(c);
    size_t n = credit_free(c) / FIRST_SHARE;

    if (c->parent && has_its_share(c, room(c->parent)))
        return 0;
    if (n > first)
        n = first;
    n -= n % CREDIT_WINDOW_MIN;
    if (n < CREDIT_WINDOW_MIN)
        n = CREDIT_WINDOW_MIN;
    return credit_reserve(c, n) ? n : 0;
}

void credit_window_init(struct credit_window *w, size_t size, uint64_t now)
{
    *w = (struct credit_window){.size = size, .left = size, .since_us = now, .clean = true};
}

bool credit_window_use(struct credit_window *w, size_t n)
{
    if (n > w->left)
        return false;
    w->left -= n;
    w->held += n;
    return true;
}

void credit_window_take(struct credit_window *w, size_t n)
{
    w->held -= n;
    w->owed += n;
}

/* Memory is short: what would be granted is given back instead, down to the smallest window. */
static void shrink(struct credit_window *w, struct credit_cap *cap)
{
    size_t n = w->size - CREDIT_WINDOW_MIN;

    if (n > w->owed)
        n = w->owed;
    if (n > w->size / 2)
        n = w->size / 2;
    w->size -= n;
    w->owed -= n;
    credit_release(cap, n);
}

/* Sets more aside for a window, unless memory becomes short by that: it would only shrink again. */
static bool reserve_more(struct credit_cap *cap, size_t n)
{
    if (!credit_reserve(cap, n))
        return false;
    if (!credit_is_short(cap))
        return true;
    credit_release(cap, n);
    return false;
}

/* A full window has been granted: was that fast enough for a larger one? */
static void end_round(struct credit_window *w, const struct credit_terms *t)
{
    uint64_t limit_us = 2 * t->rtt_us > ROUND_MIN_US ? 2 * t->rtt_us : (uint64_t)ROUND_MIN_US;
    size_t more = t->window_max > w->size ? t->window_max - w->size : 0;

    if (more > w->size)
        more = w->size;
    if (w->clean && more && t->now - w->since_us < limit_us && reserve_more(t->cap, more)) {
        w->size += more;
        w->owed += more;
    }
    w->round = 0;
    w->since_us = t->now;
    w->clean = true;
}

size_t credit_window_grant(struct credit_window *w, const struct credit_terms *t)
{
    size_t n;

    if (w->owed < w->size / GRANT_PART) /* what stays below waits for the next round trip */
        return 0;
    if (credit_is_short(t->cap) && w->size > CREDIT_WINDOW_MIN)
        shrink(w, t->cap);
    if (t->queued > w->size / GRANT_PART)
        w->clean = false;
    w->round += w->owed;
    if (w->round >= w->size)
        end_round(w, t);
    n = w->owed;
    w->owed = 0;
    w->left += n;
    return n;
}
