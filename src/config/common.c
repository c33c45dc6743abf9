#include "config/common.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/ip_addr.h"

#define SECOND_US 1000000u
#define AUTH_MAX 4096 /* fits a request head many times */
#define NAME_BYTES_MAX 253
#define DURATION_MIN 0.01 /* seconds */
#define DURATION_MAX 86400.0

struct duration {
    const char *key;
    size_t offset;
    uint64_t initial_us;
};

static const struct duration durations[] = {
    {"dial", offsetof(struct config_time, dial_us), 10 * SECOND_US},
    {"open", offsetof(struct config_time, open_us), 15 * SECOND_US},
    {"handshake", offsetof(struct config_time, handshake_us), 10 * SECOND_US},
    {"ping", offsetof(struct config_time, ping_us), 25 * SECOND_US},
    {"dead", offsetof(struct config_time, dead_us), 60 * SECOND_US},
    {"probe", offsetof(struct config_time, probe_us), 75 * SECOND_US},
    {"probe_answer", offsetof(struct config_time, probe_answer_us), 10 * SECOND_US},
    {"reconnect_min", offsetof(struct config_time, reconnect_min_us), SECOND_US / 2},
    {"reconnect_max", offsetof(struct config_time, reconnect_max_us), 30 * SECOND_US},
    {"healthy", offsetof(struct config_time, healthy_us), 60 * SECOND_US},
    {"stall", offsetof(struct config_time, stall_us), 30 * SECOND_US},
    {"drain", offsetof(struct config_time, drain_us), 30 * SECOND_US},
};

#define DURATIONS (sizeof(durations) / sizeof(*durations))

static uint64_t *duration_of(struct config_time *time, const struct duration *d)
{
    return (uint64_t *)(void *)((char *)time + d->offset);
}

void config_log_init(struct config_log *log)
{
    *log = (struct config_log){.level = WSP_LOG_INFO};
}

void config_log_fini(struct config_log *log)
{
    free(log->output);
    log->output = NULL;
}

void config_time_init(struct config_time *time)
{
    for (size_t i = 0; i < DURATIONS; i++)
        *duration_of(time, &durations[i]) = durations[i].initial_us;
}

void config_drop_empty(char **text)
{
    if (!*text || **text)
        return;
    free(*text);
    *text = NULL;
}

bool config_copy_text(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return *out || !text;
}

bool config_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool read_level(const struct json_at *object, enum wsp_log_level *level)
{
    struct json_at at;
    const char *name;

    if (!json_member(object, "level", &at))
        return true;
    if (!json_expect_string(&at, &name))
        return false;
    if (!log_level_parse(name, level))
        return json_fail(&at, "expected error, warn, info, debug or trace");
    return true;
}

bool config_log_read(const struct json_at *root, struct config_log *log)
{
    static const char *const keys[] = {"level", "output", NULL};
    struct json_at object;
    bool present;

    if (!json_get_object(root, "log", &object, &present) || !present)
        return !present;
    if (!json_known_keys(&object, keys) || !read_level(&object, &log->level) ||
        !json_get_string(&object, "output", &log->output))
        return false;
    if (log->output && strcmp(log->output, "stdout") == 0)
        log->output[0] = '\0';
    config_drop_empty(&log->output);
    return true;
}

/* Fails at the member, or at the object when the member was left at its default. */
static bool fail_order(struct json_at *object, const char *key, const char *text, uint64_t other_us)
{
    struct json_at at;
    double other = (double)other_us / SECOND_US;

    if (!json_member(object, key, &at))
        return json_fail(object, "%s %s (%g)", key, text, other);
    return json_fail(&at, "%s (%g)", text, other);
}

bool config_time_read(const struct json_at *root, struct config_time *time)
{
    const char *keys[DURATIONS + 1] = {NULL};
    struct json_at object;
    bool present;

    if (!json_get_object(root, "time", &object, &present) || !present)
        return !present;
    for (size_t i = 0; i < DURATIONS; i++)
        keys[i] = durations[i].key;
    if (!json_known_keys(&object, keys))
        return false;
    for (size_t i = 0; i < DURATIONS; i++)
        if (!json_get_seconds(&object, durations[i].key, DURATION_MIN, DURATION_MAX,
                              duration_of(time, &durations[i])))
            return false;
    if (time->dead_us <= time->ping_us)
        return fail_order(&object, "dead", "must be more than ping", time->ping_us);
    if (time->reconnect_max_us < time->reconnect_min_us)
        return fail_order(&object, "reconnect_max", "must not be less than reconnect_min",
                          time->reconnect_min_us);
    return true;
}

