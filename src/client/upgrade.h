/* The upgrade of a connection to a link: our request, and the server's answer. */
#ifndef CLIENT_UPGRADE_H
#define CLIENT_UPGRADE_H

#include "config/wspc_config.h"
#include "http/head_reader.h"
#include "net/stream.h"
#include "proto/handshake.h"

#define UPGRADE_ERROR_MAX 384

/* Zeroed before upgrade_start. */
struct upgrade {
    struct head_reader reader;
    char key[WS_KEY_LEN + 1];
    bool offered;                   /* wsp.1 */
    enum handshake_dialect dialect; /* what the server selected */
    struct slice behind;            /* what came behind its answer: borrowed until upgrade_fini */
    char error[UPGRADE_ERROR_MAX];  /* for the log */
};

/* Sends the request of an entry of `client`. WSP_OK, or as upgrade_read when it fails. */
enum wsp_err upgrade_start(struct upgrade *u, struct stream *stream,
                           const struct wspc_client *config);

/*
 * To be called when the stream can be read. WSP_OK: it is a link; u->dialect and u->behind are set.
 * WSP_ERR_MORE: wait for the stream's next event. Anything else: it has failed, and u->error says
 * why. The stream stays open, whatever happens.
 */
enum wsp_err upgrade_read(struct upgrade *u, struct stream *stream);

/* Safe at any time; u->error stays. */
void upgrade_fini(struct upgrade *u);

#endif
