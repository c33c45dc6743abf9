/*
 * One HTTP/1.1 connection from a client or visitor (RFC 9112): reads request heads, lets its owner
 * say what becomes of each, and exchanges requests and responses with upstreams, one after the
 * other. Bodies are relayed as they come, framing and all.
 */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include "base/queue.h"
#include "http/failure.h"
#include "http/head_reader.h"
#include "http/upstream.h"
#include "net/stream.h"

struct http_conn;

struct http_conn_ops {
    /*
     * A request's head with well-formed framing has been read; `behind` is what was read after it.
     * The owner calls http_conn_exchange, http_conn_respond, http_conn_refuse, http_conn_detach or
     * http_conn_release before it returns.
     */
    void (*on_request)(struct http_conn *c, const struct http1_head *head, struct slice behind);
    /* An upstream for the current request, opened or being opened. NULL: *why says what to answer.
     */
    struct upstream *(*upstream)(struct http_conn *c, enum upstream_choice choice,
                                 enum failure *why);
    /* An upstream could not be opened, in the words of its RESPOND; for the log. May be NULL. */
    void (*on_failed)(struct http_conn *c, struct slice text);
    /* TLS has failed in the handshake; for the log. May be NULL. */
    void (*on_broken)(struct http_conn *c, const char *why);
    /* The response is complete and the upstream can serve another request: keep or free it. */
    void (*spare)(struct http_conn *c, struct upstream *u /* taken */);
    /* The connection is gone: free it. */
    void (*on_end)(struct http_conn *c);
};

enum http_conn_state {
    HTTP_CONN_HEAD,     /* between requests, or reading a head */
    HTTP_CONN_OPENING,  /* the upstream is being opened */
    HTTP_CONN_EXCHANGE, /* request and response flow */
    HTTP_CONN_UPGRADED, /* after a 101 that was asked for: bytes flow both ways */
    HTTP_CONN_BETWEEN,  /* a response is complete but not all sent: no next request yet */
    HTTP_CONN_FLUSHING, /* the last bytes go out, then the connection closes */
};

struct http_conn {
    const struct http_conn_ops *ops; /* borrowed */
    struct stream stream;
    struct timer timer; /* head, open, idle or flush */
    struct task next;   /* reads the next head */
    uint64_t head_us;   /* time for a head */
    uint64_t open_us;   /* time for an upstream to open */
    enum http_conn_state state;
    struct head_reader reader; /* heads, and what was read beyond them */
    struct queue out;          /* to the client, not yet sent */
    bool last;                 /* no request after the current one */

    /* the current exchange */
    struct upstream_user user;
    struct upstream *up;     /* owned; NULL between exchanges */
    struct buf request_head; /* as the upstream gets it; kept until it has answered */
    size_t head_sent;        /* bytes of it that were pulled */
    struct http1_body request;
    bool request_broken;      /* its framing turned out wrong */
    bool upgrade_asked;       /* the request forwarded asks for an upgrade */
    bool retryable;           /* may be sent again when a reused upstream turns out dead */
    bool head_method;         /* HEAD: the response has no body */
    bool is_1_0;              /* the client speaks HTTP/1.0 */
    bool keep_alive;          /* for the client, as far as is known */
    bool answered;            /* a byte of the response has come */
    bool passed;              /* a byte of it has been passed on */
    unsigned interims;        /* 1xx responses so far */
    bool far_finished;        /* UPGRADED: the upstream sends no more */
    bool in_body;             /* the response's final head has been passed on */
    bool up_keep_alive;       /* the upstream can serve another request after this one */
    struct buf response_head; /* collected */
    struct http1_body response;
};

/* Starts on `fd` (taken, even on failure). `head_us` and `open_us` are set. WSP_OK, or
 * WSP_ERR_NOMEM or WSP_ERR_SYSTEM: then on_end is not called. */
enum wsp_err http_conn_start(struct http_conn *c, struct wsp_loop *loop, int fd,
                             const struct http_conn_ops *ops);

/* The same on a stream that is open (taken, even on failure), of which `early` has been read
 * (copied). It reads from the next round of the loop on. */
enum wsp_err http_conn_start_on(struct http_conn *c, struct stream *stream, struct slice early,
                                const struct http_conn_ops *ops);

/* From on_request: exchanges it. The owner has put the head for the upstream into request_head and
 * set upgrade_asked. */
void http_conn_exchange(struct http_conn *c);

/* Sends a plain-text response and closes; `extra` are further header lines, each with CRLF. The
 * text's newline is added. From on_request, or while nothing of a response has been sent. */
void http_conn_refuse(struct http_conn *c, unsigned status, const char *extra, const char *text);

/* From on_request: sends a complete response of the owner's. The connection goes on as
 * http_conn_keeps has said, and so must the response. */
void http_conn_respond(struct http_conn *c, struct slice response);

/* From on_request: the client keeps the connection, and nothing of the request is left to be read.
 */
bool http_conn_keeps(const struct http_conn *c);

/* From on_request: takes the stream away (to `to`, with its events); on_end is not called, the
 * owner frees the connection. `behind` stays valid until http_conn_fini. */
enum wsp_err http_conn_detach(struct http_conn *c, struct stream *to,
                              void (*on_event)(struct stream *s));

/* The same for the descriptor of a plain stream that is ours, out of the loop. */
int http_conn_release(struct http_conn *c);

/* Ends it after the current response; at once when there is none. */
void http_conn_drain(struct http_conn *c);

/* Frees what it holds; an open stream is closed, or reset in the middle of a response. No
 * callback. */
void http_conn_fini(struct http_conn *c);

#endif
