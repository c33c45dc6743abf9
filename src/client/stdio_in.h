/*
 * wspc -W: standard input and output as a connection to a channel, for ssh's ProxyCommand. Two
 * threads carry the bytes between them and a socket, since they can be anything: pipes, files, a
 * terminal; the rest of the program sees one more local connection.
 */
#ifndef CLIENT_STDIO_IN_H
#define CLIENT_STDIO_IN_H

#include <pthread.h>

#include "client/session.h"

struct stdio_in {
    struct client *client;
    struct proxy_listener listener; /* that never listened: the place of the one connection */
    struct timer timer;             /* looks for the link, then for the end */
    uint64_t deadline_us;           /* for the link to come up */
    pthread_t reader, writer;
    int near, far; /* the socket pair: ours, the threads' */
    bool started;  /* the threads run */
    bool failed;   /* no channel was ever opened; set by stdio_in_fini */
    /* The connection has ended, or never came to be. */
    void (*on_end)(struct stdio_in *s);
};

/*
 * Waits for the client's first link and opens `channel` (decoded) through it; both strings and `s`
 * are borrowed until stdio_in_fini. WSP_OK, WSP_ERR_SYSTEM or WSP_ERR_NOMEM.
 */
enum wsp_err stdio_in_start(struct stdio_in *s, struct client *c, char *channel, char *password);

/* Waits for what is still to be written to standard output; after client_stop. */
void stdio_in_fini(struct stdio_in *s);

#endif
