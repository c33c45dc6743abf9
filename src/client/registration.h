/*
 * The session's entries of `remote`: registered with the server whenever a link comes up, one after
 * the other; one that is refused is tried again while the others work.
 */
#ifndef CLIENT_REGISTRATION_H
#define CLIENT_REGISTRATION_H

#include "client/session.h"

#define REGISTRATION_ERROR_MAX 160

enum registration_state {
    REGISTRATION_WANTED, /* to be asked for */
    REGISTRATION_ASKED,  /* CONNECT is out */
    REGISTRATION_LATE,   /* no answer in time: the others go on, it still counts when it comes */
    REGISTRATION_DONE,
    REGISTRATION_REFUSED, /* until its timer asks again */
};

struct registration {
    struct list node;        /* on session->registrations */
    struct chan chan;        /* in 0.10 only for the question: the id is finished with the answer */
    const struct link *link; /* to be compared only: where it was asked for */
    char link_name[LINK_NAME_MAX];
    struct session *session;
    struct wspc_remote remote; /* owned */
    enum registration_state state;
    struct timer timer; /* for the answer, or until the next try */
    uint64_t backoff_us;
    char error[REGISTRATION_ERROR_MAX]; /* REFUSED: why */
    bool unwanted; /* a reload has dropped it, but 0.10 cannot withdraw: until its link ends */
};

/* Takes the entries out of s->config. WSP_OK or WSP_ERR_NOMEM. */
enum wsp_err registrations_take(struct session *s);

/* Withdraws those that `entry` does not have, and takes the others out of it. */
void registrations_withdraw_others(struct session *s, struct wspc_client *entry);

void registrations_fini(struct session *s);

/* The session's links have changed, or its entries: asks for what is not registered. */
void registrations_go_on(struct session *s);

/* What is offered under a name, or NULL. */
const struct wspc_remote *registration_find(const struct session *s, struct slice name);

#endif
