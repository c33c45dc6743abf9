#include "server/link_request.h"

#include <stdio.h>

/* Whoever visits services needs no certificate; a link does, where links are asked for them. */
static void check_certificate(const char *fault, struct handshake_verdict *v)
{
    if (!fault)
        return;
    *v = (struct handshake_verdict){.status = 403, .extra = ""};
    snprintf(v->body, sizeof(v->body), "client certificate: %s\n", fault);
}

const char *link_request_fault(const struct server *s, const struct stream *stream)
{
    if (s->certificates.tls && s->config->ssl.client_ca && !(stream && stream->tls))
        return "the connection was handed over without one";
    return stream ? stream_peer_fault(stream) : NULL;
}

void link_request_check(const struct server *s, const struct http1_head *head, const char *fault,
                        struct handshake_verdict *v)
{
    const char *auth = s->config->auth ? s->config->auth : "";

    handshake_check(head, slice_str(auth), v);
    if (v->status == 101)
        check_certificate(fault, v);
    if (v->status == 101 && s->peer_count >= (size_t)s->config->max_links)
        *v = (struct handshake_verdict){
            .status = 503, .extra = "Retry-After: 30\r\n", .body = "too many links\n"};
    if (v->status == 101 && s->config->dialect == CONFIG_DIALECT_WSP_1 && !v->offered_wsp_1)
        *v = (struct handshake_verdict){
            .status = 400, .extra = "", .body = "this server needs dialect wsp.1\n"};
}

bool link_request_selects_wsp_1(const struct server *s, const struct handshake_verdict *v)
{
    return v->offered_wsp_1 && s->config->dialect != CONFIG_DIALECT_0_10;
}

enum link_dialect link_request_dialect(const struct server *s, const struct handshake_verdict *v)
{
    if (!link_request_selects_wsp_1(s, v))
        return LINK_0_10;
    return s->config->dialect == CONFIG_DIALECT_WSP_1 ? LINK_WSP_1_AWAITED : LINK_EITHER;
}

void link_request_refused(struct server *s, const struct address *visitor,
                          const struct handshake_verdict *v)
{
    char address[ADDRESS_TEXT_MAX];

    s->links_refused++;
    if (!log_limit_ok(&s->noise, loop_now(s->loop)))
        return;
    address_text(visitor, address);
    log_info(loop_log(s->loop), "front %s: link refused with %u: %.*s", address, v->status,
             (int)strcspn(v->body, "\n"), v->body);
}
