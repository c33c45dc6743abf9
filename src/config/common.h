/* Parts that both configuration files have: log and time. */
#ifndef CONFIG_COMMON_H
#define CONFIG_COMMON_H

#include "base/log.h"
#include "config/json.h"
#include "config/overlay.h"

struct config_log {
    enum wsp_log_level level; /* info */
    char *output;             /* owned; NULL: standard output */
};

/* Key `time`: every duration in seconds in the file. Defaults are those of docs/configuration.md.
 */
struct config_time {
    uint64_t dial_us;          /* dial: 10 s, a TCP connection with its resolution */
    uint64_t open_us;          /* open: 15 s, CONNECT to RESPOND */
    uint64_t handshake_us;     /* handshake: 10 s, request heads and link upgrades */
    uint64_t ping_us;          /* ping: 25 s without anything received before a ping */
    uint64_t dead_us;          /* dead: 60 s of silence before a link counts as dead */
    uint64_t probe_us;         /* probe: 75 s of silence before wsps asks a 0.10 client */
    uint64_t probe_answer_us;  /* probe_answer: 10 s for its answer */
    uint64_t reconnect_min_us; /* reconnect_min: 0.5 s */
    uint64_t reconnect_max_us; /* reconnect_max: 30 s */
    uint64_t healthy_us;       /* healthy: 60 s of a link before its back-off starts over */
    uint64_t stall_us;         /* stall: 30 s without progress of a full channel's reader */
    uint64_t drain_us;         /* drain: 30 s for open channels after SIGTERM */
};

/* Keys of `limits`: bytes that may be set aside for what peers send. */
struct config_memory {
    long process_bytes; /* memory: a quarter of the machine's, from 64 MiB to 1 GiB */
    long link_bytes;    /* link_memory: three quarters of that */
    long channel_bytes; /* channel_memory: 16 MiB */
};

/* Key `dialect`. */
enum config_dialect {
    CONFIG_DIALECT_AUTO, /* wsp.1 with those who know it, else 0.10 */
    CONFIG_DIALECT_0_10,
    CONFIG_DIALECT_WSP_1,
};

void config_log_init(struct config_log *log);
void config_log_fini(struct config_log *log);
void config_time_init(struct config_time *time);

/* Read the keys `log` and `time` of the root. False with the document's error set. */
bool config_log_read(const struct json_at *root, struct config_log *log);
bool config_time_read(const struct json_at *root, struct config_time *time);

/* The keys of config_memory in an object `limits`, and its defaults. */
#define CONFIG_MEMORY_KEYS "memory", "link_memory", "channel_memory"
void config_memory_init(struct config_memory *memory);
bool config_memory_read(const struct json_at *limits, struct config_memory *memory);

bool config_dialect_read(const struct json_at *object, enum config_dialect *dialect);

/* Reads a secret that travels in an HTTP header; "" counts as not set. */
bool config_auth_read(const struct json_at *object, const char *key, char **out);

#define CONFIG_UNIX_PATH_MAX 107 /* bytes: sun_path, less its NUL */

/* Key `status`: the path of a unix socket. NULL: the default place; "": none ("off"). */
bool config_status_read(const struct json_at *root, char **out);

/* A literal address, IPv4 or (without brackets and zone) IPv6. */
bool config_address_ok(struct slice host);
/* The same or a DNS name: letters, digits, '-', '_' and '.'. */
bool config_host_ok(struct slice host);

/* A string with "" as good as absent: frees it and leaves NULL. */
void config_drop_empty(char **text);

/* A copy, owned by the caller; of NULL, NULL. False when memory is short. */
bool config_copy_text(char **out, const char *text);

/* Both NULL, or equal. */
bool config_same_text(const char *a, const char *b);

/* "key" is missing from `object`; `expected` says what belongs there. Returns false. */
bool config_fail_missing(const struct json_at *object, const char *key, const char *expected);

/* Where a configuration comes from. */
struct config_source {
    const char *file;           /* to be read; NULL: only what lies over it counts */
    struct slice text;          /* instead of reading: what the file would hold; p NULL: none */
    const struct overlay *over; /* what lies over it; NULL: nothing */
};

/* Opens it. False with the document's error set; config_finish either way. */
bool config_open(struct json_doc *doc, const struct config_source *from);

/* Closes the document; with `ok` false copies its error. WSP_OK, WSP_ERR_CONFIG, or WSP_ERR_USAGE
 * when the overlay is at fault. */
enum wsp_err config_finish(struct json_doc *doc, bool ok, char error[CONFIG_ERROR_MAX]);

#endif
