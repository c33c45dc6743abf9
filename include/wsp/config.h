/*
 * A configuration: what stands in wsps.json or wspc.json (docs/configuration.md), from a file, a
 * text, or set key by key, or both, one over the other. It is judged by wsp_config_check and by who
 * is given it; it can be given to several, changed, and given again: they copy. What a function
 * below could not take (a NULL text, a malformed key) is an error there, too: so the results need
 * not be looked at one by one.
 */
#ifndef WSP_CONFIG_H
#define WSP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <wsp/err.h>
#include <wsp/log.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wsp_config;

/* An empty one, owned by the caller; NULL without memory. */
WSP_API struct wsp_config *wsp_config_new(void);

/* Its values are overwritten, since they can be secrets. Accepts NULL. */
WSP_API void wsp_config_free(struct wsp_config *config);

/*
 * Takes a file, which is read when the configuration is judged, and each time anew; or a text
 * (JSON, copied) that errors call `name`. One replaces the other; what is set by key lies over it.
 * WSP_OK, WSP_ERR_NOMEM or WSP_ERR_USAGE.
 */
WSP_API enum wsp_err wsp_config_file(struct wsp_config *config, const char *path);
WSP_API enum wsp_err wsp_config_text(struct wsp_config *config, const char *name, const char *text,
                                     size_t len);

/*
 * Set one value. `key` is the keys from the root with dots between them; the last one is set or,
 * with "[]" behind it, gets one more element. Before that, "[]" is the element that was added by
 * key, or else the first one of the file; "[+]" adds one:
 *
 *     "limits.connections"    "client[+].server"    "client[].dynamic[]"
 *
 * `origin` is what errors call it ("-p"); NULL: the key. Strings are copied. Whether the key exists
 * and the value fits is judged later. WSP_OK, WSP_ERR_NOMEM or WSP_ERR_USAGE.
 */
WSP_API enum wsp_err wsp_config_set(struct wsp_config *config, const char *key, const char *value,
                                    const char *origin);
WSP_API enum wsp_err wsp_config_set_number(struct wsp_config *config, const char *key, double value,
                                           const char *origin);
WSP_API enum wsp_err wsp_config_set_bool(struct wsp_config *config, const char *key, bool value,
                                         const char *origin);

/* Whose configuration it is. */
enum wsp_role {
    WSP_SERVER, /* wsps.json */
    WSP_CLIENT, /* wspc.json */
};

/*
 * What it says about the process, which is the program's own business: the library checks these
 * keys and does nothing else with them. Strings are NULL where nothing is said, and borrowed until
 * the configuration is judged again or freed.
 */
struct wsp_process {
    enum wsp_log_level log_level; /* log.level: info */
    const char *log_output;       /* log.output: a file; NULL: standard output */
    const char *status;           /* status: a unix socket; "": none; NULL: the default place */
    const char *user, *group;     /* user, group: to become after the start */
    uid_t uid;                    /* of `user` */
    gid_t gid;                    /* of `group`, else of `user` */
    bool seccomp;                 /* seccomp: true */
    long descriptors;             /* limits.descriptors; 0: as many as the system allows */
    long connections;             /* limits.connections */
};

/*
 * Judges it. `process` may be NULL. WSP_OK; WSP_ERR_CONFIG when the file or text is at fault, or
 * WSP_ERR_USAGE when a value that was set by key is, with a line in `error` that names the place,
 * the key and what was expected; WSP_ERR_NOMEM.
 */
WSP_API enum wsp_err wsp_config_check(struct wsp_config *config, enum wsp_role role,
                                      struct wsp_process *process, char error[WSP_ERROR_MAX]);

#ifdef __cplusplus
}
#endif
#endif
