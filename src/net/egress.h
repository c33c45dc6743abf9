/*
 * What DYNAMIC opens may reach. The host is asked about before it is resolved, then every address
 * it resolved to, so that a name cannot lead to an address that is denied.
 *
 * Denied is what an entry of `deny` matches. Denied, too, are the link-local and cloud metadata
 * addresses, unless an address or network in `allow` covers them. With an allow list, what is left
 * must match it by name or by address; without one it may be reached.
 */
#ifndef NET_EGRESS_H
#define NET_EGRESS_H

#include "base/slice.h"
#include "net/address.h"
#include "proto/egress_rule.h"
#include "wsp/err.h"

#define EGRESS_ERROR_MAX 256

struct egress_list {
    struct egress_rule *rule; /* owned; the names point into `text` */
    char *text;               /* owned */
    size_t count;
    bool given; /* an empty list that was given matches nothing */
};

struct egress {
    struct egress_list allow;
    struct egress_list deny;
    struct egress_list builtin; /* denied unless an address in `allow` says otherwise */
};

/*
 * Builds the rules from NULL-terminated lists, either of which may be NULL; the strings are copied.
 * On failure `error` names the entry and the object holds nothing.
 * Returns WSP_OK, WSP_ERR_CONFIG or WSP_ERR_NOMEM.
 */
enum wsp_err egress_init(struct egress *e, char *const *allow, char *const *deny,
                         char error[EGRESS_ERROR_MAX]);
void egress_fini(struct egress *e);

/*
 * Before resolution: false when the name is denied, or cannot become allowed whatever its
 * addresses. `host` is a name or a literal address without brackets; a literal is judged for good.
 */
bool egress_host_ok(const struct egress *e, struct slice host, unsigned port);

/* The text of a refusal: "dial tcp HOST:PORT: not allowed by egress rules". */
void egress_refusal(struct slice host, int port, char *out, size_t cap);

/* For each address that `host` resolved to; the port is that of the address. */
bool egress_address_ok(const struct egress *e, struct slice host, const struct address *address);

#endif
