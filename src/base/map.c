#include "base/map.h"

#include <stdlib.h>

static uint64_t rotl(uint64_t x, int b)
{
    return (x << b) | (x >> (64 - b));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012). */
static uint64_t hash_of(const struct map *m, struct slice key)
{
    uint64_t v[4] = {m->seed[0] ^ 0x736f6d6570736575U, m->seed[1] ^ 0x646f72616e646f6dU,
                     m->seed[0] ^ 0x6c7967656e657261U, m->seed[1] ^ 0x7465646279746573U};
    uint64_t tail = (uint64_t)key.len << 56;

    for (; key.len >= 8; slice_advance(&key, 8)) {
        uint64_t word;
        memcpy(&word, key.p, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = 0; i < key.len; i++)
        tail |= (uint64_t)key.p[i] << (8 * i);
    v[3] ^= tail;
    sip_round(v);
    v[0] ^= tail;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

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
    hash = hash_of(m, key);
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
    node->hash = hash_of(m, node->key);
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
