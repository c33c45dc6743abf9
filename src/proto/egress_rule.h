/*
 * One entry of the lists that say what may be dialled: text -> rule, and does it match?
 *
 *     name   *.name   address   address/bits   *      each with optional :port or :low-high,
 *     IPv6 with a port in brackets: [2001:db8::/32]:80-90
 *
 * Pure functions. Addresses are compared in one canonical form, so that no spelling of an address
 * escapes a rule: IPv4-mapped IPv6 is IPv4, and the unspecified addresses are the loopback
 * addresses a connect() to them reaches.
 */
#ifndef PROTO_EGRESS_RULE_H
#define PROTO_EGRESS_RULE_H

#include "proto/ip_addr.h"
#include "wsp/err.h"

enum egress_kind {
    EGRESS_ANY,    /* "*" */
    EGRESS_NAME,   /* that name */
    EGRESS_SUFFIX, /* every name below it, not itself */
    EGRESS_NET,    /* address or CIDR */
};

struct egress_rule {
    enum egress_kind kind;
    struct slice name; /* NAME, SUFFIX: without "*." and trailing dot; points into the text */
    struct ip_addr net;
    unsigned net_bits;
    unsigned port_low, port_high; /* 0..65535 when the entry has no port */
};

/*
 * Parses one entry. On failure *why is a static text without the entry in it and `rule` is
 * untouched. Returns WSP_OK or WSP_ERR_MALFORMED.
 */
enum wsp_err egress_rule_parse(struct slice text, struct egress_rule *rule, const char **why);

/* ANY matches every name and every address; the other kinds only their own sort. */
bool egress_rule_matches_name(const struct egress_rule *rule, struct slice name, unsigned port);
bool egress_rule_matches_ip(const struct egress_rule *rule, const struct ip_addr *ip,
                            unsigned port);

#define EGRESS_FORMS_MAX 2

/*
 * All that a connection to `ip` may reach, each in canonical form: the address itself and, for
 * NAT64 (RFC 6052) and 6to4 (RFC 3056), the IPv4 address inside. Returns their number, 1 or 2.
 */
size_t egress_forms(const struct ip_addr *ip, struct ip_addr out[EGRESS_FORMS_MAX]);

#endif
