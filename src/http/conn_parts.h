/* What conn.c (the connection), exchange.c (one request and its response) and upgraded.c (what
 * comes after a 101) call of each other. */
#ifndef HTTP_CONN_PARTS_H
#define HTTP_CONN_PARTS_H

#include "http/conn.h"

#define HTTP_CONN_BODY_US 60000000    /* a client may pause so long within a request's body */
#define HTTP_CONN_OUT_MAX (64 * 1024) /* bytes kept for a slow client; its channel holds more */

extern const struct upstream_user exchange_user;

/* conn.c. Those that return bool return false when the connection is gone. */
void conn_timer(struct http_conn *c, uint64_t delay_us);
bool conn_flush(struct http_conn *c);
void conn_finish(struct http_conn *c); /* closes once everything queued is sent */
void conn_next(struct http_conn *c);   /* the exchange is over: another request may come */
void conn_end(struct http_conn *c, bool reset);

/* exchange.c */
void exchange_event(struct http_conn *c); /* the client's stream has news */
bool exchange_request_done(const struct http_conn *c);

/* upgraded.c */
struct chan_pull upgraded_pull(struct http_conn *c, uint8_t *out, size_t cap);
/* The upstream sends no more. False when the exchange is no upgraded one: that is over then. */
bool upgraded_finished(struct http_conn *c);
/* The client's stream is broken. True when that has ended the connection; else what came before is
 * passed on first. */
bool upgraded_broken(struct http_conn *c);

#endif
