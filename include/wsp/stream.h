/*
 * A channel as a byte stream of the program's own: opened by wsp_client_open, or served by
 * wsp_client_serve. Each direction ends by itself where the server speaks wsp.1; with 0.10 the
 * first end is that of both (docs/protocol.md).
 */
#ifndef WSP_STREAM_H
#define WSP_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <wsp/err.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wsp_stream;

/* Each may be NULL. `ctx` is that of wsp_stream_set_events or of the open. */
struct wsp_stream_events {
    /* The far side has accepted: bytes flow. Not for a stream that is served. */
    void (*opened)(struct wsp_stream *stream, void *ctx);
    /* There is something to read, or the end: read until WSP_ERR_MORE, or it is not called again.
     */
    void (*readable)(struct wsp_stream *stream, void *ctx);
    /* A write was short: now there is room again. */
    void (*writable)(struct wsp_stream *stream, void *ctx);
    /*
     * It is over, and only wsp_stream_free is left to call. WSP_OK: both directions have ended
     * properly, and all was read. WSP_ERR_REFUSED: it was not opened, `text` says why.
     * WSP_ERR_LOST: cut off, what was written may not have arrived. `text` is never NULL.
     */
    void (*closed)(struct wsp_stream *stream, enum wsp_err why, const char *text, void *ctx);
};

/* `events` is copied; NULL: none. What has happened before is told anew. */
WSP_API enum wsp_err wsp_stream_set_events(struct wsp_stream *stream,
                                           const struct wsp_stream_events *events, void *ctx);

/*
 * Reads up to `cap` bytes (at least 1). The count; 0 at the far side's end; WSP_ERR_MORE when there
 * is nothing now; WSP_ERR_LOST, WSP_ERR_REFUSED when it is over and all was read; WSP_ERR_USAGE.
 * Who does not read holds up the sender of this stream, and no other; but with 0.10, once 256 KiB
 * wait, all of its link, and after time.stall it is cut off.
 */
WSP_API ssize_t wsp_stream_read(struct wsp_stream *stream, void *out, size_t cap);

/*
 * Takes up to `len` bytes, copies them, and sends them by and by. The count, which can be short:
 * `writable` tells when to go on; WSP_ERR_MORE when none was taken, also before it has opened;
 * WSP_ERR_LOST, WSP_ERR_REFUSED when it is over; WSP_ERR_USAGE, also behind wsp_stream_finish.
 */
WSP_API ssize_t wsp_stream_write(struct wsp_stream *stream, const void *data, size_t len);

/* Ends our direction, behind what was written; the other can still be read. WSP_OK, also when it
 * has ended already; WSP_ERR_MORE before it has opened; WSP_ERR_USAGE. */
WSP_API enum wsp_err wsp_stream_finish(struct wsp_stream *stream);

/* Bytes of data sent and received so far; either pointer may be NULL. */
WSP_API void wsp_stream_counts(const struct wsp_stream *stream, uint64_t *sent, uint64_t *received);

/*
 * Frees it; no callback follows. When our direction was finished and all of the other was read, or
 * it is over, all that was written still arrives; else the far side sees a reset. Accepts NULL.
 */
WSP_API void wsp_stream_free(struct wsp_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
