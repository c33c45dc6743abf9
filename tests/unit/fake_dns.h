/* A DNS server for tests, on 127.0.0.1 and on the loop of the test itself. */
#ifndef TESTS_UNIT_FAKE_DNS_H
#define TESTS_UNIT_FAKE_DNS_H

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "net/address.h"
#include "net/loop.h"

enum { FAKE_A = 1, FAKE_AAAA = 28, FAKE_PACKET_MAX = 512, FAKE_HELD_MAX = 8 };

enum fake_mode {
    FAKE_ANSWER,
    FAKE_SERVFAIL,
    FAKE_SILENT,
    FAKE_GARBAGE,
    FAKE_HOLD, /* answer at fake_dns_release */
};

struct fake_record {
    const char *name;
    int type;
    enum fake_mode mode;
    const char *addresses[4]; /* none: the name is there, but has no such record */
};

struct fake_packet {
    uint8_t data[FAKE_PACKET_MAX];
    size_t len;
    struct sockaddr_in to;
};

struct fake_dns {
    struct wsp_loop *loop;
    struct watch watch;
    const struct fake_record *zone; /* up to an entry without name; others get NXDOMAIN */
    struct fake_packet held[FAKE_HELD_MAX];
    size_t held_count;
    bool holding; /* both questions of a query were held */
    unsigned questions;
    char asked[1024]; /* " name/type" of each question */
    char address[32];
};

/* The question's name as dotted text, and its type; the question's end, or 0. */
static inline size_t fake_question(const struct fake_packet *p, char name[256], int *type)
{
    size_t at = 12, len = 0;

    while (at < p->len && p->data[at] != 0) {
        size_t n = p->data[at++];

        if (n > 63 || n > p->len - at || len + n + 1 > 255)
            return 0;
        memcpy(name + len, p->data + at, n);
        name[len + n] = '.';
        len += n + 1;
        at += n;
    }
    if (at + 5 > p->len || len == 0)
        return 0;
    name[len - 1] = 0;
    *type = p->data[at + 1] << 8 | p->data[at + 2];
    return at + 5;
}

static inline void fake_append(struct fake_packet *p, const void *data, size_t len)
{
    if (len > sizeof(p->data) - p->len)
        return;
    memcpy(p->data + p->len, data, len);
    p->len += len;
}

static inline void fake_add_answers(struct fake_packet *p, const struct fake_record *r)
{
    for (size_t i = 0; i < 4 && r->addresses[i]; i++) {
        /* Name: a pointer to the question's; class IN; 60 s. */
        uint8_t head[12] = {0xc0, 12, 0, (uint8_t)r->type, 0, 1, 0, 0, 0, 60, 0, 4};
        uint8_t address[16];

        if (r->type == FAKE_AAAA)
            head[11] = 16;
        inet_pton(r->type == FAKE_AAAA ? AF_INET6 : AF_INET, r->addresses[i], address);
        fake_append(p, head, sizeof(head));
        fake_append(p, address, head[11]);
        p->data[7]++;
    }
}

/* Makes the answer of the question in `p`. `r` is NULL for an unknown name. */
static inline void fake_make_answer(struct fake_packet *p, const struct fake_record *r,
                                    size_t question_end)
{
    uint8_t rcode = !r ? 3 : r->mode == FAKE_SERVFAIL ? 2 : 0;

    p->len = question_end;
    p->data[2] |= 0x80;
    p->data[3] = (uint8_t)(0x80 | rcode);
    memset(p->data + 6, 0, 6);
    if (r && r->mode != FAKE_SERVFAIL)
        fake_add_answers(p, r);
    if (r && r->mode == FAKE_GARBAGE)
        p->data[7] = 9; /* more answers than there are */
}

static inline void fake_send(struct fake_dns *d, const struct fake_packet *p)
{
    (void)!sendto(d->watch.fd, p->data, p->len, 0, (const struct sockaddr *)&p->to, sizeof(p->to));
}

static inline void fake_answer(struct fake_dns *d, struct fake_packet *p)
{
    const struct fake_record *r = d->zone;
    char name[256];
    size_t logged = strlen(d->asked);
    int type;
    size_t end = fake_question(p, name, &type);

    if (end == 0)
        return;
    d->questions++;
    snprintf(d->asked + logged, sizeof(d->asked) - logged, " %s/%d", name, type);
    while (r->name && (strcasecmp(r->name, name) != 0 || r->type != type))
        r++;
    if (r->name && r->mode == FAKE_SILENT)
        return;
    fake_make_answer(p, r->name ? r : NULL, end);
    if (r->name && r->mode == FAKE_HOLD && d->held_count < FAKE_HELD_MAX) {
        d->held[d->held_count++] = *p;
        d->holding = d->held_count >= 2;
    } else {
        fake_send(d, p);
    }
}

static inline void fake_on_question(struct watch *w, unsigned events)
{
    struct fake_dns *d = container_of(w, struct fake_dns, watch);
    struct fake_packet p;

    (void)events;
    for (;;) {
        socklen_t len = sizeof(p.to);
        ssize_t n = recvfrom(w->fd, p.data, sizeof(p.data), 0, (struct sockaddr *)&p.to, &len);

        if (n < 0)
            return;
        p.len = (size_t)n;
        if (p.len >= 12)
            fake_answer(d, &p);
    }
}

static inline void fake_dns_release(struct fake_dns *d)
{
    for (size_t i = 0; i < d->held_count; i++)
        fake_send(d, &d->held[i]);
    d->held_count = 0;
}

static inline bool fake_dns_init(struct fake_dns *d, struct wsp_loop *loop,
                                 const struct fake_record *zone)
{
    struct address a;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memset(d, 0, sizeof(*d));
    d->loop = loop;
    d->zone = zone;
    d->watch = (struct watch){.fd = -1, .on_event = fake_on_question};
    if (fd < 0 || !address_parse(slice_str("127.0.0.1"), 0, &a) || bind(fd, &a.sa, a.len) != 0 ||
        getsockname(fd, &a.sa, &a.len) != 0)
        return false;
    snprintf(d->address, sizeof(d->address), "127.0.0.1:%u", address_port(&a));
    return watch_start(loop, &d->watch, fd, POLLER_READ) == WSP_OK;
}

static inline void fake_dns_fini(struct fake_dns *d)
{
    int fd = d->watch.fd;

    watch_stop(d->loop, &d->watch);
    close(fd);
}

/* Turns the loop until *done or for 10 s; false when that was too short. */
static inline bool fake_run(struct wsp_loop *loop, const bool *done)
{
    uint64_t end;

    wsp_loop_turn(loop);
    end = loop_now(loop) + 10000000;
    while (!*done && loop_now(loop) < end) {
        struct pollfd p = {.fd = wsp_loop_fd(loop), .events = POLLIN};

        poll(&p, 1, 100);
        wsp_loop_turn(loop);
    }
    return *done;
}

#endif
