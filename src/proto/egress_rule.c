#include "proto/egress_rule.h"

#define PORT_MAX 65535
#define NAME_BYTES_MAX 253
#define LABEL_BYTES_MAX 63

static const uint8_t nat64_prefix[12] = {0x00, 0x64, 0xff, 0x9b};  /* 64:ff9b::/96 */
static const uint8_t sixto4_prefix[2] = {0x20, 0x02};              /* 2002::/16 */
static const struct ip_addr loopback4 = {.bytes = {127, 0, 0, 1}}; /* 127.0.0.1 */
static const struct ip_addr loopback6 = {true, {[15] = 1}};        /* ::1 */
static const struct ip_addr unspecified6 = {true, {0}};            /* :: */

/* Canonical form of the network `ip`/`bits`; an address is one with all bits. */
static void canonical(struct ip_addr *ip, unsigned *bits)
{
    struct ip_addr plain = ip_addr_unmapped(ip);

    if (ip->is_v6 && !plain.is_v6 && *bits >= 96) {
        *ip = plain;
        *bits -= 96;
    }
    if (!ip->is_v6 && ip->bytes[0] == 0 && *bits >= 8) {
        *ip = loopback4;
        *bits = 32;
    } else if (*bits == 128 && ip_addr_eq(ip, &unspecified6)) {
        *ip = loopback6;
    }
}

static struct ip_addr canonical_address(struct ip_addr ip)
{
    unsigned bits = ip.is_v6 ? 128 : 32;

    canonical(&ip, &bits);
    return ip;
}

size_t egress_forms(const struct ip_addr *ip, struct ip_addr out[EGRESS_FORMS_MAX])
{
    out[0] = canonical_address(*ip);
    if (!out[0].is_v6)
        return 1;
    if (memcmp(ip->bytes, nat64_prefix, sizeof(nat64_prefix)) == 0)
        out[1] = canonical_address(ip_addr_v4(ip->bytes + 12));
    else if (memcmp(ip->bytes, sixto4_prefix, sizeof(sixto4_prefix)) == 0)
        out[1] = canonical_address(ip_addr_v4(ip->bytes + 2));
    else
        return 1;
    return 2;
}

static bool parse_port(struct slice s, unsigned *out)
{
    uint64_t v;

    if (!slice_to_u64(s, &v) || v == 0 || v > PORT_MAX)
        return false;
    *out = (unsigned)v;
    return true;
}

/* Offset of the first `c`, or s.len. */
static size_t find(struct slice s, char c)
{
    size_t n = 0;

    while (n < s.len && s.p[n] != (uint8_t)c)
        n++;
    return n;
}

/* "80" or "80-90" */
static bool parse_ports(struct slice s, struct egress_rule *rule)
{
    size_t dash = find(s, '-');

    if (!parse_port(slice_of(s.p, dash), &rule->port_low))
        return false;
    rule->port_high = rule->port_low;
    if (dash == s.len)
        return true;
    slice_advance(&s, dash + 1);
    return parse_port(s, &rule->port_high) && rule->port_low <= rule->port_high;
}

