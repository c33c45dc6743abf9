/*
 * A network path between two namespaces, for kernels without netem: a TUN device in each, and this
 * process, which carries the packets across.
 *
 *     path_emulator NETNS_A NETNS_B [--subnet X] [--seed N] [--KEY VALUE]...
 *
 * A namespace is a name of `ip netns` or a path. A's device path<X> gets 10.77.X.1/30, B's
 * 10.77.X.2/30. When both are up, "ready" is printed. KEY is one of
 *
 *     delay-ms N     one way; a fraction is fine
 *     rate-mbit N    0, the default: unlimited
 *     queue-kib N    what may wait for the rate, above it packets are dropped (default 512)
 *     loss PERCENT   at random; 100 cuts the path without telling anybody
 *
 * for both directions, or with ab- or ba- before it for one. Lines on standard input change them
 * while it runs ("loss 100", "ab-delay-ms 50"), each answered by "ok" or "error: why"; "stats" is
 * answered by a line of counters. It ends with standard input.
 *
 * Packets stay in order whatever changes. Losses depend on the seed and the direction's own packets
 * only. Under way are at most RING_SIZE bytes per direction; what comes on top is dropped and
 * counted with the queue's drops.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    PACKET_MAX = 2048,   /* the devices' MTU is 1500 */
    RING_SIZE = 1 << 26, /* bytes; pages are touched only as far as it fills */
    BURST_MAX = 64,      /* packets of one direction before the other has its turn */
    LINE_MAX_LEN = 256,
};

#define SECOND_NS 1000000000LL

struct settings {
    double delay_ms, rate_mbit, queue_kib, loss;
};

/* A packet under way, in the ring: this head, then its bytes. */
struct packet {
    int64_t due_ns;
    size_t len;
};

struct direction {
    const char *name; /* "ab" or "ba" */
    int from, to;     /* TUN descriptors */
    struct settings set;
    unsigned short random[3]; /* of erand48 */
    int64_t rate_free_ns;     /* when the last packet has left the queue for the rate */
    int64_t last_due_ns;
    uint8_t *ring;
    size_t head, used; /* bytes; the first packet starts at `head` */
    uint64_t carried, lost, dropped;
};

struct path {
    struct direction way[2];
    int timer;
    int epoll;
    char line[LINE_MAX_LEN];
    size_t line_len;
};

