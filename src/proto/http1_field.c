/* Questions about the fields of a parsed head: which are there, what they mean on this hop. */
#include "proto/http1.h"

const struct http1_header *http1_find(const struct http1_head *head, const char *name)
{
    struct slice wanted = slice_str(name);

    for (size_t i = 0; i < head->count; i++)
        if (slice_eq_nocase(head->header[i].name, wanted))
            return &head->header[i];
    return NULL;
}

size_t http1_count(const struct http1_head *head, const char *name)
{
    struct slice wanted = slice_str(name);
    size_t n = 0;

    for (size_t i = 0; i < head->count; i++)
        n += slice_eq_nocase(head->header[i].name, wanted);
    return n;
}

struct slice http1_next_element(struct slice *list)
{
    size_t n = 0;
    struct slice element;

    while (n < list->len && list->p[n] != ',')
        n++;
    element = slice_trim(slice_of(list->p, n));
    slice_advance(list, n < list->len ? n + 1 : n);
    return element;
}

static bool list_has(struct slice list, struct slice token)
{
    while (list.len)
        if (slice_eq_nocase(http1_next_element(&list), token))
            return true;
    return false;
}

static bool any_list_has(const struct http1_head *head, const char *name, struct slice token)
{
    struct slice wanted = slice_str(name);

    if (token.len == 0)
        return false;
    for (size_t i = 0; i < head->count; i++)
        if (slice_eq_nocase(head->header[i].name, wanted) && list_has(head->header[i].value, token))
            return true;
    return false;
}

bool http1_has_token(const struct http1_head *head, const char *name, const char *token)
{
    return any_list_has(head, name, slice_str(token));
}

static bool is_one_of(struct slice name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq_nocase(name, slice_str(names[i])))
            return true;
    return false;
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

bool http1_is_hop_by_hop(const struct http1_head *head, const struct http1_header *h)
{
    static const char *const always[] = {
        "Connection", "Proxy-Connection",    "Keep-Alive",         "TE",
        "Upgrade",    "Proxy-Authorization", "Proxy-Authenticate",
    };
    /* Were "Connection: content-length" obeyed, the next hop would frame the body otherwise. */
    static const char *const never[] = {"Host", "Content-Length", "Transfer-Encoding", "Trailer"};

    if (is_one_of(h->name, always, ARRAY_LEN(always)))
        return true;
    if (is_one_of(h->name, never, ARRAY_LEN(never)))
        return false;
    return any_list_has(head, "Connection", h->name);
}

bool http1_keep_alive(const struct http1_head *head)
{
    if (http1_has_token(head, "Connection", "close"))
        return false;
    return head->minor == 1 || http1_has_token(head, "Connection", "keep-alive");
}

bool http1_connection_ok(const struct http1_head *head)
{
    enum { CONNECTION_MAX = 1024 };
    size_t total = 0;

    for (size_t i = 0; i < head->count; i++)
        if (slice_eq_nocase(head->header[i].name, slice_str("Connection")))
            total += head->header[i].value.len;
    return total <= CONNECTION_MAX;
}
