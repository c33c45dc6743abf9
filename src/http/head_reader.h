/*
 * Collects an HTTP head from a stream. A head that trickles in is parsed again only when a line
 * has been completed, so that slow input costs no more than fast.
 */
#ifndef HTTP_HEAD_READER_H
#define HTTP_HEAD_READER_H

#include "base/buf.h"
#include "net/stream.h"
#include "proto/http1.h"

struct head_reader {
    struct buf in;  /* what has been read, the head first */
    size_t scanned; /* bytes of it in which a line end was looked for */
};

void head_reader_fini(struct head_reader *r);

/*
 * Reads what is there and tries to parse a request head at the front of r->in.
 * WSP_OK: `head` is filled and borrows from r->in; *head_len is its length there, what follows is
 * behind it. WSP_ERR_MORE: wait for the stream's next event. WSP_ERR_MALFORMED, WSP_ERR_LIMIT: bad
 * head. WSP_ERR_REFUSED: the peer has closed. WSP_ERR_SYSTEM: broken. WSP_ERR_NOMEM.
 */
enum wsp_err head_reader_request(struct head_reader *r, struct stream *s, struct http1_head *head,
                                 size_t *head_len);

/* The same for a response head. */
enum wsp_err head_reader_response(struct head_reader *r, struct stream *s, struct http1_head *head,
                                  size_t *head_len);

#endif
