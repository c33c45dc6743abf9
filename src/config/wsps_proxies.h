/* What wsps.json says of the proxies in front of the public port. */
#ifndef CONFIG_WSPS_PROXIES_H
#define CONFIG_WSPS_PROXIES_H

#include "config/json.h"
#include "proto/egress_rule.h"

struct wsps_proxies {
    bool header_required;        /* key proxy_protocol: off */
    struct egress_rule *trusted; /* owned array; key trusted_proxies: addresses and networks */
    size_t trusted_count;
    bool trusts_unix; /* "unix" is among them */
};

/* Reads the keys from the root. False with the document's error set. */
bool wsps_proxies_read(const struct json_at *root, struct wsps_proxies *out);
void wsps_proxies_fini(struct wsps_proxies *p);

/* What comes from this address may say for whom it speaks. */
bool wsps_proxies_trust(const struct wsps_proxies *p, const struct ip_addr *ip);

#endif
