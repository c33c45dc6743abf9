#include "net/tls_bio.h"

#include <openssl/bio.h>

static int on_read(BIO *bio, char *out, size_t cap, size_t *got)
{
    struct tls_bio *b = BIO_get_data(bio);
    size_t n = b->in.len < cap ? b->in.len : cap;

    BIO_clear_retry_flags(bio);
    *got = n;
    if (n == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(out, b->in.p, n);
    slice_advance(&b->in, n);
    return 1;
}

/* As much as fits at `to`. */
static size_t put(struct tls_bio *b, struct slice in)
{
    size_t n = in.len < b->room ? in.len : b->room;

    if (n == 0)
        return 0;
    memcpy(b->to, in.p, n);
    b->to += n;
    b->room -= n;
    return n;
}

static int on_write(BIO *bio, const char *data, size_t len, size_t *written)
{
    struct tls_bio *b = BIO_get_data(bio);
    struct slice in = slice_of(data, len);

    BIO_clear_retry_flags(bio);
    *written = 0;
    if (b->out.len == 0)
        slice_advance(&in, put(b, in));
    if (in.len && (b->out.len > TLS_BIO_OUT_MAX || buf_append(&b->out, in.p, in.len) != WSP_OK))
        return 0;
    *written = len;
    return 1;
}

static long on_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_method_new(void)
{
    /* A type number of its own (BIO_get_new_index) would never be given back. */
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "channel");

    if (m && BIO_meth_set_read_ex(m, on_read) && BIO_meth_set_write_ex(m, on_write) &&
        BIO_meth_set_ctrl(m, on_ctrl))
        return m;
    BIO_meth_free(m);
    return NULL;
}

BIO *tls_bio_new(const BIO_METHOD *method, struct tls_bio *b)
{
    BIO *bio = BIO_new(method);

    if (bio) {
        BIO_set_data(bio, b);
        BIO_set_init(bio, 1);
    }
    return bio;
}

void tls_bio_drain(struct tls_bio *b)
{
    buf_consume(&b->out, put(b, buf_slice(&b->out)));
    if (b->out.len == 0)
        buf_fini(&b->out);
}
