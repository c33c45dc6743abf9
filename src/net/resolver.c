#include "net/resolver.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "net/dns_channel.h"
#include "net/hosts.h"

enum {
    TIMEOUT_MS = 2000,
    RECHECK_US = 1000000,
    ADDRESSES_MAX = 32, /* of one family; a longer list is cut */
};

/* What tells one version of a file from another. All zero: there is none. */
struct file_stamp {
    struct timespec mtime;
    ino_t inode;
    off_t size;
};

struct resolver {
    struct wsp_loop *loop;
    struct dns_channel *channel;        /* owned: asks names as they are */
    struct dns_channel *search_channel; /* owned: for single labels; NULL until there is one */
    struct list retired;                /* struct dns_channel: finish what they were asked */
    struct dns_channel_options options;
    char *servers; /* owned; NULL: those of the file */
    uint64_t recheck_us;
    uint64_t checked_us;
    struct file_stamp stamp; /* of resolv.conf when the channels were made */
    const char *hosts;       /* path; borrowed */
    size_t states;           /* queries, the cancelled ones that c-ares still asks included */
};

enum { STATES_MAX = 4096 }; /* queries at once: cancelled ones go on for seconds */

enum answer_stage { ANSWER_WAITING, ANSWER_READY, ANSWER_DELIVERED };

struct answer {
    struct resolve_state *owner;
    enum answer_stage stage;
    enum resolve_status status;
    struct address *list; /* owned */
    size_t count;
};

/* Outlives a cancelled query until c-ares has called back for both families. */
struct resolve_state {
    struct resolver *resolver;
    struct wsp_loop *loop;
    struct dns_channel *channel; /* borrowed; NULL when c-ares is not asked */
    struct resolve *query;       /* NULL once cancelled */
    struct task deliver;
    unsigned pending;        /* callbacks c-ares owes */
    struct answer answer[2]; /* IPv6, IPv4: the preferred first */
};

static const int families[2] = {AF_INET6, AF_INET};

static struct file_stamp stamp_of(const char *path)
{
    struct file_stamp stamp = {0};
    struct stat st;

    if (stat(path, &st) == 0) {
        stamp.mtime = st.st_mtim;
        stamp.inode = st.st_ino;
        stamp.size = st.st_size;
    }
    return stamp;
}

static bool stamp_eq(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec &&
           a->inode == b->inode && a->size == b->size;
}

static void retire(struct resolver *r, struct dns_channel *c)
{
    if (!c)
        return;
    list_push(&r->retired, &c->node);
    dns_channel_retire(c);
}

/* Replaces the channels when their file is another one than when they were made. */
static void refresh(struct resolver *r)
{
    uint64_t now = loop_now(r->loop);
    struct file_stamp stamp;
    struct dns_channel *fresh;

    if (now - r->checked_us < r->recheck_us)
        return;
    r->checked_us = now;
    stamp = stamp_of(r->options.resolv_conf);
    if (stamp_eq(&stamp, &r->stamp))
        return;
    fresh = dns_channel_new(r->loop, &r->options);
    if (!fresh)
        return;
    log_info(loop_log(r->loop), "resolver: %s changed, read again", r->options.resolv_conf);
    r->stamp = stamp;
    retire(r, r->channel);
    retire(r, r->search_channel);
    r->channel = fresh;
    r->search_channel = NULL;
}

/*
 * c-ares goes on to the search domains when a name with dots does not exist, and asks them first
 * when it has fewer than "ndots"; the option against that is one of the channel.
 */
static struct dns_channel *channel_for(struct resolver *r, const char *name)
{
    struct dns_channel_options options = r->options;

    refresh(r);
    if (strchr(name, '.'))
        return r->channel;
    options.search = true;
    if (!r->search_channel)
        r->search_channel = dns_channel_new(r->loop, &options);
    return r->search_channel ? r->search_channel : r->channel;
}

/* c-ares counts its users without a lock; loops of other threads begin and end when they like. */
static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;

static bool library_begin(void)
{
    int status;

    pthread_mutex_lock(&library_lock);
    status = ares_library_init(ARES_LIB_INIT_ALL);
    pthread_mutex_unlock(&library_lock);
    return status == ARES_SUCCESS;
}

static void library_end(void)
{
    pthread_mutex_lock(&library_lock);
    ares_library_cleanup();
    pthread_mutex_unlock(&library_lock);
}

struct resolver *resolver_new_with(struct wsp_loop *loop, const struct resolver_options *options)
{
    struct resolver *r;

