/* The entries of X-Forwarded-For: each proxy appends where its connection came from. */
#ifndef PROTO_FORWARDED_FOR_H
#define PROTO_FORWARDED_FOR_H

#include "proto/ip_addr.h"

/* Takes the last entry of a list, without blanks around it; it may be empty. True when more stand
 * before it. */
bool forwarded_for_cut(struct slice *list, struct slice *entry);

/* An address, IPv6 with or without brackets, or address:port, there with them. False, and `out`
 * untouched, for anything else: a name, "unknown". */
bool forwarded_for_parse(struct slice entry, struct ip_port *out);

#endif
