#include "api/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char text[WSP_ERROR_MAX];
static int lent;

void check_rows(const struct row *rows, size_t count)
{
    unsigned failed = 0;

    for (size_t i = 0; i < count; i++) {
        if (!rows[i].ok)
            fprintf(stderr, "not so: %s\n", rows[i].call);
        failed += !rows[i].ok;
    }
    REQUIRE(failed == 0);
}

char *unsaid(void)
{
    memset(text, '\n', sizeof(text));
    text[0] = '\0';
    return text;
}

bool told(bool as_expected)
{
    size_t len = strnlen(text, sizeof(text));

    return as_expected && len > 0 && len < sizeof(text) && !memchr(text, '\n', len);
}

/* The other end is closed at once: nobody reads it. */
int lent_socket(void)
{
    int pair[2];

    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    close(pair[1]);
    lent = pair[0];
    return lent;
}

bool is_closed(void)
{
    return fcntl(lent, F_GETFD) < 0 && errno == EBADF;
}
