#include "config/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/nearest.h"
#include "config/json_locate.h"

#define FILE_BYTES_MAX ((size_t)1024 * 1024)
#define OBJECT_KEYS_MAX 256 /* bounds the quadratic search for duplicates */
#define KEY_TEXT_MAX 64     /* of a key shown in an error */

static struct slice text_of(const struct json_doc *doc)
{
    return slice_of(doc->text, doc->len);
}

/* The error is one line whatever a key or a file name holds. */
static void flatten(char *line)
{
    for (; *line; line++)
        if ((unsigned char)*line < 0x20 || *line == 0x7f)
            *line = '?';
}

static enum wsp_err fail_file(struct json_doc *doc, const char *what, const char *detail)
{
    snprintf(doc->error, sizeof(doc->error), "%s: %s%s", doc->file, what, detail);
    flatten(doc->error);
    return WSP_ERR_CONFIG;
}

static void vfail_at(struct json_doc *doc, size_t offset, const char *path, const char *fmt,
                     va_list ap)
{
    unsigned line, column;
    size_t n;

    json_line_column(text_of(doc), offset, &line, &column);
    snprintf(doc->error, sizeof(doc->error), "%s:%u:%u: %s%s", doc->file, line, column, path,
             *path ? ": " : "");
    n = strlen(doc->error);
    vsnprintf(doc->error + n, sizeof(doc->error) - n, fmt, ap);
    flatten(doc->error);
}

/* A fault of the text itself, which has no path yet. Returns false. */
static bool fail_text(struct json_doc *doc, size_t offset, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail_text(struct json_doc *doc, size_t offset, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfail_at(doc, offset, "", fmt, ap);
    va_end(ap);
    return false;
}

static const struct json_graft *graft_of(const struct json_doc *doc, const cJSON *value)
{
    for (size_t i = 0; i < doc->graft_count; i++)
        if (doc->graft[i].value == value)
            return &doc->graft[i];
    return NULL;
}

/* Counts the values ahead of `wanted` in the order of the text; true when it was found. */
static bool count_before(const struct json_doc *doc, const cJSON *value, const cJSON *wanted,
                         size_t *before)
{
    const cJSON *child;

    if (value == wanted)
        return true;
    ++*before;
    cJSON_ArrayForEach(child, value)
    {
        if (!graft_of(doc, child) && count_before(doc, child, wanted, before))
            return true;
    }
    return false;
}

static struct json_place place_of(const struct json_doc *doc, const cJSON *value)
{
    size_t before = 0;

    count_before(doc, doc->root, value, &before);
    return json_locate(text_of(doc), before);
}

static void vfail_graft(struct json_doc *doc, const struct json_graft *graft, const char *fmt,
                        va_list ap)
{
    int n = snprintf(doc->error, sizeof(doc->error), "%s: ", graft->origin);

    vsnprintf(doc->error + n, sizeof(doc->error) - (size_t)n, fmt, ap);
    flatten(doc->error);
    doc->graft_failed = true;
}

bool json_fail(struct json_at *at, const char *fmt, ...)
{
    const struct json_graft *graft = graft_of(at->doc, at->value);
    va_list ap;

    if (at->doc->error[0])
        return false;
    va_start(ap, fmt);
    if (graft)
        vfail_graft(at->doc, graft, fmt, ap);
    else
        vfail_at(at->doc, place_of(at->doc, at->value).value, at->path, fmt, ap);
    va_end(ap);
    return false;
}

bool json_is_graft(const struct json_at *at)
{
    return graft_of(at->doc, at->value) != NULL;
}

bool json_graft(struct json_at *parent, const char *key, cJSON *value, const char *origin)
{
    struct json_doc *doc = parent->doc;
    struct json_graft *grown = reallocarray(doc->graft, doc->graft_count + 1, sizeof(*grown));

    if (grown)
        doc->graft = grown;
    if (value && key)
        value->string = strdup(key);
    if (!value || !grown || (key && !value->string)) {
        cJSON_Delete(value);
        return json_fail(parent, "out of memory");
    }
    grown[doc->graft_count] = (struct json_graft){.value = value};
    snprintf(grown[doc->graft_count++].origin, sizeof(grown->origin), "%s", origin);
    if (key)
        cJSON_InsertItemInArray((cJSON *)parent->value, 0, value);
    else
        cJSON_AddItemToArray((cJSON *)parent->value, value);
    return true;
}

/* A newline is never part of a longer sequence, so a line can be judged alone. */
static bool check_utf8(struct json_doc *doc)
{
    struct slice rest = text_of(doc);

    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.p, '\n', rest.len);
        size_t n = end ? (size_t)(end - rest.p) + 1 : rest.len;

        if (!slice_is_utf8(slice_of(rest.p, n)))
            return fail_text(doc, doc->len - rest.len, "this line is not valid UTF-8");
        slice_advance(&rest, n);
    }
    return true;
}

