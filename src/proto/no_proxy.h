/* The list in the environment variable no_proxy: what is reached without a proxy. */
#ifndef PROTO_NO_PROXY_H
#define PROTO_NO_PROXY_H

#include "base/slice.h"

/*
 * True when an entry of `list` matches. Entries stand between commas and blanks: a name (it and all
 * names below it, with or without "." or "*." before it), an address, a network (address/bits) or
 * "*" for everything; each with optional :port, IPv6 then in brackets. Names are not resolved: an
 * address matches only where the host is one. What is none of these matches nothing, since the
 * variable is written for many programs. `host` is a name or an address without brackets.
 */
bool no_proxy_matches(struct slice list, const char *host, unsigned port);

#endif
