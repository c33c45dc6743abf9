/* The examples of docs/protocol.md, to be compared with what the code says; behind cmocka.h. */
#ifndef TESTS_UNIT_DOC_EXAMPLES_H
#define TESTS_UNIT_DOC_EXAMPLES_H

#include <stdbool.h>
#include <string.h>

#include "base/slice.h"

enum {
    EXAMPLES_MAX = 64,
    EXAMPLE_BYTES_MAX = 512,
    EXAMPLE_LINE_MAX = 128,
};

struct example {
    char label[EXAMPLE_LINE_MAX];
    uint8_t bytes[EXAMPLE_BYTES_MAX];
    size_t len;
    bool used;
};

static struct example example[EXAMPLES_MAX];
static size_t examples;

static inline void add(struct example *x, const void *p, size_t n)
{
    assert_true(n <= sizeof(x->bytes) - x->len);
    memcpy(x->bytes + x->len, p, n);
    x->len += n;
}

/* Bytes with one blank between them; two blanks begin a remark. */
static inline void add_hex_line(struct example *x, const char *line)
{
    while (*line != '\n' && *line != ' ') {
        unsigned byte;
        uint8_t b;
        int n = 0;

        if (sscanf(line, "%2x%n", &byte, &n) != 1 || n != 2)
            fail_msg("%s: not hex: %s", x->label, line);
        b = (uint8_t)byte;
        add(x, &b, 1);
        line += line[2] == ' ' ? 3 : 2;
    }
}

static inline void add_http_line(struct example *x, const char *line)
{
    add(x, line, strcspn(line, "\n"));
    add(x, "\r\n", 2);
}

/* One block, behind its opening fence: the label, then its lines. */
static inline void read_example(FILE *file, bool hex)
{
    struct example *x = &example[examples++];
    char line[EXAMPLE_LINE_MAX];

    assert_true(examples <= EXAMPLES_MAX);
    assert_non_null(fgets(x->label, EXAMPLE_LINE_MAX, file));
    assert_true(x->label[0] == '#' && x->label[1] == ' ');
    x->label[strcspn(x->label, "\n")] = '\0';
    while (fgets(line, EXAMPLE_LINE_MAX, file) && strncmp(line, "```", 3) != 0) {
        assert_non_null(strchr(line, '\n'));
        if (hex)
            add_hex_line(x, line);
        else
            add_http_line(x, line);
    }
}

static inline int read_document(void **state)
{
    FILE *file = fopen(TEST_DATA "/../../docs/protocol.md", "r");
    char line[8 * EXAMPLE_LINE_MAX];

    (void)state;
    if (!file)
        return -1;
    while (fgets(line, sizeof(line), file))
        if (strcmp(line, "```hex\n") == 0 || strcmp(line, "```http\n") == 0)
            read_example(file, line[3] == 'h' && line[4] == 'e');
    fclose(file);
    return 0;
}

static inline struct slice the_example(const char *label)
{
    for (size_t i = 0; i < examples; i++)
        if (strcmp(example[i].label + 2, label) == 0) {
            assert_false(example[i].used);
            example[i].used = true;
            return slice_of(example[i].bytes, example[i].len);
        }
    fail_msg("docs/protocol.md has no example \"%s\"", label);
    return slice_of(NULL, 0);
}

static inline void print_hex(const char *what, struct slice s)
{
    print_error("%s", what);
    for (size_t i = 0; i < s.len; i++)
        print_error(" %02x", s.p[i]);
    print_error("\n");
}

static inline void assert_example(const char *label, struct slice want, struct slice got)
{
    if (slice_eq(want, got))
        return;
    print_hex("the document:", want);
    print_hex("the code:    ", got);
    fail_msg("the example \"%s\" is wrong", label);
}

#endif
