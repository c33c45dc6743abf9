#include "net/hosts.h"

#include <stdio.h>
#include <stdlib.h>

/* Takes the next word of `line`; false at its end or at a comment. */
static bool next_word(struct slice *line, struct slice *word)
{
    while (line->len > 0 && line->p[0] <= ' ')
        slice_advance(line, 1);
    *word = slice_of(line->p, 0);
    while (line->len > 0 && line->p[0] > ' ' && line->p[0] != '#') {
        word->len++;
        slice_advance(line, 1);
    }
    return word->len > 0;
}

static bool line_names(struct slice line, struct slice name, struct address *out)
{
    struct slice address, word;

    if (!next_word(&line, &address))
        return false;
    while (next_word(&line, &word))
        if (slice_eq_nocase(word, name))
            return address_parse(address, 0, out);
    return false;
}

size_t hosts_find(const char *path, struct slice name, struct address *out, size_t max)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0, count = 0;
    ssize_t len;

    if (!file)
        return 0;
    while (count < max && (len = getline(&line, &size, file)) >= 0)
        if (line_names(slice_of(line, (size_t)len), name, &out[count]))
            count++;
    free(line);
    fclose(file);
    return count;
}
