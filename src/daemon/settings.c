#include "daemon/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_MAX 8192 /* more than any setting may have */

static size_t count_given(const struct args *args, const struct args_option *o)
{
    size_t n = 0;

    for (size_t i = 0; i < args->given_count; i++)
        n += args->given[i].option == o;
    return n;
}

/* "-D", "-D 2" when there are several, or the variable's name. */
static void name_origin(const struct args *args, const struct args_given *g, size_t number,
                        char out[JSON_ORIGIN_MAX])
{
    char label[ARGS_LABEL_MAX];

    args_label(g->option, label);
    if (g->from_environment)
        snprintf(out, JSON_ORIGIN_MAX, "%s", g->option->environment);
    else if (count_given(args, g->option) > 1)
        snprintf(out, JSON_ORIGIN_MAX, "%.20s %zu", label, number);
    else
        snprintf(out, JSON_ORIGIN_MAX, "%s", label);
}

static void warn_of_readers(const struct args *args, const char *file, int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IRWXO))
        fprintf(stderr, "%s: warning: %s is open to all users of this machine: chmod o= %s\n",
                args->program, file, file);
}

static const char *read_line(int fd, char line[LINE_BYTES_MAX])
{
    size_t n = 0, len;
    ssize_t got;

    while ((got = read(fd, line + n, LINE_BYTES_MAX - 1 - n)) > 0)
        n += (size_t)got;
    if (got < 0)
        return strerror(errno);
    line[n] = '\0';
    len = strcspn(line, "\r\n");
    if (line[len] == '\0' && len < n)
        return "expected text, found a NUL byte";
    if (len == 0)
        return "its first line is empty: expected the secret";
    line[len] = '\0';
    return NULL;
}

static char *first_line(const struct args *args, const char *file, const char *origin,
                        char error[CONFIG_ERROR_MAX])
{
    char line[LINE_BYTES_MAX] = "", *copy = NULL;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    const char *fault = fd < 0 ? strerror(errno) : read_line(fd, line);

    if (!fault) {
        warn_of_readers(args, file, fd);
        copy = strdup(line);
        fault = "out of memory";
    }
    if (!copy)
        snprintf(error, CONFIG_ERROR_MAX, "%s: %.300s: %s", origin, file, fault);
    if (fd >= 0)
        close(fd);
    explicit_bzero(line, sizeof(line));
    return copy;
}

static bool add_setting(const struct args *args, const struct args_given *g, size_t number,
                        struct overlay *out, char error[CONFIG_ERROR_MAX])
{
    struct overlay_value *v = &out->value[out->count++];

    *v = (struct overlay_value){.key = strdup(g->option->key),
                                .type = g->option->is_number ? OVERLAY_NUMBER : OVERLAY_STRING};
    name_origin(args, g, number, v->origin);
    if (g->option->is_file && !g->from_environment)
        v->text = first_line(args, g->text, v->origin, error);
    else
        v->text = strdup(g->text);
    return v->key && v->text;
}

enum wsp_err settings_overlay(const struct args *args, struct overlay *out,
                              char error[CONFIG_ERROR_MAX])
{
    snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    *out = (struct overlay){.value = calloc(args->given_count + 1, sizeof(*out->value))};
    if (!out->value)
        return WSP_ERR_CONFIG;
    if (args_has(args, "json") && !args_has(args, "status")) {
        snprintf(error, CONFIG_ERROR_MAX, "--json: expected --status with it");
        return WSP_ERR_USAGE;
    }
    for (const struct args_option *o = args->option; o->name; o++) {
        size_t number = 0;

        for (size_t i = 0; o->key && i < args->given_count; i++)
            if (args->given[i].option == o &&
                !add_setting(args, &args->given[i], ++number, out, error))
                return WSP_ERR_CONFIG;
    }
    return WSP_OK;
}

const char *settings_file(const struct args *args, const char *enough, const char *usual)
{
    if (args_has(args, "config"))
        return args_value(args, "config");
    return args_has(args, enough) ? NULL : usual;
}

bool settings_has_file(const struct args *args, const char *file)
{
    return file && (args_has(args, "config") || access(file, F_OK) == 0);
}

void settings_advise(const struct args *args, const char *file, const char *enough,
                     char error[CONFIG_ERROR_MAX])
{
    size_t n = strlen(error);

    if (file && !settings_has_file(args, file))
        snprintf(error + n, CONFIG_ERROR_MAX - n, ": -c FILE names another, %s does without",
                 enough);
}
