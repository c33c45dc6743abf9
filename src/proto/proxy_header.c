#include "proto/proxy_header.h"

#include <arpa/inet.h>
#include <stdio.h>

enum {
    V2_FIXED = 16, /* bytes ahead of the addresses of version 2 */
    V2_LOCAL = 0x20,
    V2_PROXY = 0x21,
    V2_UNSPEC = 0x00,
    V2_TCP4 = 0x11,
    V2_TCP6 = 0x21,
    FAMILY_MAX = 3, /* UNIX */
    KIND_MAX = 2,   /* datagrams */
};

static const uint8_t v1_start[] = "PROXY ";
static const uint8_t v2_start[] = "\r\n\r\n\0\r\nQUIT\n";

/* The first bytes of `in` are those of `start`, of which it may have only a part. */
static bool begins(struct slice in, const uint8_t *start, size_t len)
{
    return memcmp(in.p, start, in.len < len ? in.len : len) == 0;
}

/* How long the line is, its CRLF included. It begins as v1_start does. */
static enum wsp_err find_line(struct slice in, size_t *len)
{
    size_t max = in.len < PROXY_WRITE_MAX ? in.len : PROXY_WRITE_MAX;

    for (size_t i = 0; i < max; i++) {
        if (in.p[i] == '\n' && in.p[i - 1] == '\r') {
            *len = i + 1;
            return WSP_OK;
        }
        if (in.p[i] == '\n' || (in.p[i] == '\r' && i + 1 < max && in.p[i + 1] != '\n'))
            return WSP_ERR_MALFORMED;
    }
    return in.len < PROXY_WRITE_MAX ? WSP_ERR_MORE : WSP_ERR_MALFORMED;
}

/* Cuts off what stands before the first space, or all; the space goes to neither. */
static struct slice cut_word(struct slice *line)
{
    const uint8_t *space = line->len ? memchr(line->p, ' ', line->len) : NULL;
    struct slice word = slice_of(line->p, space ? (size_t)(space - line->p) : line->len);

    slice_advance(line, word.len + (space ? 1 : 0));
    return word;
}

static bool parse_port(struct slice word, uint16_t *out)
{
    uint64_t n;

    if (!slice_to_u64(word, &n) || n > UINT16_MAX || (word.len > 1 && word.p[0] == '0'))
        return false;
    *out = (uint16_t)n;
    return true;
}

/* "TCP4 192.0.2.1 192.0.2.9 56324 443", or TCP6, or UNKNOWN and anything. */
static bool parse_line(struct slice line, struct proxy_header *h)
{
    struct slice kind = cut_word(&line);
    bool v6 = slice_eq_str(kind, "TCP6");
    struct slice from, to, from_port, to_port;

    if (slice_eq_str(kind, "UNKNOWN"))
        return true;
    from = cut_word(&line);
    to = cut_word(&line);
    from_port = cut_word(&line);
    to_port = line; /* a further space is no digit */
    h->known = true;
    return (v6 || slice_eq_str(kind, "TCP4")) && ip_addr_parse(from, &h->from.ip) &&
           ip_addr_parse(to, &h->to.ip) && h->from.ip.is_v6 == v6 && h->to.ip.is_v6 == v6 &&
           parse_port(from_port, &h->from.port) && parse_port(to_port, &h->to.port);
}

static enum wsp_err parse_v1(struct slice in, struct proxy_header *h, size_t *len)
{
    enum wsp_err err = find_line(in, len);
    struct slice line = in;

    if (err != WSP_OK)
        return err;
    line.len = *len - strlen("\r\n");
    slice_advance(&line, sizeof(v1_start) - 1);
    return parse_line(line, h) ? WSP_OK : WSP_ERR_MALFORMED;
}

static void take_address(const uint8_t *p, bool v6, struct ip_addr *out)
{
    out->is_v6 = v6;
    memcpy(out->bytes, p, v6 ? 16 : 4);
}

static uint16_t read_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* The block of addresses; false when there is less of it than the family has. */
static bool take_block(struct slice block, bool v6, struct proxy_header *h)
{
    size_t len = v6 ? 16 : 4;

    if (block.len < 2 * len + 4)
        return false;
    h->known = true;
    take_address(block.p, v6, &h->from.ip);
    take_address(block.p + len, v6, &h->to.ip);
    h->from.port = read_u16(block.p + 2 * len);
    h->to.port = read_u16(block.p + 2 * len + 2);
    return true;
}

/* What the first 14 bytes can be wrong in. */
static bool v2_is_valid(struct slice in)
{
    uint8_t command = in.len > 12 ? in.p[12] : V2_LOCAL;
    uint8_t family = in.len > 13 ? in.p[13] : V2_UNSPEC;

    if (command == V2_LOCAL)
        return true;
    return command == V2_PROXY && family >> 4 <= FAMILY_MAX && (family & 0x0f) <= KIND_MAX;
}

