#!/bin/sh
# Runs a program under valgrind: nothing may be left when it ends. 77: skipped.
command -v valgrind >/dev/null || { echo "skipped: there is no valgrind"; exit 77; }
exec valgrind --quiet --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all \
    --error-exitcode=1 "$@"