static void die(const char *what)
{
    fprintf(stderr, "path_emulator: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* ---- settings */

static const struct {
    const char *key;
    size_t offset;
    double max;
} keys[] = {
    {"delay-ms", offsetof(struct settings, delay_ms), 60000},
    {"rate-mbit", offsetof(struct settings, rate_mbit), 100000},
    {"queue-kib", offsetof(struct settings, queue_kib), RING_SIZE / 1024},
    {"loss", offsetof(struct settings, loss), 100},
};

static bool parse_number(const char *text, double max, double *out)
{
    char *end;

    errno = 0;
    *out = strtod(text, &end);
    return !errno && end != text && !*end && *out >= 0 && *out <= max;
}

/* NULL, or what is wrong. */
static const char *change(struct path *p, const char *key, const char *value)
{
    unsigned ways = 3;
    double number;

    for (unsigned i = 0; i < 2; i++)
        if (strncmp(key, p->way[i].name, 2) == 0 && key[2] == '-')
            ways = 1U << i;
    if (ways != 3)
        key += 3;
    for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
        if (strcmp(key, keys[k].key) != 0)
            continue;
        if (!parse_number(value, keys[k].max, &number))
            return "the value is not a number in range";
        for (unsigned i = 0; i < 2; i++)
            if (ways & 1U << i)
                memcpy((char *)&p->way[i].set + keys[k].offset, &number, sizeof(number));
        return NULL;
    }
    return "unknown key";
}

/* ---- one direction */

static void ring_copy_in(struct direction *d, size_t at, const void *data, size_t len)
{
    size_t first = RING_SIZE - at % RING_SIZE;

    if (first > len)
        first = len;
    memcpy(d->ring + at % RING_SIZE, data, first);
    memcpy(d->ring, (const uint8_t *)data + first, len - first);
}

static void ring_copy_out(const struct direction *d, size_t at, void *data, size_t len)
{
    size_t first = RING_SIZE - at % RING_SIZE;

    if (first > len)
        first = len;
    memcpy(data, d->ring + at % RING_SIZE, first);
    memcpy((uint8_t *)data + first, d->ring, len - first);
}

/* False when the queue for the rate is full; else `due_ns` is when the packet arrives. */
static bool schedule(struct direction *d, size_t len, int64_t now, int64_t *due_ns)
{
    double ns_per_byte = d->set.rate_mbit > 0 ? 8000 / d->set.rate_mbit : 0;
    int64_t leaves = d->rate_free_ns > now ? d->rate_free_ns : now;

    if (ns_per_byte > 0) {
        double waiting = (double)(leaves - now) / ns_per_byte;

        if (waiting > 0 && waiting + (double)len > d->set.queue_kib * 1024)
            return false;
        leaves += (int64_t)((double)len * ns_per_byte);
        d->rate_free_ns = leaves;
    }
    *due_ns = leaves + (int64_t)(d->set.delay_ms * 1e6);
    if (*due_ns < d->last_due_ns)
        *due_ns = d->last_due_ns;
    d->last_due_ns = *due_ns;
    return true;
}

static void take(struct direction *d, const uint8_t *data, size_t len, int64_t now)
{
    struct packet head = {.len = len};

    if (erand48(d->random) * 100 < d->set.loss) {
        d->lost++;
        return;
    }
    if (sizeof(head) + len > RING_SIZE - d->used || !schedule(d, len, now, &head.due_ns)) {
        d->dropped++;
        return;
    }
    ring_copy_in(d, d->head + d->used, &head, sizeof(head));
    ring_copy_in(d, d->head + d->used + sizeof(head), data, len);
    d->used += sizeof(head) + len;
}

static void read_packets(struct direction *d)
{
    uint8_t data[PACKET_MAX];

    for (int i = 0; i < BURST_MAX; i++) {
        ssize_t n = read(d->from, data, sizeof(data));

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            die("the device is gone");
        if (n <= 0)
            return;
        take(d, data, (size_t)n, now_ns());
    }
}

/* A device that is down refuses its packets: they are lost, as on a cut cable. */
static void deliver_due(struct direction *d)
{
    struct packet head;
    uint8_t data[PACKET_MAX];

    for (int i = 0; i < BURST_MAX && d->used; i++) {
        ring_copy_out(d, d->head, &head, sizeof(head));
        if (head.due_ns > now_ns())
            return;
        ring_copy_out(d, d->head + sizeof(head), data, head.len);
        d->head = (d->head + sizeof(head) + head.len) % RING_SIZE;
        d->used -= sizeof(head) + head.len;
        if (write(d->to, data, head.len) == (ssize_t)head.len)
            d->carried++;
        else
            d->lost++;
    }
}

/* ---- devices */

static void enter(const char *netns)
{
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof(path), "%s%s", strchr(netns, '/') ? "" : "/run/netns/", netns);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        die(path);
    close(fd);
}

static void set_address(int sock, struct ifreq *r, unsigned long request, uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};

    memcpy(&r->ifr_addr, &in, sizeof(in));
    if (ioctl(sock, request, r) != 0)
        die("cannot set an address");
}

/* A TUN device in the namespace, up, with its address: its descriptor. */
static int make_device(const char *netns, unsigned subnet, unsigned host)
{
    struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    uint32_t net = 10U << 24 | 77U << 16 | subnet << 8;
    int tun, sock;

    enter(netns);
    tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(r.ifr_name, sizeof(r.ifr_name), "path%u", subnet);
    if (tun < 0 || sock < 0 || ioctl(tun, TUNSETIFF, &r) != 0)
        die("cannot make a TUN device");
    set_address(sock, &r, SIOCSIFADDR, net | host);
    set_address(sock, &r, SIOCSIFDSTADDR, net | (3 - host));
    set_address(sock, &r, SIOCSIFNETMASK, 0xfffffffcU);
    if (ioctl(sock, SIOCGIFFLAGS, &r) != 0)
        die("cannot read the device's flags");
    r.ifr_flags |= IFF_UP;
    if (ioctl(sock, SIOCSIFFLAGS, &r) != 0)
        die("cannot bring the device up");
    close(sock);
    return tun;
}

/* ---- standard input */

static void print_stats(const struct path *p)
{
    for (int i = 0; i < 2; i++) {
        const struct direction *d = &p->way[i];

        printf("%s carried %" PRIu64 " lost %" PRIu64 " dropped %" PRIu64 "%c", d->name, d->carried,
               d->lost, d->dropped, i ? '\n' : ' ');
    }
}

