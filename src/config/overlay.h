/*
 * Settings from outside the file, laid over it: the command line. They become values of the parsed
 * document, so that they go through the file's own checks.
 */
#ifndef CONFIG_OVERLAY_H
#define CONFIG_OVERLAY_H

#include "config/json.h"

enum overlay_type {
    OVERLAY_STRING,
    OVERLAY_NUMBER, /* a text that is none fails like a number out of range */
    OVERLAY_BOOL,   /* "true" or not */
};

struct overlay_value {
    /*
     * Where it goes: the keys from the root, dots between them. The last one is set or, with "[]"
     * behind it, gets one more element. Before that, "[]" is the element that the overlay has
     * added, or else the first one of the file; "[+]" adds one.
     *
     *     "log.level"    "client[+].server"    "client[].dynamic[]"
     */
    char *key;  /* owned */
    char *text; /* owned */
    enum overlay_type type;
    char origin[JSON_ORIGIN_MAX]; /* what errors name: "-D 2" */
};

struct overlay {
    struct overlay_value *value; /* owned array */
    size_t count;
};

/* Whether a key is written so that it can be laid over something. */
bool overlay_key_ok(const char *key);

/* Adds a value; all is copied. False when memory is short. */
bool overlay_add(struct overlay *o, const struct overlay_value *v);

/* Lays it over the document. A value whose place the file has filled with something of another type
 * is left out: whoever reads that place reports it. False with doc->error set: out of memory. */
bool overlay_apply(const struct overlay *o, struct json_doc *doc);

/* Overwrites the texts, which can be secrets, and frees all. */
void overlay_fini(struct overlay *o);

#endif