    if (!library_begin())
        return NULL;
    r = calloc(1, sizeof(*r));
    if (!r) {
        library_end();
        return NULL;
    }
    r->loop = loop;
    list_init(&r->retired);
    if (options->servers && !(r->servers = strdup(options->servers)))
        goto fail;
    r->options.servers = r->servers;
    r->options.resolv_conf = options->resolv_conf ? options->resolv_conf : "/etc/resolv.conf";
    r->options.timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    r->recheck_us = options->recheck_us ? options->recheck_us : RECHECK_US;
    r->checked_us = loop_now(loop);
    r->stamp = stamp_of(r->options.resolv_conf);
    r->hosts = options->hosts ? options->hosts : "/etc/hosts";
    r->channel = dns_channel_new(loop, &r->options);
    if (r->channel)
        return r;
fail:
    resolver_free(r);
    return NULL;
}

struct resolver *resolver_new(struct wsp_loop *loop)
{
    return resolver_new_with(loop, &(struct resolver_options){0});
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    while (!list_empty(&r->retired))
        dns_channel_free(container_of(r->retired.next, struct dns_channel, node));
    dns_channel_free(r->channel);
    dns_channel_free(r->search_channel);
    free(r->servers);
    free(r);
    library_end();
}

static void state_free(struct resolve_state *s)
{
    task_cancel(&s->deliver);
    free(s->answer[0].list);
    free(s->answer[1].list);
    s->resolver->states--;
    free(s);
}

/* The next answer to hand over, or NULL; `*more` when another one is ready or to come. */
static struct answer *next_ready(struct resolve_state *s, bool *more, bool *another_ready)
{
    struct answer *found = NULL;

    *more = *another_ready = false;
    for (size_t i = 0; i < 2; i++) {
        struct answer *a = &s->answer[i];

        if (a->stage == ANSWER_READY && !found) {
            found = a;
        } else if (a->stage != ANSWER_DELIVERED) {
            *more = true;
            *another_ready |= a->stage == ANSWER_READY;
        }
    }
    return found;
}

static enum resolve_status overall_status(const struct resolve_state *s)
{
    const struct answer *a = s->answer;

    if (a[0].count > 0 || a[1].count > 0)
        return RESOLVE_OK;
    return a[0].status > a[1].status ? a[0].status : a[1].status;
}

static void deliver(struct task *t)
{
    struct resolve_state *s = container_of(t, struct resolve_state, deliver);
    struct resolve *q = s->query;
    bool more, another_ready;
    struct answer *a = next_ready(s, &more, &another_ready);

    if (!a)
        return;
    a->stage = ANSWER_DELIVERED;
    if (another_ready)
        task_post(s->loop, &s->deliver);
    if (more) {
        q->on_addresses(q, a->list, a->count, false);
        return;
    }
    q->status = overall_status(s);
    q->state = NULL;
    q->on_addresses(q, a->list, a->count, true);
    state_free(s);
}

static enum resolve_status status_of(int ares_status)
{
    switch (ares_status) {
    case ARES_SUCCESS:
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
    case ARES_ENONAME:
        return RESOLVE_NO_SUCH_HOST;
    case ARES_ETIMEOUT:
        return RESOLVE_TIMEOUT;
    default:
        return RESOLVE_FAILED;
    }
}

static size_t count_nodes(const struct ares_addrinfo_node *node)
{
    size_t count = 0;

    for (; node && count < ADDRESSES_MAX; node = node->ai_next)
        count++;
    return count;
}

static void take_addresses(struct answer *a, const struct ares_addrinfo_node *node, int family)
{
    size_t cap = count_nodes(node);

    if (cap == 0)
        return;
    a->list = calloc(cap, sizeof(*a->list));
    if (!a->list) {
        a->status = RESOLVE_FAILED;
        return;
    }
    for (; node && a->count < cap; node = node->ai_next) {
        struct address *to = &a->list[a->count];

        if (node->ai_family != family || node->ai_addrlen > sizeof(to->storage))
            continue;
        memcpy(&to->storage, node->ai_addr, node->ai_addrlen);
        to->len = node->ai_addrlen;
        a->count++;
    }
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct answer *a = arg;
    struct resolve_state *s = a->owner;

    (void)timeouts;
    s->pending--;
    dns_channel_answered(s->channel);
    if (s->query) {
        a->stage = ANSWER_READY;
        a->status = status_of(status);
        if (info)
            take_addresses(a, info->nodes, families[a - s->answer]);
        /* c-ares must not be called from its own callbacks, and it may be inside resolve_start. */
        task_post(s->loop, &s->deliver);
    }
    if (info)
        ares_freeaddrinfo(info);
    if (!s->query && s->pending == 0)
        state_free(s);
}

