/*
 * An HTTP proxy client's connection: CONNECT makes it a tunnel; requests in absolute-form are
 * exchanged one after the other, each with its own origin.
 */
#ifndef CLIENT_HTTP_IN_H
#define CLIENT_HTTP_IN_H

#include "base/queue.h"
#include "client/failure.h"
#include "client/session.h"

enum http_in_state {
    HTTP_IN_HEAD,     /* between requests, or reading a head */
    HTTP_IN_OPENING,  /* the channel to the origin is being opened */
    HTTP_IN_EXCHANGE, /* request and response flow */
    HTTP_IN_FLUSHING, /* the last response goes out, then the connection closes */
};

struct http_in {
    struct session_user user;
    struct proxy_listener *listener;
    struct stream stream; /* the client's */
    struct timer timer;   /* head, open, idle or flush */
    enum http_in_state state;
    struct head_reader reader; /* from the client: heads, and what was read beyond them */
    struct queue out;          /* to the client, not yet sent */

    /* the origin of the current or last request */
    struct chan origin;
    char origin_host[SOCKS5_HOST_MAX];
    unsigned origin_port;
    bool origin_reused; /* the channel served a request before this one */

    /* the current exchange */
    struct buf request_head; /* as the origin gets it; kept until it has answered */
    size_t head_sent;        /* bytes of it that were pulled */
    struct http1_body request;
    bool retryable;   /* may be sent again on a new channel when a reused one turns out dead */
    bool is_1_0;      /* the client speaks HTTP/1.0 */
    bool head_method; /* the method is HEAD: the response has no body */
    bool keep_alive;  /* for the client, as far as is known */
    bool answered;    /* a byte of the response has come */
    bool in_body;     /* the response's final head has been passed on */
    bool origin_keep_alive;
    struct buf response_head; /* collected */
    struct http1_body response;
};

/* `fd` is taken, and its place in the listener. */
void http_in_accept(struct proxy_listener *p, int fd);

/* Between the two files: http_in.c (the connection) and http_exchange.c (one request). */

/* Begins the exchange for a request whose head is in request_head; may end the connection. */
void http_exchange_begin(struct http_in *c, struct slice host, unsigned port);
/* The client's stream has news during an exchange. */
void http_exchange_event(struct http_in *c);
/* The exchange is over and the client may send another request. */
void http_in_next(struct http_in *c);
/* Sends an error response and closes. */
void http_in_refuse(struct http_in *c, unsigned status, const char *text);
/* Sends what is queued. False when the connection is gone. */
bool http_in_flush(struct http_in *c);
/* Closes once everything queued is sent. */
void http_in_finish(struct http_in *c);
/* Ends it at once; with `reset` so that the client sees that the response is cut. */
void http_in_end(struct http_in *c, bool reset);
void http_in_timer(struct http_in *c, uint64_t delay_us);

#endif