#define MIB ((long)1024 * 1024)
#define MEMORY_MAX (1024 * 1024 * MIB)

static long quarter_of_machine(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    long mib = pages > 0 && page_bytes > 0 ? pages / (MIB / page_bytes) / 4 : 0;

    if (mib < 64)
        mib = 64;
    return (mib > 1024 ? 1024 : mib) * MIB;
}

static void set_link_share(struct config_memory *memory)
{
    memory->link_bytes = memory->process_bytes / 4 * 3;
}

void config_memory_init(struct config_memory *memory)
{
    *memory =
        (struct config_memory){.process_bytes = quarter_of_machine(), .channel_bytes = 16 * MIB};
    set_link_share(memory);
}

bool config_memory_read(const struct json_at *limits, struct config_memory *memory)
{
    if (!json_get_int(limits, "memory", MIB, MEMORY_MAX, &memory->process_bytes))
        return false;
    set_link_share(memory);
    return json_get_int(limits, "link_memory", MIB / 4, MEMORY_MAX, &memory->link_bytes) &&
           json_get_int(limits, "channel_memory", MIB / 4, MEMORY_MAX, &memory->channel_bytes);
}

bool config_dialect_read(const struct json_at *object, enum config_dialect *dialect)
{
    static const char *const names[] = {"auto", "0.10", "wsp.1"};
    struct json_at at;
    const char *name;

    if (!json_member(object, "dialect", &at))
        return true;
    if (!json_expect_string(&at, &name))
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0) {
            *dialect = (enum config_dialect)i;
            return true;
        }
    return json_fail(&at, "expected auto, 0.10 or wsp.1");
}

bool config_status_read(const struct json_at *root, char **out)
{
    struct json_at at;

    if (!json_get_string(root, "status", out))
        return false;
    config_drop_empty(out);
    if (!*out)
        return true;
    if (strcmp(*out, "off") == 0)
        (*out)[0] = '\0';
    else if ((**out != '/' || strlen(*out) > CONFIG_UNIX_PATH_MAX) &&
             json_member(root, "status", &at))
        return json_fail(&at, "expected an absolute path of at most %d bytes, or \"off\"",
                         CONFIG_UNIX_PATH_MAX);
    return true;
}

/* HTTP trims blanks around a value, so a secret with them could never match. */
static const char *auth_fault(const char *auth)
{
    size_t n = strlen(auth);

    if (n > AUTH_MAX)
        return "longer than 4096 bytes";
    if (slice_has_control(slice_str(auth)))
        return "control bytes are not allowed";
    if (n > 0 && (auth[0] == ' ' || auth[n - 1] == ' '))
        return "must not start or end with a space";
    return NULL;
}

bool config_auth_read(const struct json_at *object, const char *key, char **out)
{
    struct json_at at;
    const char *fault;

    if (!json_get_string(object, key, out))
        return false;
    config_drop_empty(out);
    fault = *out ? auth_fault(*out) : NULL;
    if (fault && json_member(object, key, &at))
        return json_fail(&at, "%s", fault);
    return true;
}

bool config_address_ok(struct slice host)
{
    struct ip_addr ignored;

    return ip_addr_parse(host, &ignored);
}

static bool is_name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

bool config_host_ok(struct slice host)
{
    if (host.len == 0 || host.len > NAME_BYTES_MAX)
        return false;
    if (config_address_ok(host))
        return true;
    for (size_t i = 0; i < host.len; i++)
        if (!is_name_byte(host.p[i]) || (host.p[i] == '.' && (i == 0 || host.p[i - 1] == '.')))
            return false;
    return true;
}

bool config_fail_missing(const struct json_at *object, const char *key, const char *expected)
{
    struct json_at at = *object;

    return json_fail(&at, "key \"%s\" is missing: expected %s", key, expected);
}

bool config_open(struct json_doc *doc, const struct config_source *from)
{
    enum wsp_err err;

    if (from->text.p)
        err = json_open_text(doc, from->file, from->text);
    else if (from->file)
        err = json_open(doc, from->file);
    else
        err = json_open_text(doc, "command line", slice_str("{}"));
    return err == WSP_OK && (!from->over || overlay_apply(from->over, doc));
}

enum wsp_err config_finish(struct json_doc *doc, bool ok, char error[CONFIG_ERROR_MAX])
{
    enum wsp_err fault = doc->graft_failed ? WSP_ERR_USAGE : WSP_ERR_CONFIG;

    if (!ok)
        memcpy(error, doc->error, CONFIG_ERROR_MAX);
    json_close(doc);
    return ok ? WSP_OK : fault;
}
