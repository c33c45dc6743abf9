#include "api/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct wsp_config {
    char *file; /* owned; its path, or the text's name; NULL: neither */
    char *text; /* owned; NULL: the file is read */
    size_t len; /* of the text */
    struct overlay over;
    enum wsp_err broken; /* why something that was given is missing; else WSP_OK */
    char fault[64];      /* and what */
    /* Judged last, for the strings that wsp_config_check lends. */
    struct wsps_config server;
    struct wspc_config client;
};

void error_set(char *error, const char *fmt, ...)
{
    va_list ap;

    if (!error)
        return;
    va_start(ap, fmt);
    vsnprintf(error, WSP_ERROR_MAX, fmt, ap);
    va_end(ap);
}

static void drop_text(struct wsp_config *c)
{
    if (c->text)
        explicit_bzero(c->text, c->len);
    free(c->text);
    free(c->file);
    c->text = c->file = NULL;
    c->len = 0;
}

/* What could not be taken must not be missing in silence: it may be the secret. */
static enum wsp_err miss(struct wsp_config *c, const char *what, enum wsp_err why)
{
    if (!c)
        return WSP_ERR_USAGE;
    c->broken = why;
    snprintf(c->fault, sizeof(c->fault), "%s", what ? what : "a key");
    return why;
}

struct wsp_config *wsp_config_new(void)
{
    return calloc(1, sizeof(struct wsp_config));
}

void wsp_config_free(struct wsp_config *c)
{
    if (!c)
        return;
    drop_text(c);
    overlay_fini(&c->over);
    wsps_config_fini(&c->server);
    wspc_config_fini(&c->client);
    free(c);
}

enum wsp_err wsp_config_file(struct wsp_config *c, const char *path)
{
    char *copy;

    if (!c || !path || !*path)
        return miss(c, "the file", WSP_ERR_USAGE);
    copy = strdup(path);
    if (!copy)
        return miss(c, "the file", WSP_ERR_NOMEM);
    drop_text(c);
    c->file = copy;
    return WSP_OK;
}

enum wsp_err wsp_config_text(struct wsp_config *c, const char *name, const char *text, size_t len)
{
    char *file, *copy;

    if (!c || !name || (!text && len) || len > PTRDIFF_MAX)
        return miss(c, "the text", WSP_ERR_USAGE);
    file = strdup(name);
    copy = malloc(len + 1);
    if (!file || !copy) {
        free(file);
        free(copy);
        return miss(c, "the text", WSP_ERR_NOMEM);
    }
    if (len)
        memcpy(copy, text, len);
    drop_text(c);
    c->file = file;
    c->text = copy;
    c->len = len;
    return WSP_OK;
}

static enum wsp_err set(struct wsp_config *c, const char *key, const char *text,
                        enum overlay_type type, const char *origin)
{
    struct overlay_value v = {.key = (char *)key, .text = (char *)text, .type = type};

    if (!c || !key || !text || !overlay_key_ok(key))
        return miss(c, key, WSP_ERR_USAGE);
    snprintf(v.origin, sizeof(v.origin), "%s", origin ? origin : key);
    if (overlay_add(&c->over, &v))
        return WSP_OK;
    return miss(c, key, WSP_ERR_NOMEM);
}

enum wsp_err wsp_config_set(struct wsp_config *c, const char *key, const char *value,
                            const char *origin)
{
    return set(c, key, value, OVERLAY_STRING, origin);
}

enum wsp_err wsp_config_set_number(struct wsp_config *c, const char *key, double value,
                                   const char *origin)
{
    char text[32];

    snprintf(text, sizeof(text), "%.17g", value);
    return set(c, key, text, OVERLAY_NUMBER, origin);
}

enum wsp_err wsp_config_set_bool(struct wsp_config *c, const char *key, bool value,
                                 const char *origin)
{
    return set(c, key, value ? "true" : "false", OVERLAY_BOOL, origin);
}

/* ---- judging */

static struct config_source source_of(const struct wsp_config *c)
{
    return (struct config_source){
        .file = c->file, .text = slice_of(c->text, c->len), .over = &c->over};
}

/* What has to be there before it can be judged at all. */
static enum wsp_err usable(const struct wsp_config *c, char *error)
{
    if (!c) {
        error_set(error, "no configuration is given");
        return WSP_ERR_USAGE;
    }
    if (c->broken != WSP_OK)
        error_set(error, "the configuration is incomplete: %s: %s", c->fault,
                  wsp_strerror(c->broken));
    return c->broken;
}

enum wsp_err config_load_server(struct wsp_config *c, bool port_optional, struct wsps_config *out,
                                char error[WSP_ERROR_MAX])
{
    char unheard[WSP_ERROR_MAX];
    enum wsp_err err = usable(c, error);
    struct config_source from;

    wsps_config_init(out);
    out->port_optional = port_optional;
    if (err != WSP_OK)
        return err;
    from = source_of(c);
    return wsps_config_load(out, &from, error ? error : unheard);
}

enum wsp_err config_load_client(struct wsp_config *c, struct wspc_config *out,
                                char error[WSP_ERROR_MAX])
{
    char unheard[WSP_ERROR_MAX];
    enum wsp_err err = usable(c, error);
    struct config_source from;

    wspc_config_init(out);
    if (err != WSP_OK)
        return err;
    from = source_of(c);
    return wspc_config_load(out, &from, error ? error : unheard);
}

static void describe(struct wsp_process *out, const struct config_log *log,
                     const struct config_process *process, const char *status, long connections)
{
    if (!out)
        return;
    *out = (struct wsp_process){.log_level = log->level,
                                .log_output = log->output,
                                .status = status,
                                .user = process->user,
                                .group = process->group,
                                .uid = process->uid,
                                .gid = process->gid,
                                .seccomp = process->seccomp,
                                .descriptors = process->descriptors,
                                .connections = connections};
}

static enum wsp_err check_server(struct wsp_config *c, struct wsp_process *process, char *error)
{
    enum wsp_err err;

    wsps_config_fini(&c->server);
    err = config_load_server(c, false, &c->server, error);
    if (err == WSP_OK)
        describe(process, &c->server.log, &c->server.process, c->server.status,
                 c->server.max_connections);
    return err;
}

static enum wsp_err check_client(struct wsp_config *c, struct wsp_process *process, char *error)
{
    enum wsp_err err;

    wspc_config_fini(&c->client);
    err = config_load_client(c, &c->client, error);
    if (err == WSP_OK)
        describe(process, &c->client.log, &c->client.process, c->client.status,
                 c->client.max_connections);
    return err;
}

enum wsp_err wsp_config_check(struct wsp_config *c, enum wsp_role role, struct wsp_process *process,
                              char error[WSP_ERROR_MAX])
{
    if (c && role == WSP_SERVER)
        return check_server(c, process, error);
    if (c && role == WSP_CLIENT)
        return check_client(c, process, error);
    error_set(error, c ? "no such role" : "no configuration is given");
    return WSP_ERR_USAGE;
}
