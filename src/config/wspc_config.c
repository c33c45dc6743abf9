#include "config/wspc_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "config/headers.h"
#include "config/server_url.h"

#define LIMIT_MAX 1000000
#define CONNECTIONS_MAX 16         /* WebSockets of one entry */
#define DYNAMIC_CREDENTIAL_MAX 255 /* RFC 1929 section 2: one length byte each */

void wspc_config_init(struct wspc_config *c)
{
    *c = (struct wspc_config){.max_connections = 8192};
    config_log_init(&c->log);
    config_time_init(&c->time);
    config_memory_init(&c->memory);
    config_process_init(&c->process);
}

void wspc_listener_fini(struct wspc_listener *l)
{
    free(l->url);
    free(l->redacted);
    free(l->channel);
    free(l->password);
    free(l->bind);
    free(l->path);
    *l = (struct wspc_listener){0};
}

static void fini_client(struct wspc_client *client)
{
    for (size_t i = 0; i < client->listener_count; i++)
        wspc_listener_fini(&client->listener[i]);
    free(client->listener);
    for (size_t i = 0; i < client->remote_count; i++)
        wspc_remote_fini(&client->remote[i]);
    free(client->remote);
    free(client->server);
    free(client->host);
    free(client->authority);
    free(client->target);
    config_tls_client_fini(&client->tls);
    free(client->auth);
    config_proxy_fini(&client->proxy);
    free(client->headers);
    free(client->dynamic_user);
    free(client->dynamic_password);
}

void wspc_config_fini(struct wspc_config *c)
{
    config_log_fini(&c->log);
    config_process_fini(&c->process);
    free(c->status);
    for (size_t i = 0; i < c->client_count; i++)
        fini_client(&c->client[i]);
    free(c->client);
    *c = (struct wspc_config){0};
}

struct wspc_client *wspc_client_take(struct wspc_client *entry)
{
    struct wspc_client *taken = malloc(sizeof(*taken));

    if (!taken)
        return NULL;
    *taken = *entry;
    *entry = (struct wspc_client){0};
    return taken;
}

void wspc_client_free(struct wspc_client *client)
{
    if (client)
        fini_client(client);
    free(client);
}

static void drop_file_entries(struct wspc_client *client)
{
    size_t listeners = 0, remotes = 0;

    for (size_t i = 0; i < client->listener_count; i++) {
        if (client->listener[i].is_overlaid)
            client->listener[listeners++] = client->listener[i];
        else
            wspc_listener_fini(&client->listener[i]);
    }
    for (size_t i = 0; i < client->remote_count; i++) {
        if (client->remote[i].is_overlaid)
            client->remote[remotes++] = client->remote[i];
        else
            wspc_remote_fini(&client->remote[i]);
    }
    client->listener_count = listeners;
    client->remote_count = remotes;
}

void wspc_config_keep_one(struct wspc_config *c)
{
    size_t kept = c->client[c->client_count - 1].is_overlaid ? c->client_count - 1 : 0;

    for (size_t i = 0; i < c->client_count; i++)
        if (i != kept)
            fini_client(&c->client[i]);
    c->client[0] = c->client[kept];
    c->client_count = 1;
    drop_file_entries(&c->client[0]);
}

static char *copy_slice(struct slice s)
{
    return strndup(s.len ? (const char *)s.p : "", s.len);
}

static bool read_server(const struct json_at *object, struct wspc_client *client)
{
    struct server_url url;
    struct json_at at;
    const char *why;

    if (!json_get_string(object, "server", &client->server))
        return false;
    if (!json_member(object, "server", &at))
        return config_fail_missing(object, "server",
                                   "ws:// or wss://, then host[:port][/path][?query]");
    if (server_url_parse(slice_str(client->server), &url, &why) != WSP_OK)
        return json_fail(&at, "%s", why);
    client->port = url.port;
    client->secure = url.secure;
    client->host = copy_slice(url.host);
    client->authority = copy_slice(url.authority);
    if (asprintf(&client->target, "%s%.*s", url.target.len && url.target.p[0] == '/' ? "" : "/",
                 SLICE_FMT(url.target)) < 0)
        client->target = NULL;
    if (!client->host || !client->authority || !client->target)
        return json_fail(&at, "out of memory");
    return true;
}

static bool read_proxy(const struct json_at *object, struct wspc_client *client)
{
    struct config_proxy_target target = {
        .host = client->host, .port = client->port, .secure = client->secure};

    return config_proxy_read(object, &target, &client->proxy);
}

static bool credential_ok(struct slice s)
{
    return s.len >= 1 && s.len <= DYNAMIC_CREDENTIAL_MAX && !slice_has_control(s);
}

