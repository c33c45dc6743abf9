/* The hosts file: what it says about a name stands for both families, so DNS is not asked then. */
#ifndef NET_HOSTS_H
#define NET_HOSTS_H

#include "net/address.h"

/* Copies up to `max` addresses of `name` (any case) into `out`, ports zero, in the order of the
 * file; returns how many. A file that cannot be read has none. */
size_t hosts_find(const char *path, struct slice name, struct address *out, size_t max);

#endif
