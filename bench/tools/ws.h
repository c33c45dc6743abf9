/* As much of RFC 6455 as a client needs that counts what it gets and does not look at it. */
#ifndef BENCH_WS_H
#define BENCH_WS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    WS_PAYLOAD_MAX = 32 * 1024, /* of a frame that is sent */
    WS_HEAD_MAX = 8,            /* of such a frame: 2, 2 of length, 4 of mask */
};

/*
 * Writes a masked binary frame with `len` (up to WS_PAYLOAD_MAX) bytes of payload to `out`, which
 * has room for WS_HEAD_MAX more. Returns its length. `random` is the state for the mask.
 */
size_t ws_frame(uint8_t *out, const uint8_t *payload, size_t len, uint64_t *random);

/* Where in a stream of frames the next byte is. All zero at the start. */
struct ws_reader {
    uint8_t head[10];
    size_t head_len;
    uint64_t left; /* payload of the frame that is still to come */
};

/*
 * Goes over `len` received bytes. Returns how many of them are payload of data frames, or -1 when
 * the server closes or sends what a server may not.
 */
ssize_t ws_count(struct ws_reader *r, const uint8_t *data, size_t len);

#endif
