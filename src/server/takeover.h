/*
 * A name that is held by a link that no longer answers goes to the client that asks for it: a
 * client that was frozen or cut off must not keep its own replacement out.
 */
#ifndef SERVER_TAKEOVER_H
#define SERVER_TAKEOVER_H

#include "server/register.h"

/* Asks the holder for a sign of life and answers the newcomer's CONNECT `id` by what comes of it,
 * within 3 s. False without memory: then nothing is answered. */
bool takeover_start(struct peer *newcomer, struct slice id, struct slice url,
                    struct service *holder);

#endif
