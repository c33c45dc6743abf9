#!/usr/bin/env bash
# Checks the layers (docs/architecture.md): what each folder may include, and that proto and core do
# no I/O. Usage: tests/layers.sh BUILD_DIR. Prints "ok - …" or "not ok - …" for each check.
set -euo pipefail
build=$(realpath "$1")
cd "$(dirname "$0")/.."
failed=0

# check NAME COMMAND...: passes when the command prints nothing; shows it otherwise.
check() {
    local name=$1 found
    shift
    found=$("$@" || true)
    if [ -z "$found" ]; then
        echo "ok - $name"
    else
        printf 'not ok - %s\n%s\n' "$name" "$found"
        failed=1
    fi
}

includes() {
    grep -rnE '^[[:space:]]*#[[:space:]]*include' --include='*.[ch]' "$@"
}

# Own headers that a folder includes, but for those of the folders named and its own.
foreign_includes() {
    local allowed
    allowed=$(IFS='|'; echo "$*")
    includes "src/$1" | grep -E '"[^"]+"' | grep -vE "\"(($allowed)/[^\"]+|wsp/[^\"]+)\""
}

# Includes of third-party headers outside of the files that may have them.
strays() {
    includes src include | grep -E "<$1" | grep -vE "^$2"
}

public_third_party() {
    includes include | grep -vE '<wsp/[^>]+>|<std[a-z]+\.h>|<sys/types\.h>'
}

# Undefined symbols of a folder's objects that match, the decoration of fortified builds removed.
forbidden_symbols() {
    local objects
    mapfile -t objects < <(find "$build" -path "*/wsp_objects.dir/src/$1/*.o")
    if [ ${#objects[@]} -eq 0 ]; then
        echo "no objects of src/$1 in $build"
        return
    fi
    nm -u -A "${objects[@]}" |
        sed -E 's/@.*//; s/^.*\///; s/ __([a-z_0-9]+)_chk$/ \1/' | grep -E " ($2)\$"
}

sockets='socket|connect|bind|listen|accept4?|shutdown|getsockopt|setsockopt|getsockname|getpeername'
sockets+='|send(to|m?msg|file)?|recv(from|m?msg)?|p?select|p?poll|epoll_.*|eventfd.*|signalfd|timerfd_.*'
files='open(at)?(64)?|close|p?readv?|p?writev?|fcntl(64)?|ioctl|splice|pipe2?|fopen(64)?|fread|fwrite'
files+='|f?printf|vf?printf|puts|fputs'
clocks='clock_.*|gettimeofday|time|u?sleep|nanosleep'
libraries='lws_.*|ares_.*|SSL_.*|getaddrinfo'
no_io="$sockets|$files|$clocks|$libraries"

check "base includes nothing of the other folders" foreign_includes base
check "proto includes only base" foreign_includes proto base
check "core includes only base and proto" foreign_includes core base proto
check "config includes only base and proto" foreign_includes config base proto
check "net includes only base, proto and core" foreign_includes net base proto core
check "http includes only base, proto, core and net" foreign_includes http base proto core net
check "server includes nothing of client" foreign_includes server base proto core net http config
check "client includes nothing of server" foreign_includes client base proto core net http config
check "api includes nothing of the daemons" \
    foreign_includes api base proto core net http config server client
check "daemon includes only base and include/wsp" foreign_includes daemon base
check "wsps includes only base, daemon and include/wsp" foreign_includes wsps base daemon
check "wspc includes only base, daemon and include/wsp" foreign_includes wspc base daemon
check "include/wsp has no third-party header" public_third_party

check "only daemon/loop_lws.c includes libwebsockets.h" strays libwebsockets 'src/daemon/loop_lws\.c:'
check "only net includes openssl/ssl.h" strays openssl/ssl src/net/
check "only daemon/sandbox.c includes seccomp.h" strays seccomp 'src/daemon/sandbox\.c:'
check "only net includes ares.h" strays ares src/net/

check "proto objects do no I/O, keep no time, allocate and log nothing" \
    forbidden_symbols proto "$no_io|malloc|calloc|realloc|free|log_printf"
check "core objects do no I/O and keep no time" forbidden_symbols core "$no_io"

exit $failed
