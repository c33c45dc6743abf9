/*
 * Writes JSON (RFC 8259) into a buffer. Whatever the strings hold, the result is valid JSON in
 * UTF-8: bytes that are none become U+FFFD. Without memory the rest is dropped, and `failed` tells.
 */
#ifndef BASE_JSON_OUT_H
#define BASE_JSON_OUT_H

#include "base/buf.h"

/* Zero-initialise; buf_fini(&j->text) at the end. */
struct json_out {
    struct buf text;
    bool comma;  /* a value stands in front of the next one */
    bool failed; /* no memory */
};

/* `key` is NULL for elements of arrays and for the root. Keys are ours: they are not escaped. */
void json_out_object(struct json_out *j, const char *key);
void json_out_array(struct json_out *j, const char *key);
void json_out_end_object(struct json_out *j);
void json_out_end_array(struct json_out *j);

void json_out_string(struct json_out *j, const char *key, struct slice value);
void json_out_text(struct json_out *j, const char *key, const char *value); /* NULL: null */
void json_out_uint(struct json_out *j, const char *key, uint64_t value);
void json_out_bool(struct json_out *j, const char *key, bool value);
void json_out_null(struct json_out *j, const char *key);

/* The text, NUL-terminated, owned by the caller; NULL when memory was short. `j` is empty then. */
char *json_out_take(struct json_out *j);

/* The members of an object that is written already; of anything else there are none. */
void json_out_members(struct json_out *j, struct slice object);

/* Microseconds, as seconds or milliseconds with three decimals. */
void json_out_seconds(struct json_out *j, const char *key, uint64_t us);
void json_out_millis(struct json_out *j, const char *key, uint64_t us);

#endif
