/*
 * The session's entries of `remote`: registered with the server whenever a link comes up, one after
 * the other; one that is refused is tried again while the others work.
 */
#ifndef CLIENT_REGISTRATION_H
#define CLIENT_REGISTRATION_H

#include "client/session.h"

#define REGISTRATION_ERROR_MAX 160

/* What the program serves itself, under a name: who opens it gets no connection to anywhere. */
struct served {
    struct registration *registration; /* NULL: its session has ended, or the name is withdrawn */
    /* Somebody who knows the password opens it: adopts the CONNECT, or refuses it. */
    void (*open)(struct served *sv, struct session *s, struct link *l, struct slice id);
};

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
    struct served *served;     /* borrowed; NULL: it is an entry of the configuration */
    enum registration_state state;
    struct timer timer; /* for the answer, or until the next try */
    uint64_t backoff_us;
    char error[REGISTRATION_ERROR_MAX]; /* REFUSED: why */
    bool unwanted; /* a reload has dropped it, but 0.10 cannot withdraw: until its link ends */
};

/* Takes the entries out of s->config. WSP_OK or WSP_ERR_NOMEM. */
enum wsp_err registrations_take(struct session *s);

/* Adds one for `sv`, to be asked for by registrations_go_on; `remote` is taken. WSP_OK or
 * WSP_ERR_NOMEM. */
enum wsp_err registration_serve(struct session *s, struct wspc_remote *remote, struct served *sv);

/* `sv`, which is registered, is served no more. */
void registration_withdraw(struct served *sv);

/* Withdraws those of the configuration that `entry` does not have, and takes the others out of it;
 * or all there are. */
void registrations_withdraw_others(struct session *s, struct wspc_client *entry);
void registrations_withdraw_all(struct session *s);

void registrations_fini(struct session *s);

/* The session's links have changed, or its entries: asks for what is not registered. */
void registrations_go_on(struct session *s);

/* What is offered under a name, or NULL. */
const struct registration *registration_find(const struct session *s, struct slice name);

#endif
