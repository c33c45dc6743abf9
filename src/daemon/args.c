#include "daemon/args.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "daemon/args_help.h"

#define OPTIONS_MAX 64

static int bad_usage(const struct args *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int bad_usage(const struct args *a, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s: ", a->program);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\ntry '%s -h'\n", a->program);
    return EXIT_USAGE;
}

const char *args_label(const struct args_option *o, char out[ARGS_LABEL_MAX])
{
    if (o->letter)
        snprintf(out, ARGS_LABEL_MAX, "-%c", o->letter);
    else
        snprintf(out, ARGS_LABEL_MAX, "--%s", o->name);
    return out;
}

/* Overwrites bytes that ps shows. */
static void wipe(char *begin, const char *end)
{
    if (begin < end)
        memset(begin, '*', (size_t)(end - begin));
}

/* What ps may go on showing of "scheme://user:password@host/path?query" or "channel:password". */
static void wipe_secrets(char *text)
{
    char *authority = strstr(text, "://");
    char *colon = strchr(authority ? authority + 3 : text, ':');
    char *at = strrchr(text, '@');
    char *query = strchr(text, '?');

    if (!authority)
        at = text + strlen(text);
    if (colon && at)
        wipe(colon + 1, at);
    if (query && strncasecmp(text, "ws", 2) == 0) /* a server's can be a token */
        wipe(query + 1, query + strlen(query));
}

static const struct args_given *find_given(const struct args *a, const char *name)
{
    for (size_t i = 0; i < a->given_count; i++)
        if (strcmp(a->given[i].option->name, name) == 0)
            return &a->given[i];
    return NULL;
}

bool args_has(const struct args *a, const char *name)
{
    return find_given(a, name) != NULL;
}

const char *args_value(const struct args *a, const char *name)
{
    const struct args_given *g = find_given(a, name);

    return g ? g->text : NULL;
}

/* Copies the value and wipes it where it stands. */
static int take(struct args *a, const struct args_option *o, char *value, bool from_environment)
{
    struct args_given *grown = reallocarray(a->given, a->given_count + 1, sizeof(*grown));
    char *text = value ? strdup(value) : NULL;

    if (grown)
        a->given = grown;
    if (!grown || (value && !text)) {
        free(text);
        fprintf(stderr, "%s: out of memory\n", a->program);
        return EXIT_START;
    }
    a->given[a->given_count++] = (struct args_given){o, text, from_environment};
    if (value && o->is_secret)
        wipe_secrets(value);
    return -1;
}

static int take_value(struct args *a, const struct args_option *o, char *value)
{
    char label[ARGS_LABEL_MAX];

    if (!value)
        return bad_usage(a, "%s: expected a value: %s %s", args_label(o, label),
                         args_label(o, label), o->value);
    if (!o->is_repeatable && args_has(a, o->name))
        return bad_usage(a, "%s: given twice: expected once", args_label(o, label));
    return take(a, o, value, false);
}

static int take_flag(struct args *a, const struct args_option *o)
{
    if (strcmp(o->name, "help") == 0) {
        args_print_help(a);
        return EXIT_OK;
    }
    if (strcmp(o->name, "version") == 0) {
        args_print_version(a);
        return EXIT_OK;
    }
    return take(a, o, NULL, false);
}

static int unknown_name(const struct args *a, const char *name)
{
    const char *known[OPTIONS_MAX + 1] = {NULL};
    const char *nearest;

    for (size_t i = 0; i < OPTIONS_MAX && a->option[i].name; i++)
        known[i] = a->option[i].name;
    nearest = nearest_word(name, known);
    if (nearest)
        return bad_usage(a, "--%s: unknown option: did you mean --%s?", name, nearest);
    return bad_usage(a, "--%s: unknown option", name);
}

/* --name, --name=value or --name value; *next is the argument behind it. */
static int parse_name(struct args *a, char *name, char ***next)
{
    const struct args_option *o = a->option;
    char *equals = strchr(name, '=');

    if (equals)
        *equals = '\0';
    while (o->name && strcmp(o->name, name) != 0)
        o++;
    if (!o->name)
        return unknown_name(a, name);
    if (!o->value)
        return equals ? bad_usage(a, "--%s: takes no value", name) : take_flag(a, o);
    if (!equals)
        return take_value(a, o, **next ? *(*next)++ : NULL);
    *equals = '=';
    return take_value(a, o, equals + 1);
}

/* -abc, -avalue or -a value. */
static int parse_letters(struct args *a, char *letters, char ***next)
{
    int status = -1;

    for (; status < 0 && *letters; letters++) {
        const struct args_option *o = a->option;

        while (o->name && o->letter != *letters)
            o++;
        if (!o->name)
            return bad_usage(a, "-%c: unknown option", *letters);
        if (o->value)
            return take_value(a, o, letters[1] ? letters + 1 : **next ? *(*next)++ : NULL);
        status = take_flag(a, o);
    }
    return status;
}

static int parse_argument(struct args *a, char *arg, int position, char ***next)
{
    if (strncmp(arg, "--", 2) == 0 && arg[2])
        return parse_name(a, arg + 2, next);
    if (arg[0] == '-' && arg[1] && arg[1] != '-')
        return parse_letters(a, arg + 1, next);
    /* Not shown: it can be a secret whose option was forgotten. */
    return bad_usage(a, "argument %d is no option: expected -X VALUE or --name VALUE", position);
}

/* Variables are removed, so that neither children nor /proc show them. Empty counts as not set. */
static int take_environment(struct args *a)
{
    int status = -1;

    for (const struct args_option *o = a->option; o->name && status < 0; o++) {
        char *value = o->environment ? getenv(o->environment) : NULL;

        if (!value)
            continue;
        if (*value && !args_has(a, o->name))
            status = take(a, o, value, true);
        explicit_bzero(value, strlen(value));
        unsetenv(o->environment);
    }
    return status;
}

int args_parse(struct args *a, int argc, char **argv)
{
    char **next = argc > 0 ? argv + 1 : argv;
    int status = -1;

    a->given = NULL;
    a->given_count = 0;
    while (status < 0 && *next) {
        char *arg = *next++;

        status = parse_argument(a, arg, (int)(next - argv) - 1, &next);
    }
    return status < 0 ? take_environment(a) : status;
}

void args_fini(struct args *a)
{
    for (size_t i = 0; i < a->given_count; i++) {
        if (a->given[i].text)
            explicit_bzero(a->given[i].text, strlen(a->given[i].text));
        free(a->given[i].text);
    }
    free(a->given);
    a->given = NULL;
    a->given_count = 0;
}
