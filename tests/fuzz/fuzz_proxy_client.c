/* The answers of proxies: byte by byte they say the same as in one piece, and no more is consumed
 * than is there. The first byte chooses the proxy. */
#include <assert.h>

#include "proto/no_proxy.h"
#include "proto/proxy_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes `in` with `step` bytes more at a time; *left gets what is left of it. */
static enum wsp_err take_all(const struct proxy_request *r, struct slice in, size_t step,
                             size_t *left)
{
    uint8_t out[PROXY_MESSAGE_MAX];
    size_t begin = 0, end = 0, len;
    struct proxy_client c;
    enum wsp_err err = proxy_client_start(&c, r, out, &len);

    assert(err == WSP_OK && len > 0 && len <= sizeof(out));
    do {
        struct slice rest;

        if (len == 0)
            end = in.len - end < step ? in.len : end + step;
        rest = slice_of(in.p + begin, end - begin);
        err = proxy_client_take(&c, &rest, out, &len);
        assert(rest.len <= end - begin && rest.p + rest.len == in.p + end && len <= sizeof(out));
        assert(memchr(c.why, '\0', sizeof(c.why)));
        begin = end - rest.len;
    } while (err == WSP_ERR_MORE && (len || end < in.len));
    *left = in.len - begin;
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_request r = {.host = slice_str("server.test"), .port = 8010};
    struct slice in = slice_of(data, size);
    size_t left[2];
    enum wsp_err err;

    if (size == 0)
        return 0;
    slice_advance(&in, 1);
    no_proxy_matches(in, "server.test", 8010);
    no_proxy_matches(in, "127.0.0.1", 8010);
    r.kind = data[0] & 1 ? PROXY_SOCKS5 : PROXY_HTTP;
    if (data[0] & 2)
        r.user = r.password = slice_str("s3cret");
    err = take_all(&r, in, in.len + 1, &left[0]);
    assert(take_all(&r, in, 1, &left[1]) == err);
    assert(err != WSP_OK || left[0] == left[1]);
    return 0;
}
