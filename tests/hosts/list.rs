//! The hosts: what each needs, how it is built, how it runs. The scripts find its folder in `$SOURCE`, a folder for
//! what it makes in `$BUILD`, the installed library in `$PREFIX`, packages in `$TOOLS`.

pub struct Host {
    pub name: &'static str,
    /// Its folder beside this file.
    pub folder: &'static str,
    /// Succeeds where its tools are.
    pub tools: &'static str,
    pub build: &'static str,
    pub run: &'static str,
}

pub const HOSTS: &[Host] = &[
    Host {
        name: "c",
        folder: "c",
        tools: "cc --version && pkg-config --version",
        build: r#"cc -std=c99 -Wall -Wextra -Wpedantic -Werror "$SOURCE/conformance.c" \
            $(pkg-config --cflags --libs mailru) -pthread -o "$BUILD/conformance""#,
        run: r#""$BUILD/conformance""#,
    },
    Host {
        name: "cpp",
        folder: "cpp",
        tools: "c++ --version && pkg-config --version",
        // What runs is C++17; C++20 must compile as cleanly.
        build: r#"flags="-Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion $(pkg-config --cflags mailru)"
            c++ -std=c++20 $flags -fsyntax-only "$SOURCE/conformance.cpp"
            c++ -std=c++17 $flags "$SOURCE/conformance.cpp" $(pkg-config --libs mailru) -pthread \
                -o "$BUILD/conformance""#,
        run: r#""$BUILD/conformance""#,
    },
    Host {
        name: "go",
        folder: "go",
        tools: "go version && pkg-config --version && cc --version",
        build: r#"cd "$SOURCE" && go vet ./... && go build -o "$BUILD/conformance" ./conformance"#,
        run: r#""$BUILD/conformance""#,
    },
    Host {
        name: "python",
        folder: "python",
        tools: "python3 --version",
        build: r#"true"#,
        run: r#"PYTHONPATH="$SOURCE/../../../src/bindings/python" python3 -B -X dev -W error "$SOURCE/conformance.py""#,
    },
    Host {
        name: "asyncio",
        folder: "python",
        tools: "python3 -c 'import asyncio; asyncio.timeout'",
        build: r#"true"#,
        run: r#"PYTHONPATH="$SOURCE/../../../src/bindings/python" \
            python3 -B -X dev -W error "$SOURCE/conformance_asyncio.py""#,
    },
    Host {
        name: "cffi",
        folder: "cffi",
        tools: r#""$TOOLS/venv/bin/python" -c 'import cffi' && pkg-config --version"#,
        build: r#"true"#,
        run: r#""$TOOLS/venv/bin/python" -B "$SOURCE/conformance.py""#,
    },
    Host {
        name: "node",
        folder: "node",
        tools: r#"node --version && test -d "$TOOLS/node_modules/koffi""#,
        build: r#"true"#,
        run: r#"NODE_PATH="$TOOLS/node_modules" node "$SOURCE/conformance.js""#,
    },
    Host {
        name: "java",
        folder: "java",
        tools: r#"javac --version && test -f "$TOOLS/jna.jar" && test -f "$TOOLS/gson.jar""#,
        build: r#"javac -Xlint:all,-try -Werror -cp "$TOOLS/jna.jar:$TOOLS/gson.jar" -d "$BUILD" \
            "$SOURCE"/../../../src/bindings/java/src/main/java/libmailru/*.java "$SOURCE"/*.java"#,
        run: r#"java -cp "$TOOLS/jna.jar:$TOOLS/gson.jar:$BUILD" Conformance"#,
    },
    Host {
        name: "csharp",
        folder: "csharp",
        tools: r#"mono --version && mcs --version && test -f "$TOOLS/Newtonsoft.Json.dll""#,
        build: r#"cp "$TOOLS/Newtonsoft.Json.dll" "$BUILD"
            mcs -warnaserror -langversion:7 -target:library -r:"$BUILD/Newtonsoft.Json.dll" -out:"$BUILD/Mailru.dll" \
                "$SOURCE"/../../../src/bindings/csharp/*.cs
            mcs -warnaserror -langversion:7 -r:"$BUILD/Newtonsoft.Json.dll" -r:"$BUILD/Mailru.dll" \
                -out:"$BUILD/Conformance.exe" "$SOURCE/Conformance.cs""#,
        run: r#"mono "$BUILD/Conformance.exe""#,
    },
    Host {
        name: "ruby",
        folder: "ruby",
        tools: "ruby -e 'require \"ffi\"'",
        build: r#"true"#,
        run: r#"ruby -w -I "$SOURCE/../../../src/bindings/ruby/lib" "$SOURCE/conformance.rb""#,
    },
    Host {
        name: "php",
        folder: "php",
        tools: "php -r 'exit(extension_loaded(\"ffi\") ? 0 : 1);'",
        build: r#"true"#,
        run: r#"php -d error_reporting=-1 -d display_errors=1 "$SOURCE/conformance.php""#,
    },
    Host {
        name: "luajit",
        folder: "luajit",
        tools: "luajit -e 'require \"cjson\"'",
        build: r#"true"#,
        run: r#"LUA_PATH="$SOURCE/../../../src/bindings/luajit/?.lua;;" luajit "$SOURCE/conformance.lua""#,
    },
];
