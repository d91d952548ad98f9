#!/bin/sh
# Says what the benchmarks need and is not here, by the names of Debian's packages.
missing=
need() { missing="$missing $1"; }
header() { echo "#include <$1>" | ${CC:-cc} -E - >/dev/null 2>&1; }

PATH="$PATH:/usr/sbin:/usr/local/sbin"
command -v "${CC:-cc}" >/dev/null || need gcc
command -v nginx >/dev/null || need nginx-light
test -f /usr/lib/nginx/modules/ngx_http_echo_module.so || need libnginx-mod-http-echo
command -v openssl >/dev/null || need openssl
command -v python3 >/dev/null || need python3
python3 -c 'import ensurepip' 2>/dev/null || need python3-venv
header curl/curl.h || need libcurl4-openssl-dev
header jansson.h || need libjansson-dev
header openssl/evp.h || need libssl-dev
command -v cargo >/dev/null || echo "cargo is missing: see https://rustup.rs" >&2

if [ -n "$missing" ]; then
    echo "missing; install with: apt-get install$missing" >&2
    exit 1
fi
