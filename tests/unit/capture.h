/* Collects what code prints; behind cmocka.h. */
#ifndef TESTS_UNIT_CAPTURE_H
#define TESTS_UNIT_CAPTURE_H

#include <stdio.h>
#include <unistd.h>

enum { OUTPUT_MAX = 4096 };

struct captured {
    FILE *file;
    int fd, saved;
    char text[OUTPUT_MAX];
};

static inline void capture_start(struct captured *c, FILE *stream)
{
    fflush(stream);
    c->fd = fileno(stream);
    c->saved = dup(c->fd);
    c->file = tmpfile();
    assert_non_null(c->file);
    assert_true(dup2(fileno(c->file), c->fd) >= 0);
}

static inline void capture_end(struct captured *c, FILE *stream)
{
    size_t n;

    fflush(stream);
    dup2(c->saved, c->fd);
    close(c->saved);
    rewind(c->file);
    n = fread(c->text, 1, sizeof(c->text) - 1, c->file);
    c->text[n] = '\0';
    fclose(c->file);
}

#endif