/* cJSON ends strings at a NUL and takes one between values for space, so neither kind may pass. */
static bool check_nul(struct json_doc *doc)
{
    size_t offset = strlen(doc->text);

    if (offset < doc->len)
        return fail_text(doc, offset, "expected text, found a NUL byte");
    for (const char *p = doc->text; (p = strchr(p, '\\')) != NULL && p[1]; p += 2)
        if (strncmp(p + 1, "u0000", 5) == 0)
            return fail_text(doc, (size_t)(p - doc->text), "\\u0000 is not allowed in a string");
    return true;
}

static bool fail_syntax(struct json_doc *doc, const char *parse_end)
{
    size_t offset;
    const char *expected = json_explain(text_of(doc), &offset);

    if (!expected) {
        offset = parse_end ? (size_t)(parse_end - doc->text) : 0;
        expected = "not valid JSON from here";
    }
    return fail_text(doc, offset, "%s%s", offset >= doc->len ? "the file ends too early: " : "",
                     expected);
}

static bool check_duplicates(struct json_doc *doc, const cJSON *value)
{
    const cJSON *child, *other;
    size_t n = 0;

    cJSON_ArrayForEach(child, value)
    {
        if (cJSON_IsObject(value)) {
            if (n++ == OBJECT_KEYS_MAX)
                return fail_text(doc, place_of(doc, child).key, "more than %d keys in one object",
                                 OBJECT_KEYS_MAX);
            for (other = value->child; other != child; other = other->next)
                if (strcmp(other->string, child->string) == 0)
                    return fail_text(doc, place_of(doc, child).key, "key \"%.*s\" appears twice",
                                     KEY_TEXT_MAX, child->string);
        }
        if (!check_duplicates(doc, child))
            return false;
    }
    return true;
}

static enum wsp_err parse(struct json_doc *doc)
{
    const char *end = NULL;
    bool ok;

    if (!check_utf8(doc) || !check_nul(doc))
        return WSP_ERR_CONFIG;
    /* The length counts the NUL: cJSON asks for it when nothing else may follow. */
    doc->root = cJSON_ParseWithLengthOpts(doc->text, doc->len + 1, &end, 1);
    ok = doc->root ? check_duplicates(doc, doc->root) : fail_syntax(doc, end);
    return ok ? WSP_OK : WSP_ERR_CONFIG;
}

enum wsp_err json_open_text(struct json_doc *doc, const char *name, struct slice text)
{
    *doc = (struct json_doc){.file = name};
    if (text.len > FILE_BYTES_MAX)
        return fail_file(doc, "larger than 1 MiB", "");
    if (text.len >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        slice_advance(&text, 3);
    doc->text = malloc(text.len + 1);
    if (!doc->text)
        return fail_file(doc, "out of memory", "");
    if (text.len > 0)
        memcpy(doc->text, text.p, text.len);
    doc->text[text.len] = '\0';
    doc->len = text.len;
    return parse(doc);
}

enum wsp_err json_open(struct json_doc *doc, const char *file)
{
    char *bytes = NULL;
    FILE *f = fopen(file, "rbe");
    enum wsp_err err;
    size_t n;

    *doc = (struct json_doc){.file = file};
    if (!f)
        return fail_file(doc, "cannot open: ", strerror(errno));
    bytes = malloc(FILE_BYTES_MAX + 1);
    n = bytes ? fread(bytes, 1, FILE_BYTES_MAX + 1, f) : 0;
    if (!bytes)
        err = fail_file(doc, "out of memory", "");
    else if (ferror(f))
        err = fail_file(doc, "cannot read: ", strerror(errno));
    else
        err = json_open_text(doc, file, slice_of(bytes, n));
    free(bytes);
    fclose(f);
    return err;
}

void json_close(struct json_doc *doc)
{
    cJSON_Delete(doc->root);
    free(doc->text);
    free(doc->graft);
    doc->root = NULL;
    doc->text = NULL;
    doc->len = 0;
    doc->graft = NULL;
    doc->graft_count = 0;
}

bool json_root(struct json_doc *doc, struct json_at *root)
{
    *root = (struct json_at){.doc = doc, .value = doc->root};
    return json_expect_object(root);
}

/* At the key itself, not at its value. */
static bool fail_key(struct json_at *object, const cJSON *member, const char *advice,
                     const char *what, const char *mark)
{
    size_t offset = place_of(object->doc, member).key;

    if (object->doc->error[0])
        return false;
    return fail_text(object->doc, offset, "%s%sunknown key \"%.*s\": %s%s%s", object->path,
                     object->path[0] ? ": " : "", KEY_TEXT_MAX, member->string, advice, what, mark);
}

static bool fail_unknown(struct json_at *object, const cJSON *member, const char *const *known)
{
    char list[CONFIG_ERROR_MAX / 2] = "";
    const char *nearest = nearest_word(member->string, known);
    size_t used = 0;

    if (nearest)
        return fail_key(object, member, "did you mean \"", nearest, "\"?");
    for (; *known && used < sizeof(list); known++)
        used +=
            (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", *known);
    return fail_key(object, member, "expected one of ", list, "");
}

bool json_known_keys(struct json_at *object, const char *const *known)
{
    const cJSON *member;

    cJSON_ArrayForEach(member, object->value)
    {
        const char *const *k = known;

        while (*k && strcmp(*k, member->string) != 0)
            k++;
        if (!*k)
            return fail_unknown(object, member, known);
    }
    return true;
}
