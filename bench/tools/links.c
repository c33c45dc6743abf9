/*
 * Links that do nothing, as wspc opens them.
 *
 *     links HOST:PORT PATH AUTH COUNT 0.10|wsp.1
 *
 * Prints "held N" when all are up and keeps them until standard input ends.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"
#include "opening.h"

/* The first message of a wsp.1 link: SETTINGS with a window of 64 KiB, 32 KiB for a TRANSFER, and
 * an instance id, whose first bytes are different for each link. */
static const uint8_t settings[] = {
    0x10, 7,                      /* cmd */
    0x1a, 26,                     /* data */
    0x08, 0x80, 0x80, 0x04,       /* window */
    0x10, 0x80, 0x80, 0x02,       /* transfer */
    0x1a, 16,   0,    0,    0, 0, /* instance */
    0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0,
};

enum {
    INSTANCE_AT = 14,
};

static int connect_to(const struct sockaddr_in *address)
{
    struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
        die("cannot connect: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

/* Reads the head of the answer, and no byte behind it. */
static void expect_switch(int fd)
{
    char head[2048];
    size_t len = 0;

    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
        if (len == sizeof(head) || recv(fd, head + len, 1, 0) != 1)
            die("no answer to the upgrade");
        len++;
    }
    if (memcmp(head + 8, " 101", 4) != 0)
        die("refused: %.12s", head);
}

static void send_all(int fd, const void *data, size_t len)
{
    if (send(fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
        die("cannot send: %s", strerror(errno));
}

static void introduce(int fd, size_t number)
{
    uint8_t message[sizeof(settings)], frame[sizeof(settings) + WS_HEAD_MAX];
    uint64_t random = (uint64_t)now_ns() | 1;

    memcpy(message, settings, sizeof(settings));
    memcpy(message + INSTANCE_AT, &number, sizeof(number));
    send_all(fd, frame, ws_frame(frame, message, sizeof(message), &random));
}

static void open_link(char **argv, size_t number)
{
    bool wsp1 = strcmp(argv[5], "wsp.1") == 0;
    struct sockaddr_in address;
    char text[1024];
    int fd, len;

    address_parse(&address, argv[1], '\0');
    fd = connect_to(&address);
    len = snprintf(text, sizeof(text),
                   "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n"
                   "Auth: %s\r\nProto: 0.10\r\n%s\r\n",
                   argv[2], argv[1], argv[3], wsp1 ? "Sec-WebSocket-Protocol: wsp.1\r\n" : "");
    send_all(fd, text, (size_t)len);
    expect_switch(fd);
    if (wsp1)
        introduce(fd, number);
}

int main(int argc, char **argv)
{
    size_t count;

    if (argc != 6)
        die("usage: links HOST:PORT PATH AUTH COUNT 0.10|wsp.1");
    prepare();
    count = (size_t)number(argv[4], "COUNT", 100000);
    for (size_t i = 0; i < count; i++)
        open_link(argv, i + 1);
    say("held %zu", count);
    wait_input_end();
    return 0;
}
