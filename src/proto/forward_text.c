#include "proto/forward_text.h"

static const char hex_upper[] = "0123456789ABCDEF";

/* Bytes that stay unescaped beside letters and digits. */
static const char *const unescaped[] = {
    [FORWARD_USER] = "-_.~$&+,;=",
    [FORWARD_HOST] = "-_.~!$&'()*+,;=:[]<>\"",
    [FORWARD_ZONE] = "-_.~!$&'()*+,;=:[]<>\"",
    [FORWARD_PATH] = "-_.~$&+,/:;=@",
    [FORWARD_QUERY] = "-_.~",
    [FORWARD_FRAGMENT] = "-_.~$&+,/:;=?@!()*",
};

void forward_put(struct forward_text *t, uint8_t c)
{
    if (t->len < t->cap)
        t->p[t->len++] = (char)c;
    else
        t->cut = true;
}

void forward_add(struct forward_text *t, struct slice s)
{
    size_t n = s.len;

    if (n > t->cap - t->len) {
        n = t->cap - t->len;
        t->cut = true;
    }
    if (n)
        memcpy(t->p + t->len, s.p, n);
    t->len += n;
}

void forward_add_str(struct forward_text *t, const char *s)
{
    forward_add(t, slice_str(s));
}

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(uint8_t c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

static bool must_escape(uint8_t c, enum forward_part part)
{
    return !is_alnum(c) && !is_one_of(c, unescaped[part]);
}

static void add_escaped_byte(struct forward_text *t, uint8_t c, enum forward_part part)
{
    if (!must_escape(c, part)) {
        forward_put(t, c);
        return;
    }
    forward_put(t, '%');
    forward_put(t, (uint8_t)hex_upper[c >> 4]);
    forward_put(t, (uint8_t)hex_upper[c & 15]);
}

void forward_add_escaped(struct forward_text *t, struct slice s, enum forward_part part)
{
    for (size_t i = 0; i < s.len; i++)
        add_escaped_byte(t, s.p[i], part);
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int fail(struct forward_fault *fault, const char *prefix, struct slice token,
                const char *suffix)
{
    *fault = (struct forward_fault){.prefix = prefix, .token = token, .suffix = suffix};
    return -1;
}

/* A host may escape only '%' and bytes that aren't ASCII; its zone also what the host couldn't
 * hold unescaped anyway, but not the other way round. */
static bool may_be_escaped(uint8_t c, enum forward_part part)
{
    if (part == FORWARD_HOST)
        return c >= 0x80 || c == '%';
    if (part == FORWARD_ZONE)
        return c == '%' || c == ' ' || !must_escape(c, FORWARD_HOST);
    return true;
}

static int take_escape(struct slice *s, enum forward_part part, struct forward_fault *fault)
{
    struct slice token = slice_of(s->p, s->len < 3 ? s->len : 3);
    int high = token.len == 3 ? hex_value(token.p[1]) : -1;
    int low = token.len == 3 ? hex_value(token.p[2]) : -1;

    if (high < 0 || low < 0 || !may_be_escaped((uint8_t)(high << 4 | low), part))
        return fail(fault, "invalid URL escape ", token, "");
    slice_advance(s, 3);
    return high << 4 | low;
}

/* Takes one decoded byte off the front of `s`; -1 with *fault set. */
static int take_byte(struct slice *s, enum forward_part part, struct forward_fault *fault)
{
    uint8_t c = s->p[0];
    bool host = part == FORWARD_HOST || part == FORWARD_ZONE;

    if (c == '%')
        return take_escape(s, part, fault);
    if (host && c < 0x80 && must_escape(c, part))
        return fail(fault, "invalid character ", slice_of(s->p, 1), " in host name");
    slice_advance(s, 1);
    return c == '+' && part == FORWARD_QUERY ? ' ' : c;
}

bool forward_add_decoded(struct forward_text *t, struct slice s, enum forward_part part,
                         struct forward_fault *fault)
{
    while (s.len) {
        int c = take_byte(&s, part, fault);
        if (c < 0)
            return false;
        forward_put(t, (uint8_t)c);
    }
    return true;
}

static bool is_normal(struct slice s, enum forward_part part)
{
    for (size_t i = 0; i < s.len; i++)
        if (must_escape(s.p[i], part) && !is_one_of(s.p[i], "!'()*[]%"))
            return false;
    return true;
}

bool forward_add_normal(struct forward_text *t, struct slice s, enum forward_part part,
                        struct forward_fault *fault)
{
    bool keep = is_normal(s, part);
    struct slice rest = s;

    while (rest.len) {
        int c = take_byte(&rest, part, fault);
        if (c < 0)
            return false;
        if (!keep)
            add_escaped_byte(t, (uint8_t)c, part);
    }
    if (keep)
        forward_add(t, s);
    return true;
}

bool forward_is_user_info(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_alnum(s.p[i]) && !is_one_of(s.p[i], "-._:~!$&'()*+,;=%@"))
            return false;
    return true;
}
