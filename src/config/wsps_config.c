#include "config/wsps_config.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/egress_rule.h"

#define LIMIT_MAX 1000000

void wsps_config_init(struct wsps_config *c)
{
    *c = (struct wsps_config){
        .max_links = 1024, .max_channels = 4096, .max_rate = 100, .max_connections = 8192};
    config_log_init(&c->log);
    config_time_init(&c->time);
    config_memory_init(&c->memory);
    config_process_init(&c->process);
}

static void free_list(char **list)
{
    for (char **p = list; p && *p; p++)
        free(*p);
    free(list);
}

void wsps_config_fini(struct wsps_config *c)
{
    config_log_fini(&c->log);
    config_process_fini(&c->process);
    free(c->status);
    free(c->bind);
    free(c->path);
    free(c->auth);
    free(c->host);
    config_ssl_fini(&c->ssl);
    free_list(c->egress_allow);
    free_list(c->egress_deny);
    for (size_t i = 0; i < c->upstream_ca_count; i++) {
        free(c->upstream_ca[i].name);
        free(c->upstream_ca[i].file);
    }
    free(c->upstream_ca);
    wsps_proxies_fini(&c->proxies);
    *c = (struct wsps_config){0};
}

static bool read_port(const struct json_at *root, bool optional, unsigned *out)
{
    long port = 0;

    if (!json_get_int(root, "port", 1, 65535, &port))
        return false;
    if (port == 0 && !optional)
        return config_fail_missing(root, "port", "a number from 1 to 65535");
    *out = (unsigned)port;
    return true;
}

static bool read_bind(const struct json_at *root, char **out)
{
    struct json_at at;

    if (!json_get_string(root, "bind", out))
        return false;
    config_drop_empty(out);
    if (*out && !config_address_ok(slice_str(*out)) && json_member(root, "bind", &at))
        return json_fail(&at, "expected an IPv4 or IPv6 address, without brackets and port");
    return true;
}

static bool read_host(const struct json_at *root, char **out)
{
    struct json_at at;

    if (!json_get_string(root, "host", out))
        return false;
    config_drop_empty(out);
    if (*out && !config_host_ok(slice_str(*out)) && json_member(root, "host", &at))
        return json_fail(&at, "expected a domain name, without scheme and port");
    return true;
}

/* What a request target can hold before its query (RFC 3986 section 3.3, RFC 9112 section 3.2). */
static bool path_ok(const char *path)
{
    for (; *path; path++)
        if (*path <= ' ' || *path >= 0x7f || strchr("?#\"<>\\^`{|}", *path))
            return false;
    return true;
}

/* The original takes "proxy" for "/proxy". */
static bool read_path(const struct json_at *root, char **out)
{
    struct json_at at = *root;
    char *given = NULL;
    int n = -1;

    if (!json_get_string(root, "path", &given))
        return false;
    if (given && !path_ok(given)) {
        free(given);
        json_member(root, "path", &at);
        return json_fail(&at,
                         "expected a path such as /proxy, percent-encoded, without '?' and '#'");
    }
    free(*out);
    *out = NULL;
    n = asprintf(out, "%s%s", given && given[0] == '/' ? "" : "/", given ? given : "");
    free(given);
    if (n < 0) {
        *out = NULL;
        return json_fail(&at, "out of memory");
    }
    return true;
}

static bool read_rule(struct json_at *item, char **out)
{
    struct egress_rule rule;
    const char *text, *why;

    if (!json_expect_string(item, &text))
        return false;
    if (egress_rule_parse(slice_str(text), &rule, &why) != WSP_OK)
        return json_fail(item, "%s", why);
    *out = strdup(text);
    return *out || json_fail(item, "out of memory");
}

static bool read_rules(const struct json_at *egress, const char *key, char ***out)
{
    struct json_at array, item = {.value = NULL};
    bool present;
    size_t i = 0;

    if (!json_get_array(egress, key, &array, &present) || !present)
        return !present;
    free_list(*out);
    *out = calloc(json_count(&array) + 1, sizeof(**out));
    if (!*out)
        return json_fail(&array, "out of memory");
    while (json_next(&array, &item, &i))
        if (!read_rule(&item, &(*out)[i]))
            return false;
    return true;
}

