#include "base/map.h"

#include <stdlib.h>

#include "base/hash.h"

void map_init(struct map *m, const uint64_t seed[2])
{
    *m = (struct map){.seed = {seed[0], seed[1]}};
}

void map_fini(struct map *m)
{
    free(m->bucket);
    m->bucket = NULL;
    m->buckets = m->count = m->low = 0;
}

struct map_node *map_find(const struct map *m, struct slice key)
{
    uint64_t hash;

    if (m->count == 0)
        return NULL;
    hash = hash_bytes(m->seed, key);
    for (struct map_node *n = m->bucket[hash & (m->buckets - 1)]; n; n = n->next)
        if (n->hash == hash && slice_eq(n->key, key))
            return n;
    return NULL;
}

static enum wsp_err grow(struct map *m)
{
    size_t buckets = m->buckets ? m->buckets * 2 : 8;
    struct map_node **bucket = calloc(buckets, sizeof(*bucket));

    if (!bucket)
        return m->buckets ? WSP_OK : WSP_ERR_NOMEM; /* a full table is slow, not wrong */
    for (size_t i = 0; i < m->buckets; i++) {
        struct map_node *n = m->bucket[i];
        while (n) {
            struct map_node *next = n->next;
            n->next = bucket[n->hash & (buckets - 1)];
            bucket[n->hash & (buckets - 1)] = n;
            n = next;
        }
    }
    free(m->bucket);
    m->bucket = bucket;
    m->buckets = buckets;
    m->low = 0;
    return WSP_OK;
}

enum wsp_err map_add(struct map *m, struct map_node *node)
{
    struct map_node **at;

    if (m->count >= m->buckets && grow(m) != WSP_OK)
        return WSP_ERR_NOMEM;
    node->hash = hash_bytes(m->seed, node->key);
    at = &m->bucket[node->hash & (m->buckets - 1)];
    node->next = *at;
    *at = node;
    m->count++;
    if ((size_t)(at - m->bucket) < m->low)
        m->low = (size_t)(at - m->bucket);
    return WSP_OK;
}

void map_remove(struct map *m, struct map_node *node)
{
    struct map_node **at = &m->bucket[node->hash & (m->buckets - 1)];

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    m->count--;
}

struct map_node *map_any(struct map *m)
{
    for (; m->low < m->buckets; m->low++)
        if (m->bucket[m->low])
            return m->bucket[m->low];
    return NULL;
}

struct map_node *map_next(const struct map *m, const struct map_node *after)
{
    size_t i = 0;

    if (after) {
        if (after->next)
            return after->next;
        i = (size_t)(after->hash & (m->buckets - 1)) + 1;
    }
    for (; i < m->buckets; i++)
        if (m->bucket[i])
            return m->bucket[i];
    return NULL;
}