static enum wsp_err ask(struct resolver *r, struct resolve_state *s, const char *name)
{
    s->channel = channel_for(r, name);
    for (size_t i = 0; i < 2; i++) {
        s->pending++;
        if (dns_channel_ask(s->channel, name, families[i], on_answer, &s->answer[i]) != WSP_OK)
            return WSP_ERR_NOMEM; /* only ever the first: nothing is pending in c-ares */
    }
    return WSP_OK;
}

static enum wsp_err copy_family(struct answer *a, int family, const struct address *list,
                                size_t count)
{
    a->list = calloc(count, sizeof(*a->list));
    if (!a->list)
        return WSP_ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        if (list[i].sa.sa_family == family)
            a->list[a->count++] = list[i];
    return WSP_OK;
}

/* `list` holds all there is, of both families. */
static enum wsp_err answer_at_once(struct resolve_state *s, const struct address *list,
                                   size_t count)
{
    for (size_t i = 0; i < 2; i++) {
        struct answer *a = &s->answer[i];

        a->stage = ANSWER_READY;
        a->status = RESOLVE_NO_SUCH_HOST;
        if (count > 0 && copy_family(a, families[i], list, count) != WSP_OK)
            return WSP_ERR_NOMEM;
    }
    /* A family without an address is not worth a call of its own. */
    if (s->answer[0].count == 0)
        s->answer[0].stage = ANSWER_DELIVERED;
    else if (s->answer[1].count == 0)
        s->answer[1].stage = ANSWER_DELIVERED;
    task_post(s->loop, &s->deliver);
    return WSP_OK;
}

/* `name` is `domain` or below it; case and one trailing dot don't matter. */
static bool within(struct slice name, const char *domain)
{
    struct slice d = slice_str(domain), tail = name;

    if (tail.len > 0 && tail.p[tail.len - 1] == '.')
        tail.len--;
    if (tail.len < d.len)
        return false;
    if (tail.len > d.len && tail.p[tail.len - d.len - 1] != '.')
        return false;
    slice_advance(&tail, tail.len - d.len);
    return slice_eq_nocase(tail, d);
}

/* Bytes that can stand in no host name, and the backslash, by which c-ares escapes. */
static bool is_no_name(struct slice name)
{
    if (name.len == 0 || name.len > 254)
        return true;
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] <= ' ' || name.p[i] == 0x7f || name.p[i] == '\\')
            return true;
    return false;
}

static enum wsp_err find(struct resolver *r, struct resolve_state *s, const char *text)
{
    struct address list[ADDRESSES_MAX];
    struct slice name = slice_str(text);
    size_t count;

    if (address_parse(name, 0, &list[0]))
        return answer_at_once(s, list, 1);
    /* RFC 6761 section 6.3: never a question to a server. */
    if (within(name, "localhost")) {
        address_parse(slice_str("::1"), 0, &list[0]);
        address_parse(slice_str("127.0.0.1"), 0, &list[1]);
        return answer_at_once(s, list, 2);
    }
    count = hosts_find(r->hosts, name, list, ADDRESSES_MAX);
    /* RFC 6761 section 6.4. */
    if (count > 0 || is_no_name(name) || within(name, "invalid"))
        return answer_at_once(s, list, count);
    return ask(r, s, text);
}

enum wsp_err resolve_start(struct resolver *r, struct resolve *q, const char *name)
{
    struct resolve_state *s = r->states < STATES_MAX ? calloc(1, sizeof(*s)) : NULL;

    if (!s)
        return WSP_ERR_NOMEM;
    s->resolver = r;
    r->states++;
    s->loop = r->loop;
    s->query = q;
    s->answer[0].owner = s->answer[1].owner = s;
    task_init(&s->deliver, deliver);
    if (find(r, s, name) != WSP_OK) {
        state_free(s);
        return WSP_ERR_NOMEM;
    }
    q->state = s;
    return WSP_OK;
}

void resolve_cancel(struct resolve *q)
{
    struct resolve_state *s = q->state;

    if (!s)
        return;
    q->state = NULL;
    s->query = NULL;
    task_cancel(&s->deliver);
    if (s->pending == 0)
        state_free(s);
}
