#include "api/process_state.h"

#include <dirent.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/tools.h"

extern char **environ;

static void add(struct process_state *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct process_state *s, const char *format, ...)
{
    size_t len = strlen(s->text);
    va_list ap;

    va_start(ap, format);
    vsnprintf(s->text + len, sizeof(s->text) - len, format, ap);
    va_end(ap);
}

static void add_signals(struct process_state *s)
{
    sigset_t mask;

    REQUIRE(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
    for (int i = 1; i < SIGRTMIN; i++) {
        struct sigaction action;

        if (sigaction(i, NULL, &action) == 0)
            add(s, "signal %d: %p %x, blocked %d\n", i, (void *)action.sa_handler,
                (unsigned)action.sa_flags, sigismember(&mask, i));
    }
}

/* In the order of their numbers, as the kernel lists them. */
static void add_descriptors(struct process_state *s)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    char path[300], where[256];

    REQUIRE(dir);
    while ((entry = readdir(dir))) {
        ssize_t len;

        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir))
            continue;
        snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
        len = readlink(path, where, sizeof(where));
        add(s, "descriptor %s: %.*s\n", entry->d_name, (int)(len < 0 ? 0 : len), where);
    }
    closedir(dir);
}

static void add_limits(struct process_state *s)
{
    for (unsigned i = 0; i < RLIMIT_NLIMITS; i++) {
        struct rlimit limit = {0};

        getrlimit((__rlimit_resource_t)i, &limit);
        add(s, "limit %u: %lu %lu\n", i, (unsigned long)limit.rlim_cur,
            (unsigned long)limit.rlim_max);
    }
}

void process_state_note(struct process_state *out)
{
    char directory[4096];
    mode_t mask = umask(0);
    size_t variables = 0;

    umask(mask);
    while (environ[variables])
        variables++;
    out->text[0] = '\0';
    REQUIRE(getcwd(directory, sizeof(directory)));
    add(out, "directory %s\numask %o\nlocale %s\nvariables %zu\nuser %u %u\n", directory,
        (unsigned)mask, setlocale(LC_ALL, NULL), variables, geteuid(), getegid());
    add_signals(out);
    add_limits(out);
    add_descriptors(out);
    REQUIRE(strlen(out->text) < sizeof(out->text) - 1);
}

void process_state_compare(const struct process_state *before, const struct process_state *after)
{
    if (strcmp(before->text, after->text) == 0)
        return;
    fprintf(stderr, "---- before:\n%s---- after:\n%s", before->text, after->text);
    REQUIRE(strcmp(before->text, after->text) == 0);
}
