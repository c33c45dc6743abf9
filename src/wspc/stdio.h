/*
 * Standard input and output as a socket: two threads carry the bytes between them and a socket
 * pair, since they can be anything: pipes, files, a terminal.
 */
#ifndef WSPC_STDIO_H
#define WSPC_STDIO_H

#include <pthread.h>
#include <stdbool.h>

struct stdio_pair {
    pthread_t reader, writer;
    int far;      /* the threads' end; -1: none */
    bool started; /* the writer runs */
};

/* The other end, non-blocking and owned by the caller; -1 when it cannot be had. stdio_close either
 * way. */
int stdio_open(struct stdio_pair *s);

/* Waits for what is still to be written to standard output: once the other end is closed. */
void stdio_close(struct stdio_pair *s);

#endif