static bool read_egress(const struct json_at *root, struct wsps_config *c)
{
    static const char *const keys[] = {"allow", "deny", NULL};
    struct json_at object, at;
    bool present;

    if (!json_get_object(root, "egress", &object, &present) || !present)
        return !present;
    if (!json_known_keys(&object, keys) || !read_rules(&object, "allow", &c->egress_allow) ||
        !read_rules(&object, "deny", &c->egress_deny))
        return false;
    /* Allow nothing or allow all? Better ask than guess. */
    if (c->egress_allow && !c->egress_allow[0] && json_member(&object, "allow", &at))
        return json_fail(&at, "is empty: leave it out to allow everything, or deny \"*\"");
    return true;
}

static bool read_ca(struct json_at *item, struct wsps_ca *out)
{
    const char *file;

    if (!json_expect_string(item, &file))
        return false;
    if (!*file)
        return json_fail(item, "expected the name of a PEM file");
    out->name = strdup(item->value->string);
    out->file = strdup(file);
    return (out->name && out->file) || json_fail(item, "out of memory");
}

static bool read_upstream_ca(const struct json_at *root, struct wsps_config *c)
{
    struct json_at object, item;
    bool present;

    if (!json_get_object(root, "upstream_ca", &object, &present) || !present)
        return !present;
    c->upstream_ca = calloc(json_count(&object) + 1, sizeof(*c->upstream_ca));
    if (!c->upstream_ca)
        return json_fail(&object, "out of memory");
    for (const cJSON *child = object.value->child; child; child = child->next)
        if (json_member(&object, child->string, &item) &&
            !read_ca(&item, &c->upstream_ca[c->upstream_ca_count++]))
            return false;
    return true;
}

static bool read_limits(const struct json_at *root, struct wsps_config *c)
{
    static const char *const keys[] = {"links",
                                       "channels_per_link",
                                       "connections",
                                       "handshakes_per_second",
                                       CONFIG_DESCRIPTORS_KEY,
                                       CONFIG_MEMORY_KEYS,
                                       NULL};
    struct json_at object;
    bool present;

    if (!json_get_object(root, "limits", &object, &present) || !present)
        return !present;
    return json_known_keys(&object, keys) &&
           json_get_int(&object, "links", 1, LIMIT_MAX, &c->max_links) &&
           json_get_int(&object, "channels_per_link", 1, LIMIT_MAX, &c->max_channels) &&
           json_get_int(&object, "connections", 1, LIMIT_MAX, &c->max_connections) &&
           json_get_int(&object, "handshakes_per_second", 0, LIMIT_MAX, &c->max_rate) &&
           config_descriptors_read(&object, &c->process) && config_memory_read(&object, &c->memory);
}

static bool read_root(struct json_doc *doc, struct wsps_config *c)
{
    static const char *const keys[] = {"log",
                                       "ssl",
                                       "host",
                                       "auth",
                                       "path",
                                       "port",
                                       "bind",
                                       "time",
                                       "egress",
                                       "limits",
                                       "upstream_ca",
                                       "dialect",
                                       "proxy_protocol",
                                       "trusted_proxies",
                                       "status",
                                       CONFIG_PROCESS_KEYS,
                                       NULL};
    struct json_at root;

    return json_root(doc, &root) && json_known_keys(&root, keys) &&
           config_log_read(&root, &c->log) && config_time_read(&root, &c->time) &&
           config_process_read(&root, &c->process) && config_status_read(&root, &c->status) &&
           read_port(&root, c->port_optional, &c->port) && read_bind(&root, &c->bind) &&
           read_path(&root, &c->path) && config_auth_read(&root, "auth", &c->auth) &&
           read_host(&root, &c->host) && config_ssl_read(&root, &c->ssl) && read_egress(&root, c) &&
           read_upstream_ca(&root, c) && config_dialect_read(&root, &c->dialect) &&
           wsps_proxies_read(&root, &c->proxies) && read_limits(&root, c);
}

enum wsp_err wsps_config_load(struct wsps_config *c, const struct config_source *from,
                              char error[CONFIG_ERROR_MAX])
{
    struct json_doc doc;
    bool ok = config_open(&doc, from) && read_root(&doc, c);

    return config_finish(&doc, ok, error);
}
