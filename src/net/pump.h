/* Two streams joined: what comes from one is sent to the other, each end passed on by itself. */
#ifndef NET_PUMP_H
#define NET_PUMP_H

#include "base/buf.h"
#include "net/stream.h"

/* One direction. */
struct pump_way {
    struct buf held; /* read, and not sent yet: at most PUMP_STEP bytes */
    bool ended;      /* its source has */
    bool finished;   /* and its sink was told */
};

/* Embedded in its owner. */
struct pump {
    struct stream stream[2];
    struct pump_way way[2]; /* way[i] leads from stream[i] to the other */
    struct task task;
    void (*on_end)(struct pump *p); /* both have ended, or one broke: free it */
};

#define PUMP_STEP (16 * 1024)

/* Takes both streams, which are open and of one loop, even on failure. WSP_OK or WSP_ERR_SYSTEM. */
enum wsp_err pump_start(struct pump *p, struct stream *a, struct stream *b,
                        void (*on_end)(struct pump *p));

/* Ends it at once, without on_end; what is open is reset. */
void pump_fini(struct pump *p);

#endif
