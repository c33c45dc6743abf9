#include "daemon/status_print.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdlib.h>

#include "daemon/status_text.h"

/* ---- what the document holds */

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static double number(const cJSON *object, const char *key)
{
    const cJSON *item = member(object, key);

    return cJSON_IsNumber(item) && item->valuedouble > 0 ? item->valuedouble : 0;
}

/* NULL when it is null or absent. */
static const char *text(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(member(object, key));
}

static const char *text_or(const cJSON *object, const char *key, const char *other)
{
    const char *value = text(object, key);

    return value ? value : other;
}

/* Walks an array with ->next. */
static const cJSON *first(const cJSON *object, const char *key)
{
    const cJSON *list = member(object, key);

    return list ? list->child : NULL;
}

/* ---- lines and tables */

__attribute__((format(printf, 2, 3))) static void print_line(FILE *out, const char *fmt, ...)
{
    char line[1024], fitted[STATUS_CELL_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    status_fit(line, STATUS_COLUMNS, fitted);
    fprintf(out, "%s\n", fitted);
}

/* A table ends with a column without title. */
struct column {
    const char *title;
    size_t width;
    bool right;
};

static void put_row(FILE *out, const struct column *c, const char *const *cells)
{
    char cell[STATUS_CELL_MAX];

    for (; c->title; c++, cells++) {
        int pad = (int)(c->width - status_fit(*cells, c->width, cell));
        bool last = !c[1].title;

        if (c->right)
            fprintf(out, "%*s%s", pad, "", cell);
        else
            fprintf(out, "%s%*s", cell, last ? 0 : pad, "");
        fputs(last ? "\n" : " ", out);
    }
}

static void put_titles(FILE *out, const struct column *c)
{
    const char *titles[16];

    fputc('\n', out);
    for (size_t i = 0; c[i].title; i++)
        titles[i] = c[i].title;
    put_row(out, c, titles);
}

/* Lists of which the document holds only a part. */
static void put_rest(FILE *out, const cJSON *list, double all)
{
    double rest = all - cJSON_GetArraySize(list);

    if (rest > 0)
        print_line(out, "and %.0f more", rest);
}

/* ---- what both daemons have */

static void put_head(FILE *out, const cJSON *root)
{
    char age[STATUS_NUMBER_MAX];

    print_line(out, "%s %s, pid %.0f, up %s, %s", text_or(root, "program", "?"),
               text_or(root, "version", "?"), number(root, "pid"),
               status_age(number(root, "uptime_s"), age),
               text_or(root, "config", "no configuration file"));
}

/* " (3 refused)", or nothing. */
static const char *refused(double count, char out[STATUS_CELL_MAX])
{
    *out = '\0';
    if (count > 0)
        snprintf(out, STATUS_CELL_MAX, " (%.0f refused)", count);
    return out;
}

static void put_totals(FILE *out, const cJSON *root)
{
    const cJSON *totals = member(root, "totals");
    char in[STATUS_NUMBER_MAX], sent[STATUS_NUMBER_MAX];
    char links[STATUS_CELL_MAX], channels[STATUS_CELL_MAX];

    print_line(out, "so far     %s in, %s out; %.0f links%s, %.0f channels%s",
               status_bytes(number(totals, "bytes_in"), in),
               status_bytes(number(totals, "bytes_out"), sent), number(totals, "links"),
               refused(number(totals, "links_refused"), links), number(totals, "channels_opened"),
               refused(number(totals, "channels_refused"), channels));
}

static void put_memory(FILE *out, const cJSON *root)
{
    const cJSON *memory = member(root, "memory");
    char buffers[STATUS_NUMBER_MAX], reserved[STATUS_NUMBER_MAX], limit[STATUS_NUMBER_MAX];
    char held[STATUS_NUMBER_MAX];

    print_line(out, "memory     %s in buffers; %s of %s set aside, %s of it waits for readers",
               status_bytes(number(memory, "buffers_bytes"), buffers),
               status_bytes(number(memory, "reserved_bytes"), reserved),
               status_bytes(number(memory, "limit_bytes"), limit),
               status_bytes(number(member(root, "usage"), "held_bytes"), held));
}

/* What a row says of a link that is up. */
struct link_cells {
    char age[STATUS_NUMBER_MAX], rtt[STATUS_NUMBER_MAX], channels[STATUS_NUMBER_MAX];
    char in[STATUS_NUMBER_MAX], out[STATUS_NUMBER_MAX], queued[STATUS_NUMBER_MAX];
};

static void fill_cells(const cJSON *link, struct link_cells *c)
{
    double rtt = number(link, "rtt_ms");

    status_age(number(link, "age_s"), c->age);
    if (rtt > 0)
        status_rtt(rtt, c->rtt);
    else
        snprintf(c->rtt, sizeof(c->rtt), "-");
    snprintf(c->channels, sizeof(c->channels), "%.0f", number(link, "channels"));
    status_bytes(number(link, "bytes_in"), c->in);
    status_bytes(number(link, "bytes_out"), c->out);
    status_bytes(number(link, "queued_bytes") + number(link, "held_bytes"), c->queued);
}

#define LINK_COLUMNS                                                                             \
    {"PROTO", 5, false}, {"UP", 6, true}, {"RTT", 6, true}, {"CHANS", 5, true}, {"IN", 6, true}, \
        {"OUT", 6, true}, {"QUEUED", 6, true},                                                   \
    {                                                                                            \
        NULL, 0, false                                                                           \
    }

static void put_link(FILE *out, const struct column *columns, const cJSON *link, const char *second)
{
    struct link_cells c;

    fill_cells(link, &c);
    put_row(out, columns,
            (const char *const[]){text_or(link, "name", "?"), second, text_or(link, "dialect", "?"),
                                  c.age, c.rtt, c.channels, c.in, c.out, c.queued});
}

/* ---- wsps */

static void put_server_links(FILE *out, const cJSON *root)
{
    static const struct column columns[] = {{"LINK", 11, false}, {"FROM", 21, false}, LINK_COLUMNS};

    if (!first(root, "links"))
        return;
    put_titles(out, columns);
    for (const cJSON *link = first(root, "links"); link; link = link->next)
        put_link(out, columns, link, text_or(link, "address", "?"));
    put_rest(out, member(root, "links"), number(member(root, "usage"), "links"));
}

static void put_name(FILE *out, const struct column *columns, const cJSON *name)
{
    char users[STATUS_NUMBER_MAX];

    snprintf(users, sizeof(users), "%.0f", number(name, "users"));
    put_row(out, columns,
            (const char *const[]){text_or(name, "name", "?"), text_or(name, "kind", "?"),
                                  cJSON_IsTrue(member(name, "online")) ? text_or(name, "link", "-")
                                                                       : "offline",
                                  users});
}

static int by_name(const void *a, const void *b)
{
    const cJSON *const *x = a, *const *y = b;

    return strcmp(text_or(*x, "name", ""), text_or(*y, "name", ""));
}

static void put_names(FILE *out, const cJSON *root)
{
    static const struct column columns[] = {{"NAME", 53, false},
                                            {"KIND", 7, false},
                                            {"LINK", 11, false},
                                            {"USERS", 6, true},
                                            {NULL, 0, false}};
    const cJSON *names = member(root, "names"), *usage = member(root, "usage");
    size_t count = 0;
    const cJSON **sorted = calloc((size_t)cJSON_GetArraySize(names) + 1, sizeof(const cJSON *));

    for (const cJSON *name = first(root, "names"); name && sorted; name = name->next)
        sorted[count++] = name;
    if (count) {
        qsort(sorted, count, sizeof(const cJSON *), by_name);
        put_titles(out, columns);
        for (size_t i = 0; i < count; i++)
            put_name(out, columns, sorted[i]);
        put_rest(out, names, number(usage, "names") + number(usage, "names_offline"));
    }
    free(sorted);
}

static void put_server(FILE *out, const cJSON *root)
{
    const cJSON *usage = member(root, "usage"), *limits = member(root, "limits");

    for (const cJSON *l = first(root, "listeners"); l; l = l->next)
        print_line(out, "listening  %s, links on path %s", text_or(l, "address", "?"),
                   text_or(l, "path", "?"));
    print_line(out,
               "now        %.0f of %.0f links, %.0f channels, %.0f names, %.0f of %.0f "
               "connections",
               number(usage, "links"), number(limits, "links"), number(usage, "channels"),
               number(usage, "names"), number(usage, "connections"), number(limits, "connections"));
    put_totals(out, root);
    put_memory(out, root);
    put_server_links(out, root);
    put_names(out, root);
}

/* ---- wspc */

/* "next try in 3s", or nothing. */
static const char *next_try(const cJSON *object, char out[STATUS_CELL_MAX])
{
    const cJSON *next = member(object, "next_try_s");
    char age[STATUS_NUMBER_MAX];

    *out = '\0';
    if (cJSON_IsNumber(next))
        snprintf(out, STATUS_CELL_MAX, "next try in %s",
                 status_age(number(object, "next_try_s"), age));
    return out;
}

/* A line of its own: there is never enough room in a row. */
static void put_error(FILE *out, const cJSON *object)
{
    if (text(object, "last_error"))
        print_line(out, "    %s", text(object, "last_error"));
}

static void put_uplink(FILE *out, const struct column *columns, const cJSON *link)
{
    static const struct column down[] = {
        {"LINK", 11, false}, {"STATE", 10, false}, {"", 57, false}, {NULL, 0, false}};
    const char *state = text_or(link, "state", "?");
    char next[STATUS_CELL_MAX];

    if (text(link, "dialect")) {
        put_link(out, columns, link, cJSON_IsTrue(member(link, "leaving")) ? "leaving" : state);
        return;
    }
    put_row(out, down,
            (const char *const[]){text_or(link, "name", "?"), state, next_try(link, next)});
    put_error(out, link);
}

static void put_uplinks(FILE *out, const cJSON *client)
{
    static const struct column columns[] = {
        {"LINK", 11, false}, {"STATE", 10, false}, LINK_COLUMNS};

    put_titles(out, columns);
    for (const cJSON *link = first(client, "links"); link; link = link->next)
        put_uplink(out, columns, link);
}

static void put_listeners(FILE *out, const cJSON *client)
{
    static const struct column columns[] = {{"LISTENER", 39, false},
                                            {"KIND", 6, false},
                                            {"CHANNEL", 20, false},
                                            {"CONNECTIONS", 11, true},
                                            {NULL, 0, false}};
    char connections[STATUS_NUMBER_MAX];

    if (first(client, "listeners"))
        put_titles(out, columns);
    for (const cJSON *l = first(client, "listeners"); l; l = l->next) {
        snprintf(connections, sizeof(connections), "%.0f", number(l, "connections"));
        put_row(out, columns,
                (const char *const[]){text_or(l, "address", "(not open)"), text_or(l, "kind", "?"),
                                      text_or(l, "channel", "-"), connections});
    }
}

static void put_remotes(FILE *out, const cJSON *client)
{
    static const struct column columns[] = {
        {"REMOTE", 27, false}, {"STATE", 10, false}, {"TARGET", 41, false}, {NULL, 0, false}};
    char next[STATUS_CELL_MAX];

    if (first(client, "remote"))
        put_titles(out, columns);
    for (const cJSON *r = first(client, "remote"); r; r = r->next) {
        bool ok = !text(r, "last_error");

        put_row(out, columns,
                (const char *const[]){text_or(r, "name", "?"), text_or(r, "state", "?"),
                                      ok ? text_or(r, "target", "") : next_try(r, next)});
        put_error(out, r);
    }
}

static void put_client(FILE *out, const cJSON *root)
{
    const cJSON *usage = member(root, "usage");

    print_line(out, "now        %.0f links, %.0f channels, %.0f names, %.0f connections",
               number(usage, "links"), number(usage, "channels"), number(usage, "names"),
               number(usage, "connections"));
    put_totals(out, root);
    put_memory(out, root);
    for (const cJSON *c = first(root, "clients"); c; c = c->next) {
        fputc('\n', out);
        print_line(out, "server     %s%s", text_or(c, "server", "?"),
                   cJSON_IsTrue(member(c, "draining")) ? " (ends)" : "");
        put_uplinks(out, c);
        put_listeners(out, c);
        put_remotes(out, c);
    }
}

bool status_print(FILE *out, struct slice document)
{
    cJSON *root = cJSON_ParseWithLength((const char *)document.p, document.len);
    bool ok = text(root, "program") != NULL;

    if (ok) {
        put_head(out, root);
        if (member(root, "clients"))
            put_client(out, root);
        else
            put_server(out, root);
    }
    cJSON_Delete(root);
    return ok;
}
