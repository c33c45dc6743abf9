/* The parts of a request target: RFC 9112 section 3.2 and RFC 3986 section 3. */
#include "proto/http1.h"

#include "proto/ip_addr.h"

#define PORT_DIGITS_MAX 5

static bool is_alpha(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_alnum(uint8_t c)
{
    return is_alpha(c) || (c >= '0' && c <= '9');
}

static bool is_one_of(uint8_t c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

/*
 * reg-name without its percent escapes: no resolver knows them, and one party might decode what
 * another compares.
 */
static bool is_reg_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_alnum(s.p[i]) && !is_one_of(s.p[i], "-._~!$&'()*+,;="))
            return false;
    return s.len > 0;
}

static bool is_ipv6(struct slice s)
{
    struct ip_addr address;

    return ip_addr_parse(s, &address) && address.is_v6;
}

/* `text` is what follows the host: nothing, or ':' and digits. */
static bool parse_port(struct slice text, int *port)
{
    uint64_t n;

    if (text.len == 0) {
        *port = -1;
        return true;
    }
    if (text.p[0] != ':' || text.len - 1 > PORT_DIGITS_MAX)
        return false;
    if (!slice_to_u64(slice_of(text.p + 1, text.len - 1), &n) || n > UINT16_MAX)
        return false;
    *port = (int)n;
    return true;
}

/* Splits `text` at the first `c`, which goes to neither part; false when there is none. */
static bool split_at(struct slice text, char c, struct slice *before, struct slice *after)
{
    const uint8_t *at = text.len ? memchr(text.p, c, text.len) : NULL;

    if (!at)
        return false;
    *before = slice_of(text.p, (size_t)(at - text.p));
    *after = slice_of(at + 1, text.len - before->len - 1);
    return true;
}

enum wsp_err http1_authority_parse(struct slice text, struct slice *host, int *port)
{
    bool bracketed = text.len > 0 && text.p[0] == '[';
    struct slice name;
    struct slice rest;
    int number;

    if (bracketed) {
        if (!split_at(slice_of(text.p + 1, text.len - 1), ']', &name, &rest) || !is_ipv6(name))
            return WSP_ERR_MALFORMED;
    } else {
        const uint8_t *colon = text.len ? memchr(text.p, ':', text.len) : NULL;

        name = slice_of(text.p, colon ? (size_t)(colon - text.p) : text.len);
        if (!is_reg_name(name))
            return WSP_ERR_MALFORMED;
        rest = slice_of(name.p + name.len, text.len - name.len);
    }
    if (!parse_port(rest, &number))
        return WSP_ERR_MALFORMED;
    *host = name;
    *port = number;
    return WSP_OK;
}

/* RFC 3986 section 3.1. */
static bool is_scheme(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_alnum(s.p[i]) && !is_one_of(s.p[i], "+-."))
            return false;
    return s.len > 0 && is_alpha(s.p[0]);
}

enum wsp_err http1_absolute_split(struct slice target, struct slice *scheme,
                                  struct slice *authority, struct slice *path)
{
    struct slice before;
    struct slice rest;
    size_t n = 2;

    if (!split_at(target, ':', &before, &rest) || !is_scheme(before))
        return WSP_ERR_MALFORMED;
    if (rest.len < 2 || memcmp(rest.p, "//", 2) != 0)
        return WSP_ERR_MALFORMED;
    while (n < rest.len && rest.p[n] != '/' && rest.p[n] != '?')
        n++;
    if (n == 2)
        return WSP_ERR_MALFORMED;
    *scheme = before;
    *authority = slice_of(rest.p + 2, n - 2);
    *path = slice_of(rest.p + n, rest.len - n);
    return WSP_OK;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next byte, an escape decoded; advances past it. */
static uint8_t take_decoded(struct slice *s)
{
    uint8_t c = s->p[0];

    if (c == '%' && s->len >= 3 && hex_value(s->p[1]) >= 0 && hex_value(s->p[2]) >= 0) {
        c = (uint8_t)(hex_value(s->p[1]) << 4 | hex_value(s->p[2]));
        slice_advance(s, 2);
    }
    slice_advance(s, 1);
    return c;
}

bool http1_has_dot_segment(struct slice path)
{
    size_t dots = 0;
    bool other = false;      /* the segment has more than dots */
    bool parameters = false; /* behind a ';', which some servers cut off */

    while (path.len) {
        uint8_t c = take_decoded(&path);

        if (c == '/' || c == '\\') {
            if (!other && (dots == 1 || dots == 2))
                return true;
            dots = 0;
            other = parameters = false;
        } else if (c == ';') {
            parameters = true;
        } else if (!parameters && c == '.') {
            dots++;
        } else if (!parameters) {
            other = true;
        }
    }
    return !other && (dots == 1 || dots == 2);
}
