/*
 * Reading a JSON configuration with errors that name the file, the place, the key and the fix:
 *
 *     wspc.json:12:7: client[0].remote[2]: …
 *
 * cJSON parses; the places come from a scan of the text (cJSON keeps none).
 */
#ifndef CONFIG_JSON_H
#define CONFIG_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/slice.h"
#include "wsp/err.h"

#define CONFIG_ERROR_MAX WSP_ERROR_MAX
#define CONFIG_PATH_MAX 256
#define JSON_ORIGIN_MAX 32

/* A value that does not stand in the text. */
struct json_graft {
    const cJSON *value;
    char origin[JSON_ORIGIN_MAX]; /* what errors name instead of a place: "-D 2" */
};

struct json_doc {
    const char *file; /* name used in errors; borrowed */
    char *text;       /* owned, NUL-terminated */
    size_t len;
    cJSON *root;              /* owned */
    struct json_graft *graft; /* owned array */
    size_t graft_count;
    bool graft_failed;            /* the error is about a graft */
    char error[CONFIG_ERROR_MAX]; /* the first error: one line */
};

/* A value and where it stands: "client[0].remote[2]". */
struct json_at {
    struct json_doc *doc;
    const cJSON *value;
    char path[CONFIG_PATH_MAX];
};

/*
 * Reads and parses a file of at most 1 MiB. A byte order mark is skipped; duplicate keys, bytes
 * that are no UTF-8 and \u0000 are errors too. On failure doc->error is set, without any of the
 * file's values in it. json_close either way. WSP_OK or WSP_ERR_CONFIG.
 */
enum wsp_err json_open(struct json_doc *doc, const char *file);

/* The same from memory; the text is copied. */
enum wsp_err json_open_text(struct json_doc *doc, const char *name, struct slice text);

void json_close(struct json_doc *doc);

/* The root, as an object; false with doc->error set when it is none. */
bool json_root(struct json_doc *doc, struct json_at *root);

/* Sets doc->error to "file:line:col: path: text" for this value unless one is set already. Returns
 * false, so that readers can `return json_fail(…)`. */
bool json_fail(struct json_at *at, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Adds `value` (taken, even on failure; NULL: out of memory) to the object or array `parent`: as
 * the member `key`, which then stands for that of the text, or with key NULL as the last element.
 * Errors about it begin with `origin`. False with doc->error set when memory is short.
 */
bool json_graft(struct json_at *parent, const char *key, cJSON *value, const char *origin);
bool json_is_graft(const struct json_at *at);

/* Fails on keys that `known` (NULL-terminated) does not list, naming the nearest known one. */
bool json_known_keys(struct json_at *object, const char *const *known);

/* The member `key`: true with `out` filled; false when absent or null (no error). */
bool json_member(const struct json_at *object, const char *key, struct json_at *out);
/* Walks the elements of an array: start with item->value NULL and *index 0; false at the end. */
bool json_next(const struct json_at *array, struct json_at *item, size_t *index);
size_t json_count(const struct json_at *array);

/* False with doc->error set when the value is no object; no string. *out is borrowed from doc. */
bool json_expect_object(struct json_at *at);
bool json_expect_string(struct json_at *at, const char **out);

/*
 * Typed readers of a member: absent or null leaves *out untouched and is true; a wrong type or
 * range is json_fail. Strings are malloc'd copies (owned by the caller; an old value in *out is
 * freed).
 */
bool json_get_string(const struct json_at *object, const char *key, char **out);
bool json_get_bool(const struct json_at *object, const char *key, bool *out);
bool json_get_int(const struct json_at *object, const char *key, long min, long max, long *out);
/* A duration: a number of seconds (fractions allowed), stored in microseconds. */
bool json_get_seconds(const struct json_at *object, const char *key, double min, double max,
                      uint64_t *out_us);
/* Objects and arrays: *present tells whether it was there; a wrong type is an error. */
bool json_get_object(const struct json_at *object, const char *key, struct json_at *out,
                     bool *present);
bool json_get_array(const struct json_at *object, const char *key, struct json_at *out,
                    bool *present);

#endif
