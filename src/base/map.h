/*
 * Intrusive hash table keyed by bytes; the hash is that of base/hash.h.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"
#include "wsp/err.h"

struct map_node {
    struct map_node *next;
    uint64_t hash;
    struct slice key; /* borrowed: the bytes belong to the object the node is part of */
};

struct map {
    struct map_node **bucket; /* owned */
    size_t buckets;           /* a power of two, or 0 */
    size_t count;
    size_t low; /* no node is in a bucket below this one */
    uint64_t seed[2];
};

/* Starts an empty map; allocates nothing yet. `seed` should come from a strong random source. */
void map_init(struct map *m, const uint64_t seed[2]);

/* Frees the table, not the nodes. */
void map_fini(struct map *m);

struct map_node *map_find(const struct map *m, struct slice key);

/* Adds a node with node->key set, not in the map yet. WSP_OK or WSP_ERR_NOMEM. */
enum wsp_err map_add(struct map *m, struct map_node *node);

/* Removes a node that is in the map. */
void map_remove(struct map *m, struct map_node *node);

/* Some node, or NULL: for taking all out, one by one. */
struct map_node *map_any(struct map *m);

/* Walks all nodes in no order: first with NULL, then with the node returned; NULL at the end.
 * The map must not change in between. */
struct map_node *map_next(const struct map *m, const struct map_node *after);

#endif
