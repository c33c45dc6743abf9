/*
 * Where a TLS session reads and writes when it has no descriptor: it reads from a borrowed slice
 * and writes to a borrowed place, or, when that is full, to a buffer of its own.
 */
#ifndef NET_TLS_BIO_H
#define NET_TLS_BIO_H

#include "base/buf.h"

#define TLS_BIO_OUT_MAX (64 * 1024) /* with more in `out`, the session fails */

struct bio_st;
struct bio_method_st;

struct tls_bio {
    struct slice in; /* borrowed: not read yet */
    uint8_t *to;     /* borrowed: output goes here first; NULL: nowhere */
    size_t room;     /* bytes free at `to` */
    struct buf out;  /* what came when there was no room */
};

/* Owned by the caller, BIO_meth_free; outlives the BIOs. NULL without memory. */
struct bio_method_st *tls_bio_method_new(void);

/* A BIO over `b` (borrowed while it exists); NULL without memory. */
struct bio_st *tls_bio_new(const struct bio_method_st *method, struct tls_bio *b);

/* Moves from `out` to `to` what fits. */
void tls_bio_drain(struct tls_bio *b);

#endif
