/*
 * A client's REMOTE CONNECT, from the question to the answer, and in wsp.1 beyond it: there its
 * channel stays open while the name is held. A name that is held by a link that no longer answers
 * goes to the client that asks for it: one that was frozen or cut off must not keep its own
 * replacement out.
 */
#ifndef SERVER_CLAIM_H
#define SERVER_CLAIM_H

#include "server/register.h"

struct claim;

/* Answers the CONNECT `id` of `p` with SUCCESS: it has registered `s`. */
void claim_grant(struct peer *p, struct slice id, struct service *s);

/* Asks the holder of the name for a sign of life and answers the CONNECT by what comes of it,
 * within 3 s. False without memory: then nothing is answered. */
bool claim_contest(struct peer *p, struct slice id, struct slice url, struct service *holder);

/* The link it came on; NULL for NULL. */
const struct link *claim_link(const struct claim *c);

/* The name is its client's no more, which is told. Accepts NULL. */
void claim_end(struct claim *c);

#endif
