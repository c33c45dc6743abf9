/* SipHash-1-3 under a random key: a peer who chooses the bytes cannot choose the collisions. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/slice.h"

/* `seed` should come from a strong random source. */
uint64_t hash_bytes(const uint64_t seed[2], struct slice bytes);

#endif
