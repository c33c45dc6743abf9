/* One WebSocket of a session to its server: connected, upgraded, and its link. */
#ifndef CLIENT_UPLINK_H
#define CLIENT_UPLINK_H

#include "client/session.h"
#include "client/upgrade.h"
#include "client/via.h"
#include "net/carrier.h"
#include "net/dialer.h"

#define UPLINK_ERROR_MAX 384

enum uplink_state {
    UPLINK_WAITING,    /* until the back-off has passed */
    UPLINK_DIALING,    /* TCP */
    UPLINK_TUNNELLING, /* through a proxy */
    UPLINK_SECURING,   /* TLS handshake, of wss:// */
    UPLINK_UPGRADING,  /* request sent, waiting for the 101 */
    UPLINK_UP,
};

struct uplink {
    struct list node; /* on session->uplinks */
    struct session *session;
    char name[LINK_NAME_MAX]; /* "link 1"; "link 1.2" for the second of the first entry */
    enum uplink_state state;
    bool leaving;                 /* the server wants nothing new on it: another takes its place */
    struct carrier carrier;       /* UPLINK_UP */
    struct dial dial;             /* UPLINK_DIALING */
    struct stream stream;         /* between that and UPLINK_UP */
    struct via via;               /* UPLINK_TUNNELLING */
    struct upgrade upgrade;       /* UPLINK_UPGRADING */
    struct timer timer;           /* back-off or handshake */
    uint64_t backoff_us;          /* upper bound of the next wait */
    char error[UPLINK_ERROR_MAX]; /* why the last attempt or link ended; "" so far */
};

/* Begins to connect. NULL without memory. */
struct uplink *uplink_new(struct session *s);

/* Ends it at once. */
void uplink_free(struct uplink *u);

/* The daemon wants to end: the server is told; a link that is down is not sought again. */
void uplink_drain(struct uplink *u);

/* A channel can be opened on it. */
bool uplink_takes_opens(const struct uplink *u);

#endif
