# Release archives and what must work with them; common.sh reads this.
# shellcheck shell=bash
# shellcheck disable=SC2154 # common.sh's variables

# Only what is built as released is a release.
archives=$work
[ "$profile" != release ] || archives=$cargo_folder/dist

# Makes the archive of a target: its name, the folder of its libraries; further arguments are for `make install`.
# $archive is its path afterwards.
archive() {
    local target=$1 library=$2 top=libmailru-$version-$1
    local stage=$work/stage
    shift 2
    rm -rf "$stage"
    make -s -C "$root/examples-c" install TARGET="$target" BUILT="$library" PREFIX="/$top" DESTDIR="$stage" \
        BUILD="$work/build" RELOCATABLE=yes "$@"
    cp "$root/LICENSE" "$root/README.md" "$root/CHANGELOG.md" "$stage/$top"
    cp "$root"/include/*.md "$stage/$top/include"
    (cd "$root" && python3 tests/targets/licences.py "$target") >"$stage/$top/THIRD-PARTY-LICENSES.txt"
    mkdir -p "$archives"
    # The same files make the same archive, whenever and by whomever it is made.
    touched=$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)
    case $target in
    *windows*)
        archive=$archives/$top.zip
        find "$stage" -exec touch -d "@$touched" {} +
        (cd "$stage" && rm -f "$archive" && python3 -m zipfile -c "$archive" "$top")
        ;;
    *)
        archive=$archives/$top.tar.gz
        tar -C "$stage" --sort=name --mtime="@$touched" --owner=0 --group=0 --numeric-owner -cf - "$top" \
            | gzip -9n >"$archive"
        ;;
    esac
}

# Unpacks the archive into an empty folder, builds the quickstart with nothing but what is there, and runs it: column,
# target, C compiler, further flags of a program that is linked statically. RUN_WITH and EXE are as for run-all.sh.
archive_works() {
    local column=$1 target=$2 cc=$3
    static_flags=${*:4}
    prefix=$work/prefix/libmailru-$version-$target
    rm -rf "$work/prefix" && mkdir -p "$work/prefix"
    case $archive in
    *.zip) python3 -m zipfile -e "$archive" "$work/prefix" ;;
    *) tar -C "$work/prefix" -xzf "$archive" ;;
    esac
    mkdir -p "$prefix/programs"
    # Windows looks for libraries beside the program.
    [ -z "${EXE:-}" ] || cp "$prefix"/bin/*.dll "$programs/bcryptprimitives.dll" "$prefix/programs"
    try "$column" "archive, pkg-config" archive_by_pkg_config "$cc" dynamic
    try "$column" "archive, static" archive_by_pkg_config "$cc" static
    if command -v cmake >/dev/null; then
        try "$column" "archive, CMake" archive_by_cmake "$target" "$cc"
    fi
}

archive_runs() {
    local run=()
    [ -z "${RUN_WITH:-}" ] || read -ra run <<<"$RUN_WITH"
    with_sandbox "${run[@]}" "$prefix/programs/$1${EXE:-}" >"$work/answer" 2>&1 \
        && grep -q 15410773191172635989 "$work/answer" || { cat "$work/answer" && return 1; }
}

# The run path of programs, where there is such a thing.
archive_path() {
    [ -n "${EXE:-}" ] || echo "-Wl,--disable-new-dtags,-rpath,$prefix/lib"
}

archive_by_pkg_config() {
    local cc=$1 kind=$2 flags libraries
    # The only packages are the archive's.
    export PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig PKG_CONFIG_PATH='' PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
    flags=$(pkg-config --cflags mailru)
    if [ "$kind" = static ]; then
        # By the archive's file, since linkers prefer the shared library beside it, and Zig's knows no -l:libmailru.a.
        libraries="$(pkg-config --static --libs mailru | sed "s|-lmailru|$prefix/lib/libmailru.a|") $static_flags"
    else
        libraries="$(pkg-config --libs mailru) $(archive_path)"
    fi
    # shellcheck disable=SC2086 # words
    "$cc" -Wall -Werror $flags "$root/examples-c/quickstart.c" $libraries -o "$prefix/programs/$kind${EXE:-}" \
        && archive_runs "$kind"
}

archive_by_cmake() {
    local target=$1 cc=$2 system=Linux
    [ -z "${EXE:-}" ] || system=Windows
    mkdir -p "$prefix/cmake"
    cat >"$prefix/cmake/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.21)
project(app C)
find_package(mailru $version REQUIRED)
add_executable(cmake-dynamic "$root/examples-c/quickstart.c")
target_link_libraries(cmake-dynamic mailru::mailru $(archive_path))
add_executable(cmake-static "$root/examples-c/quickstart.c")
target_link_libraries(cmake-static mailru::mailru_static ${static_flags:-})
END
    cmake -S "$prefix/cmake" -B "$prefix/cmake/out" -DCMAKE_SYSTEM_NAME=$system \
        -DCMAKE_SYSTEM_PROCESSOR="${target%%-*}" -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$prefix" \
        -DCMAKE_RUNTIME_OUTPUT_DIRECTORY="$prefix/programs" \
        && cmake --build "$prefix/cmake/out" && archive_runs cmake-dynamic && archive_runs cmake-static
}
