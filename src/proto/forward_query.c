#include "proto/forward.h"
#include "proto/forward_text.h"

static struct slice cut_at(struct slice *s, uint8_t sep)
{
    const uint8_t *at = s->len ? memchr(s->p, sep, s->len) : NULL;
    struct slice first = *s;

    if (at)
        first.len = (size_t)(at - s->p);
    slice_advance(s, at ? first.len + 1 : first.len);
    return first;
}

static bool decode(struct slice s, char *out, size_t cap, size_t *len)
{
    struct forward_text t = {.p = out, .cap = cap};
    struct forward_fault ignored;

    if (!forward_add_decoded(&t, s, FORWARD_QUERY, &ignored) || t.cut)
        return false;
    *len = t.len;
    return true;
}

bool forward_query_find(struct slice query, const char *name, char *out, size_t cap, size_t *len)
{
    while (query.len) {
        struct slice pair = cut_at(&query, '&');
        struct slice key = pair;
        char key_store[32]; /* longer than any name asked for */
        size_t key_len;

        /* As in Go, a pair that holds a ';' or a bad escape does not count. */
        if (pair.len == 0 || memchr(pair.p, ';', pair.len))
            continue;
        key = cut_at(&pair, '=');
        if (decode(key, key_store, sizeof(key_store), &key_len) &&
            slice_eq_str(slice_of(key_store, key_len), name) && decode(pair, out, cap, len))
            return true;
    }
    return false;
}

bool forward_query_ok(struct slice query)
{
    char store[FORWARD_URL_MAX];
    size_t len;

    while (query.len) {
        struct slice pair = cut_at(&query, '&');
        struct slice key;

        if (pair.len && memchr(pair.p, ';', pair.len))
            return false;
        key = cut_at(&pair, '=');
        if (!decode(key, store, sizeof(store), &len) || !decode(pair, store, sizeof(store), &len))
            return false;
    }
    return true;
}

bool forward_proxy_version(const struct forward *f, enum proxy_version *out)
{
    char value[FORWARD_URL_MAX];
    size_t len;

    if (!forward_query_find(f->query, "proxy_protocol", value, sizeof(value), &len)) {
        *out = PROXY_NONE;
        return true;
    }
    if (len != 2 || value[0] != 'v' || (value[1] != '1' && value[1] != '2'))
        return false;
    *out = value[1] == '1' ? PROXY_V1 : PROXY_V2;
    return true;
}
