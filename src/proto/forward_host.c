/* The two pieces of a host that have a grammar of their own: IPv6 addresses and ports. */
#include "proto/forward_text.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Four decimal numbers up to 255 without leading zeros. */
static bool is_ipv4(struct slice s)
{
    for (int field = 0; field < 4; field++) {
        unsigned v = 0;
        size_t n = 0;

        if (field > 0) {
            if (s.len == 0 || s.p[0] != '.')
                return false;
            slice_advance(&s, 1);
        }
        while (n < s.len && n < 3 && is_digit(s.p[n]))
            v = v * 10 + s.p[n++] - '0';
        if (n == 0 || v > 255 || (n > 1 && s.p[0] == '0'))
            return false;
        slice_advance(&s, n);
    }
    return s.len == 0;
}

static size_t group_length(struct slice s)
{
    size_t n = 0;

    while (n < s.len && is_hex(s.p[n]))
        n++;
    return n;
}

static bool take_gap(struct slice *s)
{
    if (s->len < 2 || s->p[0] != ':' || s->p[1] != ':')
        return false;
    slice_advance(s, 2);
    return true;
}

bool forward_is_ipv6(struct slice s)
{
    bool gap = take_gap(&s);
    int groups = 0;

    while (s.len && groups < 8) {
        size_t n = group_length(s);

        if (n < s.len && s.p[n] == '.')
            return (gap ? groups <= 5 : groups == 6) && is_ipv4(s);
        if (n == 0 || n > 4)
            return false;
        groups++;
        slice_advance(&s, n);
        if (s.len == 0)
            break;
        if (take_gap(&s)) {
            if (gap)
                return false;
            gap = true;
            continue;
        }
        if (s.p[0] != ':' || s.len == 1)
            return false;
        slice_advance(&s, 1);
    }
    /* "::" stands for at least one group */
    return s.len == 0 && (gap ? groups <= 7 : groups == 8);
}

bool forward_port(struct slice s, int *port)
{
    uint64_t v;

    *port = -1;
    if (s.len == 0)
        return true;
    if (s.p[0] != ':')
        return false;
    slice_advance(&s, 1);
    if (s.len == 0)
        return true;
    if (!slice_to_u64(s, &v) || v > UINT16_MAX)
        return false;
    *port = (int)v;
    return true;
}
