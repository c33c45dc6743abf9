/*
 * One link: a WebSocket that carries channels. A state machine over bytes: input goes in through
 * link_input, output is taken through link_fill, link_iov and link_sent. No I/O, no clock (`now` is
 * an argument, monotonic microseconds), no malloc per frame.
 */
#ifndef CORE_LINK_H
#define CORE_LINK_H

#include "base/buf.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/queue.h"
#include "core/channel.h"
#include "proto/ws.h"

#define LINK_MESSAGE_MAX (1024 * 1024)  /* bytes of the longest message accepted */
#define LINK_OUTPUT_TARGET (192 * 1024) /* data is pulled while less than this is queued */
#define LINK_OUTPUT_MAX (512 * 1024)    /* with more queued, no input is taken */
#define LINK_NAME_MAX 24
#define LINK_GATHER_MAX 8 /* pieces of a channel's data that are delivered at once */

struct dialect;

/* Which dialect a link speaks (docs/protocol.md). */
enum link_dialect {
    LINK_0_10,
    LINK_WSP_1,
    LINK_EITHER,        /* server: wsp.1 if the client's first message is SETTINGS, else 0.10 */
    LINK_WSP_1_AWAITED, /* server: wsp.1, begun by the client's SETTINGS */
};

struct link_ops {
    /* The peer opens a channel: answer with link_adopt (then chan_accept or chan_refuse, at once or
     * later) or link_respond. */
    void (*connect)(struct link *l, struct slice id, const struct msg_request *request);
    /* There is output to take, input can go on, or link_deadline moved. May be called often. */
    void (*wake)(struct link *l);
    /* How many bytes of the output the peer's kernel has acknowledged. */
    uint64_t (*acked)(struct link *l);
    void (*random)(void *out, size_t len);
    /* The time now, for what happens between two calls of the owner. NULL: that of the last one. */
    uint64_t (*now)(const struct link *l);
    /* wsp.1: the peer's SETTINGS have come. May be NULL. */
    void (*settled)(struct link *l);
    /* wsp.1: the peer wants nothing new on this link. May be NULL. */
    void (*goaway)(struct link *l);
};

/* A channel has opened (`how` is NULL), or has ended after it had: "reset" and so on. Not for those
 * that are mute. `ch` still has its id and counts; nothing may be done with it. */
typedef void link_channel_hook(const struct link *l, const struct chan *ch, const char *how);

struct link_options {
    bool server;                /* we accepted it */
    const char *name;           /* for the log: "link 7"; copied */
    const struct link_ops *ops; /* borrowed */
    struct pool *pool;          /* borrowed */
    const struct log *log;      /* borrowed */
    size_t max_channels;
    link_channel_hook *on_channel; /* NULL: nobody wants to know */
    enum link_dialect dialect;
    uint8_t instance[MSG_INSTANCE_LEN]; /* wsp.1: ours */
    struct credit_cap *memory;          /* borrowed: of the process; NULL: no limit */
    size_t memory_max;                  /* bytes for this link; 0: no limit of its own */
    size_t window_max;                  /* bytes for one channel; 0: CREDIT_WINDOW_FIRST */
    uint64_t ping_us;                   /* ping after this long without input; in 0.10 the client */
    uint64_t dead_us;                   /* dead after this long; in 0.10 the client */
    uint64_t probe_us;                  /* 0.10, server: ask for a sign of life after this long */
    uint64_t probe_answer_us;           /* 0.10, server: dead this long after asking */
    uint64_t stall_us;                  /* 0.10: a full channel may hold up the link this long */
};

/* Where link_input is. */
enum link_rx {
    LINK_RX_HEADER,  /* a frame header is next */
    LINK_RX_PEEK,    /* at the start of a message */
    LINK_RX_STREAM,  /* inside the data of a TRANSFER, handed on as it comes */
    LINK_RX_COLLECT, /* inside a message that is collected */
    LINK_RX_REPLAY,  /* the data of a collected TRANSFER is being handed on */
};

struct link {
    struct link_options opt;
    char name[LINK_NAME_MAX];
    const struct dialect *dialect;
    struct map channels;
    struct list flushing; /* channels that have ended, but for what their endpoints must take yet */
    size_t flushing_count;
    struct credit_cap cap; /* memory for what the peer sends */
    uint64_t now_us;       /* when the owner last called */
    uint64_t began_us;     /* when it was initialised */
    uint64_t opened;       /* channels that were opened so far, but for registrations */
    uint64_t refused;      /* opens that either side has refused, registrations included */
    uint64_t in_total;     /* bytes ever consumed */

    /* input */
    enum link_rx rx;
    struct ws_frame frame; /* being read */
    uint64_t frame_pos;    /* bytes of its payload consumed */
    size_t rx_clear;       /* bytes at the front of the input that are unmasked already */
    bool in_message;       /* a fragmented message is being collected */
    enum ws_opcode message_op;
    struct buf message;     /* collected so far */
    struct chan *gathering; /* wsp.1: whose data is gathered: delivered before anything else */
    struct iovec gathered[LINK_GATHER_MAX]; /* borrowed from the input */
    int gathered_count;
    struct chan *rx_chan; /* whose data it is; NULL once that channel is gone */
    struct chan *blocked; /* its endpoint is full; input waits */
    uint64_t blocked_us;  /* since when */