/* "address" or "address/bits"; NULL when fine, "" when it is no address at all. */
static const char *parse_net(struct slice s, struct egress_rule *rule)
{
    size_t slash = find(s, '/');
    unsigned max;
    uint64_t bits;

    if (!ip_addr_parse(slice_of(s.p, slash), &rule->net))
        return slash < s.len ? "expected an address ahead of the prefix length" : "";
    max = rule->net.is_v6 ? 128 : 32;
    bits = max;
    if (slash < s.len) {
        slice_advance(&s, slash + 1);
        if (!slice_to_u64(s, &bits) || bits > max)
            return rule->net.is_v6 ? "expected a prefix length from 0 to 128"
                                   : "expected a prefix length from 0 to 32";
    }
    rule->kind = EGRESS_NET;
    rule->net_bits = (unsigned)bits;
    canonical(&rule->net, &rule->net_bits);
    return NULL;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool label_ok(struct slice label)
{
    for (size_t i = 0; i < label.len; i++) {
        uint8_t c = label.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && !is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return label.len >= 1 && label.len <= LABEL_BYTES_MAX;
}

/* A last label of digits would be a broken or partial IPv4 address. */
static bool name_ok(struct slice name)
{
    bool digits = true;
    size_t n;

    if (name.len > NAME_BYTES_MAX)
        return false;
    for (n = find(name, '.'); n < name.len; n = find(name, '.')) {
        if (!label_ok(slice_of(name.p, n)))
            return false;
        slice_advance(&name, n + 1);
    }
    for (size_t i = 0; i < name.len; i++)
        digits = digits && is_digit(name.p[i]);
    return label_ok(name) && !digits;
}

static struct slice without_dot(struct slice name)
{
    if (name.len > 1 && name.p[name.len - 1] == '.')
        name.len--;
    return name;
}

static const char *parse_host(struct slice host, struct egress_rule *rule)
{
    const char *fault;

    if (slice_eq_str(host, "*")) {
        rule->kind = EGRESS_ANY;
        return NULL;
    }
    fault = parse_net(host, rule);
    if (!fault || *fault)
        return fault;
    rule->kind = EGRESS_NAME;
    if (host.len >= 2 && memcmp(host.p, "*.", 2) == 0) {
        rule->kind = EGRESS_SUFFIX;
        slice_advance(&host, 2);
    }
    rule->name = without_dot(host);
    if (!name_ok(rule->name))
        return "expected a name, *.name, an address, a network (address/bits) or *, and "
               "optionally :port or :low-high";
    return NULL;
}

/* Separates ":ports" from the host. More than one colon without brackets is an IPv6 address. */
static const char *split(struct slice text, struct slice *host, struct slice *ports)
{
    struct slice rest = text;
    bool bracket = text.len > 0 && text.p[0] == '[';
    size_t n;

    if (bracket)
        slice_advance(&rest, 1);
    n = find(rest, bracket ? ']' : ':');
    *host = slice_of(rest.p, n);
    if (bracket && (n == rest.len || find(*host, ':') == n))
        return "expected an IPv6 address or network between [ and ]";
    slice_advance(&rest, bracket ? n + 1 : n);
    if (!bracket && rest.len > 0 && find(slice_of(rest.p + 1, rest.len - 1), ':') < rest.len - 1) {
        *host = text;
        slice_advance(&rest, rest.len);
    }
    *ports = rest;
    return rest.len > 0 && rest.p[0] != ':' ? "expected :port or nothing behind ]" : NULL;
}

enum wsp_err egress_rule_parse(struct slice text, struct egress_rule *rule, const char **why)
{
    struct egress_rule r = {.port_high = PORT_MAX};
    struct slice host, ports;

    *why = split(text, &host, &ports);
    if (!*why)
        *why = parse_host(host, &r);
    if (*why)
        return WSP_ERR_MALFORMED;
    if (ports.len > 0) {
        slice_advance(&ports, 1);
        if (!parse_ports(ports, &r)) {
            *why = "expected a port from 1 to 65535 or a range low-high behind the colon";
            return WSP_ERR_MALFORMED;
        }
    }
    *rule = r;
    return WSP_OK;
}

static bool port_matches(const struct egress_rule *rule, unsigned port)
{
    return port >= rule->port_low && port <= rule->port_high;
}

static bool is_below(struct slice name, struct slice suffix)
{
    size_t n;

    if (name.len <= suffix.len + 1)
        return false;
    n = name.len - suffix.len;
    return name.p[n - 1] == '.' && slice_eq_nocase(slice_of(name.p + n, suffix.len), suffix);
}

bool egress_rule_matches_name(const struct egress_rule *rule, struct slice name, unsigned port)
{
    if (!port_matches(rule, port))
        return false;
    name = without_dot(name);
    switch (rule->kind) {
    case EGRESS_ANY:
        return true;
    case EGRESS_NAME:
        return slice_eq_nocase(name, rule->name);
    case EGRESS_SUFFIX:
        return is_below(name, rule->name);
    case EGRESS_NET:
        break;
    }
    return false;
}

static bool bits_eq(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned mask = 0xffu << (8 - bits % 8) & 0xffu;

    if (memcmp(a, b, whole) != 0)
        return false;
    return bits % 8 == 0 || ((a[whole] ^ b[whole]) & mask) == 0;
}

bool egress_rule_matches_ip(const struct egress_rule *rule, const struct ip_addr *ip, unsigned port)
{
    if (!port_matches(rule, port))
        return false;
    if (rule->kind == EGRESS_ANY)
        return true;
    return rule->kind == EGRESS_NET && rule->net.is_v6 == ip->is_v6 &&
           bits_eq(rule->net.bytes, ip->bytes, rule->net_bits);
}
