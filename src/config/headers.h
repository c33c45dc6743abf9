/* The key `headers`: what a link's request carries beside the handshake. */
#ifndef CONFIG_HEADERS_H
#define CONFIG_HEADERS_H

#include "config/json.h"

/*
 * Reads an object of header names and values. *lines (NULL before) gets them as lines, each with
 * CRLF, owned by the caller: they are secrets. "Host" is none of these: it replaces *host, an owned
 * string. Without the key both are untouched. False with the document's error set.
 */
bool config_headers_read(const struct json_at *object, char **lines, char **host);

#endif
