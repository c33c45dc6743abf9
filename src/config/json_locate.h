/* Where values stand in a JSON text, and what is wrong with a text that cJSON refused. */
#ifndef CONFIG_JSON_LOCATE_H
#define CONFIG_JSON_LOCATE_H

#include "base/slice.h"

struct json_place {
    size_t key;   /* offset of the member's key; of the value when it is no member */
    size_t value; /* offset of the value */
};

/*
 * The place of the value that `before` other values start ahead of (0: the root). The text must be
 * one that cJSON accepts and hold that many values.
 */
struct json_place json_locate(struct slice text, size_t before);

/*
 * The first fault of a text: returns what was expected there (static) and its offset, which is
 * text.len when the text ends too early. NULL when this walk, which is lenient on numbers and \u
 * escapes, finds none.
 */
const char *json_explain(struct slice text, size_t *offset);

/* Counts from 1; columns are characters, not bytes. */
void json_line_column(struct slice text, size_t offset, unsigned *line, unsigned *column);

#endif
