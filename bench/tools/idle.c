/*
 * Connections that do nothing.
 *
 *     idle ROUTE COUNT
 *
 * Opens them, has one byte echoed on each, prints "held N" and keeps them until standard input
 * ends.
 */
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "opening.h"

int main(int argc, char **argv)
{
    struct opening opening = {.at_once = 64, .answer_len = 1, .limit_ms = 60000};
    struct route route;
    struct conn *conns;
    size_t count;

    if (argc != 3)
        die("usage: idle ROUTE COUNT");
    prepare();
    route_parse(&route, argv[1]);
    count = (size_t)number(argv[2], "COUNT", 1000000);
    conns = calloc(count, sizeof(*conns));
    if (!conns)
        die("no memory");
    memcpy(opening.command, "E0x", 3);
    opening.command_len = 3;
    opening_all(&opening, &route, conns, count);
    say("held %zu", count);
    wait_input_end();
    return 0;
}
