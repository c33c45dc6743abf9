/* Memory that is refused at a chosen allocation, and what is not freed yet. For one file of a
 * program, which is linked with --wrap for malloc, calloc, realloc and free. */
#ifndef TESTS_UNIT_SHORT_MEMORY_H
#define TESTS_UNIT_SHORT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

static struct {
    bool armed;
    bool all;       /* all that follow fail, too */
    unsigned count; /* allocations while armed */
    unsigned fail;  /* the number of the first that fails, from 1; 0: none */
    long live;      /* not freed yet */
    const volatile unsigned
        *exempt; /* while this is not 0, nothing is counted or refused; or NULL */
} memory;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *p, size_t len);
void __real_free(void *p);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *p, size_t len);
void __wrap_free(void *p);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static bool memory_refuses(void)
{
    if (!memory.armed || (memory.exempt && *memory.exempt))
        return false;
    memory.count++;
    return memory.all ? memory.count >= memory.fail : memory.count == memory.fail;
}

static void *counted(void *p)
{
    memory.live += p != NULL;
    return p;
}

void *__wrap_malloc(size_t len)
{
    return memory_refuses() ? NULL : counted(__real_malloc(len));
}

void *__wrap_calloc(size_t count, size_t len)
{
    return memory_refuses() ? NULL : counted(__real_calloc(count, len));
}

void *__wrap_realloc(void *p, size_t len)
{
    if (memory_refuses())
        return NULL;
    return p ? __real_realloc(p, len) : counted(__real_realloc(p, len));
}

void __wrap_free(void *p)
{
    memory.live -= p != NULL;
    __real_free(p);
}

#endif
