/*
 * The stream of wsp/stream.h: the endpoint of a channel, between the link's callbacks, which only
 * note what has happened, and the program's, which a task calls.
 *
 *   WAITING --a link is up--> OPENING --RESPOND SUCCESS--> OPEN --> OVER
 *   OFFERED --the program is asked--> SHOWN --accepted--> OPEN --> OVER
 *   any --failed, refused, lost, freed--> OVER
 */
#ifndef API_STREAM_H
#define API_STREAM_H

#include "api/destination.h"
#include "client/link_wait.h"
#include "core/channel.h"
#include "wsp/stream.h"

#define STREAM_UNSENT_MAX \
    (64 * 1024) /* bytes taken from the program that the link has no room for */
#define STREAM_TEXT_MAX 256

enum stream_stage {
    STAGE_WAITING, /* for a link */
    STAGE_OPENING, /* for the answer */
    STAGE_OFFERED, /* the program is to be asked whether it accepts */
    STAGE_SHOWN,   /* it is being asked */
    STAGE_OPEN,
    STAGE_OVER, /* the channel is gone, and has left its session */
};

struct serving;

struct wsp_stream {
    struct wsp_loop *loop; /* a reference */
    struct list node;      /* on wsp_client->streams, until either is freed */
    struct task notify;    /* calls the program */
    struct task end;       /* frees it when the turn is over */
    struct chan chan;
    struct session_user user; /* while the channel lives; session NULL: it does not */
    struct link_wait wait;    /* WAITING */
    struct destination to;    /* WAITING */
    struct timer timer;       /* OPENING: for the answer; freed: for the rest to go out */
    struct serving *serving;  /* OFFERED: who is asked; NULL: it is served no more */
    enum stream_stage stage;
    struct wsp_stream_events events;
    void *ctx;         /* borrowed; of the events */
    bool silent;       /* its client has been freed: nothing is told any more */
    bool dying;        /* freed by the program; it lives on while its rest goes out */
    bool opened;       /* by us, and accepted */
    bool finishing;    /* our end stands behind `unsent` */
    bool heard_end;    /* the far side's was reached */
    bool short_write;  /* the last write was: room is worth telling */
    struct buf unsent; /* at most STREAM_UNSENT_MAX */
    enum wsp_err why;  /* OVER */
    char text[STREAM_TEXT_MAX];
    struct { /* what the program knows already */
        bool opened, readable, writable, closed;
    } told;
};

/* It can be used: neither NULL nor freed. */
static inline bool stream_is_usable(const struct wsp_stream *st)
{
    return st && !st->dying;
}

/* Of a client, WAITING; NULL without memory. */
struct wsp_stream *stream_new(struct wsp_client *c);

/* Frees one that nobody has seen, and that has asked for nothing. */
void stream_discard(struct wsp_stream *st);

/* Joins the session, and opens the channel. On error, as session_open or WSP_ERR_NOMEM, it is as it
 * was before. */
enum wsp_err stream_ask(struct wsp_stream *st, struct session *s, const struct destination *to);

/* OVER, with a text that is copied; told, unless it is the rest of a stream or was never shown:
 * those are freed. The channel is not live. */
void stream_over(struct wsp_stream *st, enum wsp_err why, const char *text);

/* Somebody opens what `sv` serves. */
void stream_offer(struct wsp_client *c, struct serving *sv, struct session *s, struct link *l,
                  struct slice id);

/* Something is to be told, soon. */
void stream_tell(struct wsp_stream *st);

/* The program is asked or told, by the task (api/stream_notify.c). */
void stream_notify(struct task *t);

/* Its client is freed: what belongs to it is over, and nothing is told any more. */
void streams_orphan(struct wsp_client *c);

/* `sv` is served no more: nobody is asked about what was offered. */
void streams_forget_serving(struct wsp_client *c, const struct serving *sv);

#endif
