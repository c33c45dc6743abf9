/* The loop's deadlines: a binary heap of timers embedded in their owners. */
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include <stddef.h>
#include <stdint.h>

#include "wsp/err.h"

struct timer;

struct timer_heap {
    struct timer **item; /* owned; item[0] is due first */
    size_t count, cap;
};

void timer_heap_fini(struct timer_heap *h);

/* Puts the timer in, or moves it to where its due_us belongs. WSP_OK or WSP_ERR_NOMEM. */
enum wsp_err timer_heap_put(struct timer_heap *h, struct timer *t);

/* Takes it out; safe when it is not in. */
void timer_heap_remove(struct timer_heap *h, struct timer *t);

#endif