static bool read_dynamic_auth(const struct json_at *object, struct wspc_client *client)
{
    struct slice user, password;
    struct json_at at;
    const char *text, *colon;

    if (!json_member(object, "dynamic_auth", &at))
        return true;
    if (!json_expect_string(&at, &text))
        return false;
    if (!*text)
        return true;
    colon = strchrnul(text, ':');
    user = slice_of(text, (size_t)(colon - text));
    password = slice_str(*colon ? colon + 1 : "");
    if (!credential_ok(user) || !credential_ok(password))
        return json_fail(&at, "expected \"user:password\", each of 1 to 255 bytes and without "
                              "control bytes");
    client->dynamic_user = copy_slice(user);
    client->dynamic_password = copy_slice(password);
    if (!client->dynamic_user || !client->dynamic_password)
        return json_fail(&at, "out of memory");
    return true;
}

static const char *channel_fault(const struct forward *f)
{
    if (f->channel.len > 256 || f->password.len > 256)
        return "channel and password can have up to 256 bytes";
    if (f->channel.len == 0 || memchr(f->channel.p, '\0', f->channel.len) ||
        (f->password.len && memchr(f->password.p, '\0', f->password.len)))
        return "expected a channel before the '@'";
    return NULL;
}

/* What is wrong with an entry, or NULL. The texts never quote it: it may hold secrets. */
static const char *listener_fault(const char *url, bool local, struct forward *f)
{
    const char *form =
        local ? "expected tcp://channel[:password]@[address]:port with a port from 1 to "
                "65535"
              : "expected socks5://[address]:port or http://[address]:port with a "
                "port from 1 to 65535";
    char ignored[1];

    if (forward_parse(slice_str(url), f, ignored, sizeof(ignored)) != WSP_OK)
        return form;
    if (local && f->has_user && slice_eq_str(f->scheme, "unix"))
        return channel_fault(f) ? channel_fault(f) : config_unix_fault(f);
    if (local && (!slice_eq_str(f->scheme, "tcp") || !f->has_user))
        return form;
    if (!local && !slice_eq_str(f->scheme, "socks5") && !slice_eq_str(f->scheme, "http"))
        return "expected a scheme of socks5:// or http://";
    if (f->has_user && channel_fault(f))
        return channel_fault(f);
    if (f->port < 1 || f->port > 65535)
        return form;
    if (f->host.len > 0 && !config_host_ok(f->host))
        return "expected an address to listen on, IPv6 in brackets, or none for all";
    if ((f->raw_path.len > 0 && !slice_eq_str(f->raw_path, "/")) || f->query.len > 0 ||
        f->fragment.len > 0)
        return "expected nothing behind the port";
    return NULL;
}

static bool copy_strings(const struct forward *f, struct wspc_listener *out)
{
    char text[FORWARD_URL_MAX + 1];
    size_t len;

    if (forward_write(f, text, sizeof(text), &len) != WSP_OK)
        return false;
    out->url = copy_slice(slice_of(text, len));
    forward_redact(f, text, sizeof(text));
    out->redacted = strdup(text);
    out->channel = f->has_user ? copy_slice(f->channel) : NULL;
    out->password = f->has_password ? copy_slice(f->password) : NULL;
    out->bind = f->host.len > 0 ? copy_slice(f->host) : NULL;
    out->path = slice_eq_str(f->scheme, "unix") ? copy_slice(f->path) : NULL;
    return out->url && out->redacted && (!f->has_user || out->channel) &&
           (!f->has_password || out->password) && (f->host.len == 0 || out->bind);
}

static bool read_listener(struct json_at *item, bool local, struct wspc_listener *out)
{
    struct forward f;
    const char *url, *fault;

    if (!json_expect_string(item, &url))
        return false;
    fault = listener_fault(url, local, &f);
    if (fault)
        return json_fail(item, "%s", fault);
    out->kind = local ? WSPC_LOCAL : slice_eq_str(f.scheme, "http") ? WSPC_HTTP : WSPC_SOCKS5;
    out->port = f.port > 0 ? (unsigned)f.port : 0;
    out->is_overlaid = json_is_graft(item);
    return copy_strings(&f, out) || json_fail(item, "out of memory");
}

static bool same_socket(const struct wspc_listener *a, const struct wspc_listener *b)
{
    if (a->path || b->path)
        return a->path && b->path && strcmp(a->path, b->path) == 0;
    return a->port == b->port && strcasecmp(a->bind ? a->bind : "", b->bind ? b->bind : "") == 0;
}

/* `item` is the last listener of the last client read so far. */
static bool check_unique(struct json_at *item, const struct wspc_config *c)
{
    const struct wspc_client *newest = &c->client[c->client_count - 1];
    const struct wspc_listener *l = &newest->listener[newest->listener_count - 1];

    for (size_t i = 0; i < c->client_count; i++)
        for (size_t j = 0; j < c->client[i].listener_count; j++) {
            const struct wspc_listener *other = &c->client[i].listener[j];
            if (other != l && same_socket(other, l))
                return json_fail(item, "same address and port as %s of client[%zu]",
                                 other->redacted, i);
        }
    return true;
}

static bool read_listeners(const struct json_at *object, const char *key, struct wspc_config *c,
                           struct wspc_client *client)
{
    struct json_at array, item = {.value = NULL};
    struct wspc_listener *grown;
    bool present;
    size_t i = 0;

