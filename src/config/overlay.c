#include "config/overlay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_MAX_BYTES 32 /* of one key */

/* One key of a path and what stands behind it. */
struct step {
    char name[NAME_MAX_BYTES];
    bool is_array; /* "[]" or "[+]" */
    bool adds;     /* "[+]" */
    bool is_last;
};

static struct step next_step(const char **key)
{
    size_t n = strcspn(*key, ".[");
    struct step s = {.is_last = false};

    snprintf(s.name, sizeof(s.name), "%.*s", (int)n, *key);
    *key += n;
    if (**key == '[') {
        s.is_array = true;
        s.adds = (*key)[1] == '+';
        *key += s.adds ? 3 : 2;
    }
    s.is_last = **key == '\0';
    if (!s.is_last)
        ++*key;
    return s;
}

/* Makes the member of an object that a step looks for in vain. An array that would have to have
 * elements is not made: the reader is to miss it. */
static bool make_member(struct json_at *at, const struct step *s, const char *origin)
{
    if (!s->is_array)
        return json_graft(at, s->name, cJSON_CreateObject(), origin);
    return (s->adds || s->is_last) && json_graft(at, s->name, cJSON_CreateArray(), origin);
}

/* From an object to its member of this name. */
static bool enter_member(struct json_at *at, const struct step *s, const char *origin)
{
    struct json_at member;

    if (!json_member(at, s->name, &member) &&
        (!make_member(at, s, origin) || !json_member(at, s->name, &member)))
        return false;
    *at = member;
    return s->is_array ? cJSON_IsArray(at->value) : cJSON_IsObject(at->value);
}

/* From an array to an element of it that is an object. */
static bool enter_element(struct json_at *at, const struct step *s, const char *origin)
{
    struct json_at first = *at, last = *at;

    if (s->adds && !json_graft(at, NULL, cJSON_CreateObject(), origin))
        return false;
    first.value = at->value->child;
    if (!first.value)
        return false;
    last.value = first.value->prev; /* cJSON: the first one's is the last one */
    *at = json_is_graft(&last) ? last : first;
    return cJSON_IsObject(at->value);
}

static cJSON *new_value(const struct overlay_value *v)
{
    char *end;
    double number;

    if (v->type == OVERLAY_STRING)
        return cJSON_CreateString(v->text);
    if (v->type == OVERLAY_BOOL)
        return cJSON_CreateBool(strcmp(v->text, "true") == 0);
    number = strtod(v->text, &end);
    return cJSON_CreateNumber(*v->text && !*end ? number : (double)NAN);
}

static bool set_last(struct json_at *at, const struct step *s, const struct overlay_value *v)
{
    if (s->is_array)
        return enter_member(at, s, v->origin) && json_graft(at, NULL, new_value(v), v->origin);
    return json_graft(at, s->name, new_value(v), v->origin);
}

static void apply(const struct overlay_value *v, struct json_at at)
{
    const char *key = v->key;
    struct step s = next_step(&key);

    while (!s.is_last) {
        if (!enter_member(&at, &s, v->origin) || (s.is_array && !enter_element(&at, &s, v->origin)))
            return;
        s = next_step(&key);
    }
    set_last(&at, &s, v);
}

static bool step_ok(const char **key)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    size_t n = strspn(*key, letters);

    *key += n;
    if (n == 0 || n >= NAME_MAX_BYTES)
        return false;
    if (strncmp(*key, "[]", 2) == 0)
        *key += 2;
    else if (strncmp(*key, "[+].", 4) == 0)
        *key += 3;
    return true;
}

bool overlay_key_ok(const char *key)
{
    while (step_ok(&key)) {
        if (*key == '\0')
            return true;
        if (*key++ != '.')
            return false;
    }
    return false;
}

bool overlay_add(struct overlay *o, const struct overlay_value *v)
{
    struct overlay_value *grown = realloc(o->value, (o->count + 1) * sizeof(*grown));
    struct overlay_value *to;

    if (!grown)
        return false;
    o->value = grown;
    to = &grown[o->count++];
    *to = *v;
    to->key = strdup(v->key);
    to->text = strdup(v->text);
    return to->key && to->text;
}

bool overlay_apply(const struct overlay *o, struct json_doc *doc)
{
    struct json_at root;

    if (!json_root(doc, &root))
        return false;
    for (size_t i = 0; i < o->count && !doc->error[0]; i++)
        apply(&o->value[i], root);
    return !doc->error[0];
}

void overlay_fini(struct overlay *o)
{
    for (size_t i = 0; i < o->count; i++) {
        if (o->value[i].text)
            explicit_bzero(o->value[i].text, strlen(o->value[i].text));
        free(o->value[i].text);
        free(o->value[i].key);
    }
    free(o->value);
    *o = (struct overlay){0};
}
