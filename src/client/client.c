#include "client/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/session.h"

enum wsp_err client_start(struct client *c, struct wsp_loop *loop, const struct wspc_config *config,
                          char error[CONFIG_ERROR_MAX])
{
    enum wsp_err err = WSP_ERR_NOMEM;

    snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    *c = (struct client){.loop = loop, .config = config};
    c->resolver = resolver_new(loop);
    c->session = calloc(config->client_count, sizeof(struct session *));
    if (!c->resolver || !c->session)
        goto fail;
    for (; c->session_count < config->client_count; c->session_count++) {
        c->session[c->session_count] = session_new(c, c->session_count, error, &err);
        if (!c->session[c->session_count])
            goto fail;
    }
    return WSP_OK;
fail:
    client_stop(c);
    return err;
}

void client_stop(struct client *c)
{
    for (size_t i = 0; i < c->session_count; i++)
        session_free(c->session[i]);
    free(c->session);
    c->session = NULL;
    c->session_count = 0;
    resolver_free(c->resolver);
    c->resolver = NULL;
}
