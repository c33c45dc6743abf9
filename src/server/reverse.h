/* Requests for HTTP services: what the service gets to see, and the channels to it. */
#ifndef SERVER_REVERSE_H
#define SERVER_REVERSE_H

#include "server/front.h"

/* Exchanges a request with f->service. `rest` and `query` (with its '?', or empty) are what the
 * target has behind the service's part. */
void reverse_request(struct front *f, const struct http1_head *head, struct slice rest,
                     struct slice query);

/* For struct http_conn_ops. */
struct upstream *reverse_upstream(struct http_conn *c, enum upstream_choice choice,
                                  enum failure *why);
void reverse_failed(struct http_conn *c, struct slice text);
void reverse_spare(struct http_conn *c, struct upstream *u);

/* The visitor's connection ends: what is kept for him alone ends, too. */
void reverse_leave(struct front *f);

#endif
