/* Readiness of descriptors: a thin face over epoll, so that kqueue can stand beside it later. */
#ifndef NET_POLLER_H
#define NET_POLLER_H

#include <stddef.h>

#include "wsp/err.h"

enum poller_event {
    POLLER_READ = 1,
    POLLER_WRITE = 2,
    POLLER_HANGUP = 4,  /* the peer sent FIN, or an error waits to be read */
    POLLER_BROKEN = 16, /* both directions are gone */
};
#define POLLER_LEVEL 8 /* interest only: report again while it lasts, not just when it changes */

struct poller_ready {
    void *data;
    unsigned events; /* enum poller_event */
};

struct poller {
    int fd; /* owned; readable when something is ready */
};

/* WSP_OK or WSP_ERR_SYSTEM (errno). */
enum wsp_err poller_init(struct poller *p);
void poller_fini(struct poller *p);

/* `interest`: READ and WRITE, or'ed with POLLER_LEVEL; HANGUP is always reported. Edge-triggered
 * unless POLLER_LEVEL. Return WSP_OK or WSP_ERR_SYSTEM (errno). */
enum wsp_err poller_add(struct poller *p, int fd, unsigned interest, void *data);
enum wsp_err poller_modify(struct poller *p, int fd, unsigned interest, void *data);
void poller_remove(struct poller *p, int fd);

/* Fills up to `max` entries without waiting; returns how many. */
size_t poller_poll(struct poller *p, struct poller_ready *ready, size_t max);

#endif
