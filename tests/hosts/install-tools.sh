#!/bin/sh
# Installs what the hosts need besides Rust, Go, Python, Node.js, a JDK with Maven, gcc and CMake: with apt-get
# where there is one, else the packages named here have to come by other means. Packages of the languages go
# below cargo's target folder, not into the tree. What a missing tool would install is left out, and the tests
# name it. Running it again is cheap.
set -eu
cd "$(dirname "$0")/../.."

target=$(cargo metadata --format-version 1 --no-deps \
    | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
tools=$target/hosts-tools
mkdir -p "$tools"

has() {
    command -v "$1" >/dev/null
}

if has apt-get; then
    missing=
    for package in curl jq pkg-config ruby ruby-ffi puma php-cli composer luajit lua-cjson luarocks mono-mcs mono-runtime \
        libnewtonsoft-json5.0-cil nuget python3-venv; do
        dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        apt-get update -qq
        # shellcheck disable=SC2086 # a list
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
    fi
fi

# Python: cffi, what checks types, and the servers that sites run under, in an environment of its own.
if has python3 && ! "$tools/venv/bin/python" -c 'import cffi, mypy, flask, gunicorn, fastapi, uvicorn' 2>/dev/null; then
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install -q --disable-pip-version-check 'cffi>=2,<3' mypy flask gunicorn fastapi uvicorn
fi

# Other people's clients, which are run against the sandbox.
if [ -x "$tools/venv/bin/pip" ] && ! "$tools/venv/bin/python" -c 'import aiomailru, social_core' 2>/dev/null; then
    "$tools/venv/bin/pip" install -q aiomailru==0.1.1.post1 'social-auth-core>=4,<8'
fi

# Node.js: koffi, the same for it.
if has npm && ! { [ -d "$tools/node_modules/koffi" ] && [ -d "$tools/node_modules/express" ] &&
    [ -d "$tools/node_modules/typescript" ] && [ -d "$tools/node_modules/@types/node" ]; }; then
    npm install --silent --no-audit --no-fund --prefix "$tools" koffi@3 express@5 typescript@5 @types/node@20
fi

# C#: Json.NET, where Debian has it.
if [ -f /usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll ]; then
    cp /usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll "$tools"
fi

# Java: JNA and Gson.
for artifact in net.java.dev.jna:jna:5.19.1 com.google.code.gson:gson:2.10.1; do
    name=${artifact#*:}
    if has mvn && [ ! -f "$tools/${name%:*}.jar" ]; then
        mvn -q dependency:copy -Dartifact=$artifact -DoutputDirectory="$tools" -Dmdep.stripVersion=true
    fi
done
