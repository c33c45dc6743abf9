#include "api/tools.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000, TURNS_MAX = 1000 };

void give_up(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

static struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

struct place place_listen(void)
{
    struct sockaddr_in address = loopback(0);
    struct place p = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    socklen_t len = sizeof(address);

    REQUIRE(p.fd >= 0);
    REQUIRE(bind(p.fd, (struct sockaddr *)&address, len) == 0);
    REQUIRE(listen(p.fd, 16) == 0);
    REQUIRE(getsockname(p.fd, (struct sockaddr *)&address, &len) == 0);
    p.port = ntohs(address.sin_port);
    return p;
}

int place_connect(unsigned port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    REQUIRE(fd >= 0);
    REQUIRE(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

struct wsp_config *config_of(const char *format, ...)
{
    struct wsp_config *config = wsp_config_new();
    char text[1024];
    va_list ap;
    int len;

    va_start(ap, format);
    len = vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    REQUIRE(len > 0 && (size_t)len < sizeof(text));
    REQUIRE(config && wsp_config_text(config, "test", text, (size_t)len) == WSP_OK);
    return config;
}

struct wsp_server *server_at(struct wsp_loop *loop, struct place place, wsp_event_handler *event,
                             void *ctx)
{
    struct wsp_config *config = config_of("{\"path\": \"/link\", " SHORT_TIMES "}");
    struct wsp_server_options options = {
        .config = config, .socket = &place.fd, .socket_count = 1, .event = event, .ctx = ctx};
    struct wsp_server *server = wsp_server_new(loop, &options, NULL);

    wsp_config_free(config);
    REQUIRE(server);
    return server;
}

struct wsp_client *client_of(struct wsp_loop *loop, unsigned port, wsp_event_handler *event,
                             void *ctx)
{
    struct wsp_config *config = config_of(
        "{\"client\": [{\"server\": \"ws://127.0.0.1:%u/link\"}], " SHORT_TIMES "}", port);
    struct wsp_client_options options = {.config = config, .event = event, .ctx = ctx};
    struct wsp_client *client = wsp_client_new(loop, &options, NULL);

    wsp_config_free(config);
    REQUIRE(client);
    return client;
}

static long now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool until(struct wsp_loop *loop, bool (*done)(const void *what), const void *what)
{
    long end = now_ms() + PATIENCE_MS;

    while (!done(what)) {
        long left = end - now_ms();

        if (left <= 0)
            return false;
        wsp_loop_wait(loop, (int)left);
    }
    return true;
}

void settle(struct wsp_loop *loop)
{
    for (unsigned i = 0; i < TURNS_MAX && wsp_loop_wait(loop, 0) == WSP_OK; i++) {
    }
}

size_t descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    REQUIRE(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}