    if (!json_get_array(object, key, &array, &present) || !present)
        return !present;
    grown = reallocarray(client->listener, client->listener_count + json_count(&array) + 1,
                         sizeof(*grown));
    if (!grown)
        return json_fail(&array, "out of memory");
    client->listener = grown;
    while (json_next(&array, &item, &i)) {
        struct wspc_listener *l = &client->listener[client->listener_count++];

        *l = (struct wspc_listener){0};
        if (!read_listener(&item, strcmp(key, "local") == 0, l) || !check_unique(&item, c))
            return false;
    }
    return true;
}

static bool read_remote(const struct json_at *object, struct wspc_client *client)
{
    struct json_at array, item = {.value = NULL};
    bool present;
    size_t i = 0;

    if (!json_get_array(object, "remote", &array, &present) || !present)
        return !present;
    client->remote = calloc(json_count(&array) + 1, sizeof(*client->remote));
    if (!client->remote)
        return json_fail(&array, "out of memory");
    while (json_next(&array, &item, &i)) {
        client->remote_count++;
        if (!wspc_remote_read(&item, &client->remote[i]))
            return false;
        for (size_t j = 0; j < i; j++)
            if (strcmp(client->remote[j].name, client->remote[i].name) == 0)
                return json_fail(&item, "same mode and value as %s", client->remote[j].redacted);
    }
    return true;
}

static bool read_connections(const struct json_at *object, struct wspc_client *client)
{
    struct json_at at;

    if (!json_get_int(object, "connections", 1, CONNECTIONS_MAX, &client->connections))
        return false;
    if (client->connections > 1 && client->dialect == CONFIG_DIALECT_0_10 &&
        json_member(object, "connections", &at))
        return json_fail(&at, "dialect 0.10 has one connection only");
    return true;
}

static bool read_client(struct json_at *item, struct wspc_config *c)
{
    static const char *const keys[] = {"auth",
                                       "server",
                                       "local",
                                       "remote",
                                       "dynamic",
                                       "dynamic_auth",
                                       "dialect",
                                       "connections",
                                       "proxy",
                                       "headers",
                                       CONFIG_TLS_CLIENT_KEYS,
                                       NULL};
    struct wspc_client *client = &c->client[c->client_count++];

    client->connections = 1;
    client->is_overlaid = json_is_graft(item);
    return json_expect_object(item) && json_known_keys(item, keys) && read_server(item, client) &&
           config_tls_client_read(item, client->secure, &client->tls) &&
           config_dialect_read(item, &client->dialect) && read_connections(item, client) &&
           config_auth_read(item, "auth", &client->auth) && read_proxy(item, client) &&
           config_headers_read(item, &client->headers, &client->authority) &&
           read_remote(item, client) && read_dynamic_auth(item, client) &&
           read_listeners(item, "dynamic", c, client) && read_listeners(item, "local", c, client);
}

static bool read_clients(const struct json_at *root, struct wspc_config *c)
{
    struct json_at array, item = {.value = NULL};
    bool present;
    size_t i = 0;

    if (!json_get_array(root, "client", &array, &present))
        return false;
    if (!present)
        return config_fail_missing(root, "client", "an array of at least one entry");
    if (json_count(&array) == 0)
        return json_fail(&array, "is empty: expected at least one entry");
    c->client = calloc(json_count(&array), sizeof(*c->client));
    if (!c->client)
        return json_fail(&array, "out of memory");
    while (json_next(&array, &item, &i))
        if (!read_client(&item, c))
            return false;
    return true;
}

static bool read_limits(const struct json_at *root, struct wspc_config *c)
{
    static const char *const keys[] = {"connections", CONFIG_DESCRIPTORS_KEY, CONFIG_MEMORY_KEYS,
                                       NULL};
    struct json_at object;
    bool present;

    if (!json_get_object(root, "limits", &object, &present) || !present)
        return !present;
    return json_known_keys(&object, keys) &&
           json_get_int(&object, "connections", 1, LIMIT_MAX, &c->max_connections) &&
           config_descriptors_read(&object, &c->process) && config_memory_read(&object, &c->memory);
}

static bool read_root(struct json_doc *doc, struct wspc_config *c)
{
    static const char *const keys[] = {
        "log", "client", "time", "limits", "status", CONFIG_PROCESS_KEYS, NULL};
    struct json_at root;

    return json_root(doc, &root) && json_known_keys(&root, keys) &&
           config_log_read(&root, &c->log) && config_time_read(&root, &c->time) &&
           config_process_read(&root, &c->process) && config_status_read(&root, &c->status) &&
           read_limits(&root, c) && read_clients(&root, c);
}

enum wsp_err wspc_config_load(struct wspc_config *c, const struct config_source *from,
                              char error[CONFIG_ERROR_MAX])
{
    struct json_doc doc;
    bool ok = config_open(&doc, from) && read_root(&doc, c);

    return config_finish(&doc, ok, error);
}
