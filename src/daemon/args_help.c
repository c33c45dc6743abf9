#include "daemon/args_help.h"

#include <stdio.h>
#include <string.h>

#include "wsp/version.h"

#define FORM_MAX 64

/* "-D, --dynamic URL" */
static int format(const struct args_option *o, char out[FORM_MAX])
{
    char letter[] = {'-', o->letter, ',', '\0'};

    return snprintf(out, FORM_MAX, "%-3s --%s%s%s", o->letter ? letter : "", o->name,
                    o->value ? " " : "", o->value ? o->value : "");
}

void args_print_help(const struct args *a)
{
    char form[FORM_MAX];
    int width = 0;

    for (const struct args_option *o = a->option; o->name; o++) {
        int n = format(o, form);

        width = n > width ? n : width;
    }
    printf("usage: %s [OPTION]...\n\n", a->program);
    for (const struct args_option *o = a->option; o->name; o++) {
        format(o, form);
        printf("  %-*s  %s%s\n", width, form, o->help, o->is_repeatable ? " (repeatable)" : "");
    }
    printf("\n%s"
           "exit status: 0 ended as asked; 1 configuration or start-up error; 2 bad usage\n",
           a->examples);
}

void args_print_version(const struct args *a)
{
    printf("%s %s, released %s, protocol %s\n", a->program, WSP_VERSION, WSP_RELEASE_DATE,
           WSP_PROTOCOL);
}
