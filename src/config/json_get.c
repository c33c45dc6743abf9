#include <stdio.h>
#include <stdlib.h>

#include "config/json.h"

static const char *type_name(const cJSON *value)
{
    if (cJSON_IsString(value))
        return "a string";
    if (cJSON_IsNumber(value))
        return "a number";
    if (cJSON_IsBool(value))
        return cJSON_IsTrue(value) ? "true" : "false";
    if (cJSON_IsNull(value))
        return "null";
    return cJSON_IsArray(value) ? "an array" : "an object";
}

static bool fail_type(struct json_at *at, const char *expected)
{
    return json_fail(at, "expected %s, found %s", expected, type_name(at->value));
}

bool json_member(const struct json_at *object, const char *key, struct json_at *out)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object->value, key);
    size_t n = strlen(object->path);

    if (!value || cJSON_IsNull(value))
        return false;
    *out = *object;
    out->value = value;
    snprintf(out->path + n, sizeof(out->path) - n, "%s%s", n ? "." : "", key);
    return true;
}

bool json_next(const struct json_at *array, struct json_at *item, size_t *index)
{
    const cJSON *value = item->value ? item->value->next : array->value->child;
    size_t n = strlen(array->path);

    if (!value)
        return false;
    *index = item->value ? *index + 1 : 0;
    *item = *array;
    item->value = value;
    snprintf(item->path + n, sizeof(item->path) - n, "[%zu]", *index);
    return true;
}

size_t json_count(const struct json_at *array)
{
    return (size_t)cJSON_GetArraySize(array->value);
}

bool json_expect_object(struct json_at *at)
{
    return cJSON_IsObject(at->value) || fail_type(at, "an object");
}

bool json_expect_string(struct json_at *at, const char **out)
{
    *out = cJSON_GetStringValue(at->value);
    return *out || fail_type(at, "a string");
}

bool json_get_string(const struct json_at *object, const char *key, char **out)
{
    struct json_at at;
    const char *text;
    char *copy;

    if (!json_member(object, key, &at))
        return true;
    if (!json_expect_string(&at, &text))
        return false;
    copy = strdup(text);
    if (!copy)
        return json_fail(&at, "out of memory");
    free(*out);
    *out = copy;
    return true;
}

bool json_get_bool(const struct json_at *object, const char *key, bool *out)
{
    struct json_at at;

    if (!json_member(object, key, &at))
        return true;
    if (!cJSON_IsBool(at.value))
        return fail_type(&at, "true or false");
    *out = cJSON_IsTrue(at.value);
    return true;
}

bool json_get_int(const struct json_at *object, const char *key, long min, long max, long *out)
{
    struct json_at at;
    double v;

    if (!json_member(object, key, &at))
        return true;
    if (!cJSON_IsNumber(at.value))
        return fail_type(&at, "a whole number");
    v = at.value->valuedouble;
    if (!(v >= (double)min && v <= (double)max) || v != (double)(long)v)
        return json_fail(&at, "expected a whole number from %ld to %ld", min, max);
    *out = (long)v;
    return true;
}

bool json_get_seconds(const struct json_at *object, const char *key, double min, double max,
                      uint64_t *out_us)
{
    struct json_at at;
    double v;

    if (!json_member(object, key, &at))
        return true;
    if (!cJSON_IsNumber(at.value))
        return fail_type(&at, "a number of seconds");
    v = at.value->valuedouble;
    if (!(v >= min && v <= max))
        return json_fail(&at, "expected seconds from %g to %g", min, max);
    *out_us = (uint64_t)(v * 1e6 + 0.5);
    return true;
}

bool json_get_object(const struct json_at *object, const char *key, struct json_at *out,
                     bool *present)
{
    *present = json_member(object, key, out);
    return !*present || json_expect_object(out);
}

bool json_get_array(const struct json_at *object, const char *key, struct json_at *out,
                    bool *present)
{
    *present = json_member(object, key, out);
    return !*present || cJSON_IsArray(out->value) || fail_type(out, "an array");
}