    /* wsp.1 */
    bool settled;                /* the peer's SETTINGS have come */
    bool heard;                  /* its first message has */
    bool going, peer_going;      /* GOAWAY was sent, has come */
    struct msg_settings peer;    /* what it said, or what is assumed */
    uint64_t last_id;            /* number of the newest channel that we opened */
    uint64_t peer_last_id;       /* and that the peer did */
    uint64_t connect_window;     /* of the CONNECT that `connect` is called for */
    uint64_t ping_seq, ping_us;  /* of the last ping for the round trip; 0: answered */
    uint64_t rtt_us, rtt_old_us; /* smallest in this period and the one before; 0: none */
    uint64_t rtt_period_us;      /* when this period began */
    uint64_t rtt_next_us;        /* when it may be measured again */

    /* output */
    struct queue out;    /* frames not yet taken */
    struct block *spare; /* owned: being filled, not queued yet */
    struct block *lent; /* borrowed, or owned while not queued: a channel is putting data into it */
    uint64_t out_total; /* ever queued: position of the end of the queue */
    uint64_t out_sent;  /* ever taken */
    struct list fresh;  /* channels with data whose share of this round is not used up */
    struct list ready;  /* the others with data, served in turns */
    uint32_t round;     /* of turns */
    uint8_t masks[256]; /* random bytes not yet used */
    size_t masks_left;

    /* hazards: first waiting for the acknowledgement, then for 5 ms */
    struct list unacked, settling;
    struct list quiet;    /* patient channels, waiting for silence */
    uint64_t ack_poll_us; /* interval of looking */
    uint64_t ack_next_us; /* when to look again */

    /* life */
    uint64_t last_rx_us;    /* any input */
    uint64_t beat_us;       /* when we last showed life while not reading */
    uint64_t asked_us;      /* when we pinged or probed; 0: not since the last input */
    uint64_t full_tick_us;  /* full output: when that was last looked at */
    uint64_t moved_us;      /* full output: when the peer last took some of it */
    uint64_t moved_sent;    /* out_sent then */
    bool closing;           /* a close frame is queued: nothing goes behind it */
    bool failed;            /* no input is taken any more */
    unsigned close_code;    /* that we sent or got */
    char error[96];         /* why it failed; "" when the peer closed it */
    struct log_limit noise; /* for log lines about the peer's faults */
};

enum wsp_err link_init(struct link *l, const struct link_options *opt, uint64_t now);

/* Ends it: every channel is closed with CHAN_END_LINK_LOST. Not from inside a callback. */
void link_fini(struct link *l);

/* Closes every channel with CHAN_END_LINK_LOST; the link accepts nothing any more. */
void link_lost(struct link *l);

/*
 * Consumes bytes from the peer; `data` may be changed in place. *used tells how many were consumed:
 * keep the rest and present it again with more behind it, or once link_wants_input.
 * WSP_OK, or WSP_ERR_MALFORMED when the link has failed (a close frame may be in the output).
 */
enum wsp_err link_input(struct link *l, uint8_t *data, size_t len, size_t *used, uint64_t now);

/* False while a full channel or unsent output holds up the input. */
bool link_wants_input(const struct link *l);

/* Pulls from ready channels while there is room. */
void link_fill(struct link *l);

/* The queued output as up to `max` vectors; returns how many. Borrowed until link_sent. */
int link_iov(const struct link *l, struct iovec *iov, int max);

/* The first n bytes of the output were taken. */
void link_sent(struct link *l, size_t n);

/* Sends a close frame; nothing follows it. The link has failed() afterwards. */
void link_close(struct link *l, unsigned code, const char *why);

/* When link_tick wants to be called next: a time, UINT64_MAX for never. */
uint64_t link_deadline(const struct link *l);

/* Pings, declares dead (link->failed), lets waiting messages go. */
void link_tick(struct link *l, uint64_t now);

/* wsp.1: wants nothing new on this link from now on; in 0.10 nothing is said. */
void link_goaway(struct link *l);

/* The dialect that is spoken, as far as is known: LINK_0_10 or LINK_WSP_1. */
enum link_dialect link_speaks(const struct link *l);

/* Whether something new can be opened. */
bool link_takes_opens(const struct link *l);

/* The smallest round trip of the last 5 to 10 minutes, in microseconds; 0: not known. So long,
 * since the round trips of a link that is full are those of its queues. */
uint64_t link_rtt_us(const struct link *l);

/* Asks the peer for a sign of life: any input after this is one. */
void link_ask_life(struct link *l, uint64_t now);

/* Opens a channel: `ch` is CHAN_IDLE or CHAN_CLOSED and initialised. WSP_OK, WSP_ERR_LIMIT,
 * WSP_ERR_NOMEM, or WSP_ERR_REFUSED when the link has failed or takes no opens. */
enum wsp_err link_open(struct link *l, struct chan *ch, const struct msg_request *request);

/* From `connect`: the channel is ASKED. WSP_OK, WSP_ERR_LIMIT or WSP_ERR_NOMEM. */
enum wsp_err link_adopt(struct link *l, struct chan *ch, struct slice id);

/* Answers a CONNECT that becomes no channel with FAILED and `text`. */
void link_refuse(struct link *l, struct slice id, const char *text);

/* Answers a CONNECT that becomes no channel. */
void link_respond(struct link *l, struct slice id, const struct msg_response *response);

#endif
