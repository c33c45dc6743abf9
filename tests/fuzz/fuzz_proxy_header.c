/* PROXY headers: what is parsed and written again says the same. */
#include <assert.h>

#include "proto/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct proxy_header *h, enum proxy_version version)
{
    uint8_t out[PROXY_WRITE_MAX];
    struct slice in = slice_of(out, proxy_header_write(h, version, out));
    struct ip_addr from = ip_addr_mapped(&h->from.ip);
    struct proxy_header again;

    assert(proxy_header_parse(&in, &again) == WSP_OK && in.len == 0);
    assert(again.known == h->known);
    again.from.ip = ip_addr_mapped(&again.from.ip);
    assert(!h->known || (ip_addr_eq(&from, &again.from.ip) && h->from.port == again.from.port));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);
    struct proxy_header h;
    enum wsp_err err = proxy_header_parse(&in, &h);

    if (err != WSP_OK) {
        assert(in.p == data && in.len == size);
        assert(err != WSP_ERR_MORE || size < PROXY_HEADER_MAX);
        return 0;
    }
    assert(size - in.len <= PROXY_HEADER_MAX && in.p + in.len == data + size);
    check_again(&h, PROXY_V1);
    check_again(&h, PROXY_V2);
    return 0;
}