static enum wsp_err parse_v2(struct slice in, struct proxy_header *h, size_t *len)
{
    struct slice block;

    if (!v2_is_valid(in))
        return WSP_ERR_MALFORMED;
    if (in.len < V2_FIXED)
        return WSP_ERR_MORE;
    *len = (size_t)V2_FIXED + read_u16(in.p + 14);
    if (*len > PROXY_HEADER_MAX)
        return WSP_ERR_LIMIT;
    if (in.len < *len)
        return WSP_ERR_MORE;
    block = slice_of(in.p + V2_FIXED, *len - V2_FIXED);
    if (in.p[12] == V2_LOCAL || (in.p[13] != V2_TCP4 && in.p[13] != V2_TCP6))
        return WSP_OK;
    return take_block(block, in.p[13] == V2_TCP6, h) ? WSP_OK : WSP_ERR_MALFORMED;
}

enum wsp_err proxy_header_parse(struct slice *in, struct proxy_header *h)
{
    struct proxy_header got = {0};
    enum wsp_err err;
    size_t len;

    if (in->len == 0)
        return WSP_ERR_MORE;
    if (begins(*in, v1_start, sizeof(v1_start) - 1))
        err = parse_v1(*in, &got, &len);
    else if (begins(*in, v2_start, sizeof(v2_start) - 1))
        err = parse_v2(*in, &got, &len);
    else
        err = WSP_ERR_MALFORMED;
    if (err != WSP_OK)
        return err;
    slice_advance(in, len);
    *h = got;
    return WSP_OK;
}

/* As groups of hexadecimal digits only: a mapped address has no dots here. */
static void ip_text(const struct ip_addr *ip, char out[INET6_ADDRSTRLEN])
{
    const uint8_t *last = ip->bytes + 12;
    char *dotted;

    inet_ntop(ip->is_v6 ? AF_INET6 : AF_INET, ip->bytes, out, INET6_ADDRSTRLEN);
    dotted = ip->is_v6 && strchr(out, '.') ? strrchr(out, ':') + 1 : NULL;
    if (dotted)
        snprintf(dotted, sizeof("ffff:ffff"), "%x:%x", read_u16(last), read_u16(last + 2));
}

static size_t write_v1(const struct proxy_header *h, uint8_t out[PROXY_WRITE_MAX])
{
    char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN], line[2 * PROXY_WRITE_MAX];
    int len;

    if (h->known) {
        ip_text(&h->from.ip, from);
        ip_text(&h->to.ip, to);
        len = snprintf(line, sizeof(line), "PROXY TCP%c %s %s %u %u\r\n",
                       h->from.ip.is_v6 ? '6' : '4', from, to, h->from.port, h->to.port);
    } else {
        len = snprintf(line, sizeof(line), "PROXY UNKNOWN\r\n");
    }
    memcpy(out, line, (size_t)len);
    return (size_t)len;
}

static uint8_t *put(uint8_t *to, const void *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}

static uint8_t *put_u16(uint8_t *to, size_t n)
{
    const uint8_t bytes[] = {(uint8_t)(n >> 8), (uint8_t)n};

    return put(to, bytes, sizeof(bytes));
}

static size_t write_v2(const struct proxy_header *h, uint8_t out[PROXY_WRITE_MAX])
{
    size_t len = h->from.ip.is_v6 ? 16 : 4;
    uint8_t *end = put(out, v2_start, sizeof(v2_start) - 1);

    *end++ = V2_PROXY;
    if (!h->known) {
        *end++ = V2_UNSPEC;
        end = put_u16(end, 0);
    } else {
        *end++ = h->from.ip.is_v6 ? V2_TCP6 : V2_TCP4;
        end = put_u16(end, 2 * len + 4);
        end = put(end, h->from.ip.bytes, len);
        end = put(end, h->to.ip.bytes, len);
        end = put_u16(end, h->from.port);
        end = put_u16(end, h->to.port);
    }
    return (size_t)(end - out);
}

size_t proxy_header_write(const struct proxy_header *h, enum proxy_version version,
                          uint8_t out[PROXY_WRITE_MAX])
{
    struct proxy_header same = *h;

    same.from.ip = ip_addr_unmapped(&h->from.ip);
    same.to.ip = ip_addr_unmapped(&h->to.ip);
    if (same.from.ip.is_v6 != same.to.ip.is_v6) {
        same.from.ip = ip_addr_mapped(&same.from.ip);
        same.to.ip = ip_addr_mapped(&same.to.ip);
    }
    return version == PROXY_V1 ? write_v1(&same, out) : write_v2(&same, out);
}
