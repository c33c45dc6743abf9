/* SOCKS5: each message on its own; what is consumed lies in the input. */
#include <assert.h>

#include "proto/socks5.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);
    struct socks5_greeting greeting;
    struct socks5_auth auth;
    struct socks5_request request;
    uint8_t out[SOCKS5_REPLY_MAX];

    socks5_greeting_parse(&in, &greeting);
    assert(in.len <= size && in.p + in.len == data + size);
    in = slice_of(data, size);
    socks5_auth_parse(&in, &auth);
    assert(in.len <= size && in.p + in.len == data + size);
    in = slice_of(data, size);
    if (socks5_request_parse(&in, &request) == WSP_OK && request.reply == SOCKS5_SUCCEEDED)
        assert(request.host[0]);
    assert(in.len <= size && in.p + in.len == data + size);
    assert(socks5_reply_write(SOCKS5_SUCCEEDED, slice_of(data, size), out) <= sizeof(out));
    return 0;
}