static void obey(struct path *p, char *line)
{
    char *save, *key = strtok_r(line, " \t", &save), *value = strtok_r(NULL, " \t", &save);
    const char *fault;

    if (key && !value && strcmp(key, "stats") == 0) {
        print_stats(p);
    } else {
        fault = value && !strtok_r(NULL, " \t", &save) ? change(p, key, value) : "not KEY VALUE";
        printf("%s%s\n", fault ? "error: " : "ok", fault ? fault : "");
    }
    fflush(stdout);
}

/* False at the end of the input. */
static bool read_lines(struct path *p)
{
    ssize_t n = read(STDIN_FILENO, p->line + p->line_len, sizeof(p->line) - p->line_len);
    char *end;

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    p->line_len += (size_t)n;
    while ((end = memchr(p->line, '\n', p->line_len))) {
        size_t len = (size_t)(end + 1 - p->line);

        *end = '\0';
        obey(p, p->line);
        p->line_len -= len;
        memmove(p->line, end + 1, p->line_len);
    }
    if (p->line_len == sizeof(p->line)) {
        puts("error: the line is too long");
        fflush(stdout);
        p->line_len = 0;
    }
    return true;
}

/* ---- the loop */

/* At the first packet that is due, or never. A time that has passed fires at once. */
static void set_timer(const struct path *p)
{
    struct itimerspec spec = {0};
    int64_t first = INT64_MAX;

    for (int i = 0; i < 2; i++) {
        struct packet head;

        if (!p->way[i].used)
            continue;
        ring_copy_out(&p->way[i], p->way[i].head, &head, sizeof(head));
        if (head.due_ns < first)
            first = head.due_ns;
    }
    if (first != INT64_MAX) {
        spec.it_value.tv_sec = first / SECOND_NS;
        spec.it_value.tv_nsec = first % SECOND_NS;
    }
    timerfd_settime(p->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void watch(struct path *p, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll");
}

static void run(struct path *p)
{
    struct epoll_event events[4];
    bool on = true;

    while (on) {
        int n = epoll_wait(p->epoll, events, 4, -1);

        for (int i = 0; i < n; i++)
            if (events[i].data.fd == STDIN_FILENO)
                on = read_lines(p);
        for (int i = 0; i < 2; i++) {
            read_packets(&p->way[i]);
            deliver_due(&p->way[i]);
        }
        set_timer(p); /* also takes back an expiry that was not read */
    }
}

static void start(struct path *p, const char *a, const char *b, unsigned subnet, unsigned seed)
{
    for (unsigned i = 0; i < 2; i++) {
        struct direction *d = &p->way[i];

        d->random[0] = (unsigned short)i;
        d->random[1] = (unsigned short)seed;
        d->random[2] = (unsigned short)(seed >> 16);
        d->ring = mmap(NULL, RING_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (d->ring == MAP_FAILED)
            die("no memory");
    }
    p->way[0].from = p->way[1].to = make_device(a, subnet, 1);
    p->way[1].from = p->way[0].to = make_device(b, subnet, 2);
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    watch(p, STDIN_FILENO);
    watch(p, p->timer);
    watch(p, p->way[0].from);
    watch(p, p->way[1].from);
}

static void usage(void)
{
    fputs("usage: path_emulator NETNS_A NETNS_B [--subnet X] [--seed N] [--[ab-|ba-]KEY VALUE]...\n"
          "KEY: delay-ms, rate-mbit, queue-kib, loss\n",
          stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    static struct path path = {.way = {{.name = "ab"}, {.name = "ba"}}};
    double subnet = 0, seed = 1;

    if (argc < 3 || argc % 2 == 0)
        usage();
    change(&path, "queue-kib", "512");
    for (int i = 3; i < argc; i += 2) {
        const char *key = strncmp(argv[i], "--", 2) == 0 ? argv[i] + 2 : "";
        bool ok;

        if (strcmp(key, "subnet") == 0)
            ok = parse_number(argv[i + 1], 255, &subnet);
        else if (strcmp(key, "seed") == 0)
            ok = parse_number(argv[i + 1], UINT_MAX, &seed);
        else
            ok = change(&path, key, argv[i + 1]) == NULL;
        if (!ok)
            usage();
    }
    start(&path, argv[1], argv[2], (unsigned)subnet, (unsigned)seed);
    puts("ready");
    fflush(stdout);
    run(&path);
    return 0;
}
