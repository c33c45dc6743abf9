#include "daemon/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/process.h"

#define LINE_BYTES_MAX 8192              /* more than any setting may have */
#define FILE_BYTES_MAX (1024 * 1024 + 1) /* more than a configuration may have */
#define ORIGIN_MAX 32

static size_t count_given(const struct args *args, const struct args_option *o)
{
    size_t n = 0;

    for (size_t i = 0; i < args->given_count; i++)
        n += args->given[i].option == o;
    return n;
}

/* "-D", "-D 2" when there are several, or the variable's name. */
static void name_origin(const struct args *args, const struct args_given *g, size_t number,
                        char out[ORIGIN_MAX])
{
    char label[ARGS_LABEL_MAX];

    args_label(g->option, label);
    if (g->from_environment)
        snprintf(out, ORIGIN_MAX, "%s", g->option->environment);
    else if (count_given(args, g->option) > 1)
        snprintf(out, ORIGIN_MAX, "%.20s %zu", label, number);
    else
        snprintf(out, ORIGIN_MAX, "%s", label);
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
                        char error[WSP_ERROR_MAX])
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
        snprintf(error, WSP_ERROR_MAX, "%s: %.300s: %s", origin, file, fault);
    if (fd >= 0)
        close(fd);
    explicit_bzero(line, sizeof(line));
    return copy;
}

/* NaN, which no setting can be, when it is no number. */
static double number_of(const char *text)
{
    char *end;
    double number = strtod(text, &end);

    return *text && !*end ? number : (double)NAN;
}

static enum wsp_err set(struct wsp_config *config, const struct args_option *o, const char *text,
                        const char *origin)
{
    if (o->is_number)
        return wsp_config_set_number(config, o->key, number_of(text), origin);
    return wsp_config_set(config, o->key, text, origin);
}

static enum wsp_err add_setting(const struct args *args, const struct args_given *g, size_t number,
                                struct wsp_config *config, char error[WSP_ERROR_MAX])
{
    bool is_file = g->option->is_file && !g->from_environment;
    char origin[ORIGIN_MAX], *line = NULL;
    enum wsp_err err;

    name_origin(args, g, number, origin);
    if (is_file) {
        line = first_line(args, g->text, origin, error);
        if (!line)
            return WSP_ERR_CONFIG;
    }
    err = set(config, g->option, line ? line : g->text, origin);
    if (line)
        explicit_bzero(line, strlen(line));
    free(line);
    return err;
}

/* In the order of the table. */
static enum wsp_err add_settings(const struct args *args, struct wsp_config *config,
                                 char error[WSP_ERROR_MAX])
{
    for (const struct args_option *o = args->option; o->name; o++) {
        size_t number = 0;

        for (size_t i = 0; o->key && i < args->given_count; i++) {
            enum wsp_err err;

            if (args->given[i].option != o)
                continue;
            err = add_setting(args, &args->given[i], ++number, config, error);
            if (err != WSP_OK)
                return err;
        }
    }
    return WSP_OK;
}

/* Up to `cap` bytes of it, or NULL with what failed in `out`. */
static const char *read_file(const char *file, char *out, size_t cap, size_t *len)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n = 1;

    *len = 0;
    if (fd < 0)
        return "cannot open";
    while (*len < cap && (n = read(fd, out + *len, cap - *len)) > 0)
        *len += (size_t)n;
    close(fd);
    return n < 0 ? "cannot read" : NULL;
}

/* When the usual file is the one to read and not there, adds what does without it. */
static void advise(const struct settings *s, char error[WSP_ERROR_MAX])
{
    size_t n = strlen(error);

    if (!settings_has_file(s))
        snprintf(error + n, WSP_ERROR_MAX - n, ": -c FILE names another, %s does without",
                 s->rules->enough_form);
}

/* As a text, since it is judged again when the rights to read it have been given up. */
static enum wsp_err add_file(const struct settings *s, const char *file, struct wsp_config *config,
                             char error[WSP_ERROR_MAX])
{
    char *text = malloc(FILE_BYTES_MAX);
    enum wsp_err err = WSP_ERR_NOMEM;
    const char *failed;
    size_t len;

    if (!text)
        return err;
    failed = read_file(file, text, FILE_BYTES_MAX, &len);
    if (failed) {
        snprintf(error, WSP_ERROR_MAX, "%.300s: %s: %s", file, failed, strerror(errno));
        advise(s, error);
        err = WSP_ERR_CONFIG;
    } else {
        err = wsp_config_text(config, file, text, len);
    }
    explicit_bzero(text, len);
    free(text);
    return err;
}

static enum wsp_err judge(const struct settings *s, struct configured *out,
                          char error[WSP_ERROR_MAX])
{
    struct wsp_process process;
    enum wsp_err err = wsp_config_check(out->config, s->rules->role, &process, error);

    if (err != WSP_OK)
        return err;
    snprintf(error, WSP_ERROR_MAX, "out of memory");
    return process_copy(&out->process, &process) ? WSP_OK : WSP_ERR_NOMEM;
}

enum wsp_err settings_load(const struct settings *s, struct configured *out,
                           char error[WSP_ERROR_MAX])
{
    const char *file = settings_file(s);
    enum wsp_err err;

    *out = (struct configured){.config = wsp_config_new()};
    snprintf(error, WSP_ERROR_MAX, "out of memory");
    if (!out->config)
        return WSP_ERR_NOMEM;
    if (args_has(&s->args, "json") && !args_has(&s->args, "status")) {
        snprintf(error, WSP_ERROR_MAX, "--json: expected --status with it");
        return WSP_ERR_USAGE;
    }
    err = add_settings(&s->args, out->config, error);
    if (err == WSP_OK && file)
        err = add_file(s, file, out->config, error);
    return err == WSP_OK ? judge(s, out, error) : err;
}

void configured_fini(struct configured *c)
{
    wsp_config_free(c->config);
    process_fini(&c->process);
    c->config = NULL;
}

int settings_parse(struct settings *s, const struct settings_rules *rules, int argc, char **argv)
{
    *s = (struct settings){
        .rules = rules,
        .args = {.program = rules->program, .option = rules->option, .examples = rules->examples}};
    return args_parse(&s->args, argc, argv);
}

void settings_fini(struct settings *s)
{
    args_fini(&s->args);
}

const char *settings_file(const struct settings *s)
{
    if (args_has(&s->args, "config"))
        return args_value(&s->args, "config");
    return args_has(&s->args, s->rules->enough) ? NULL : s->rules->file;
}

bool settings_has_file(const struct settings *s)
{
    const char *file = settings_file(s);

    return file && (args_has(&s->args, "config") || access(file, F_OK) == 0);
}
