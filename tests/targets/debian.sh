#!/usr/bin/env bash
# Debian's packages of this machine's library: installed and removed with dpkg in a copy of this system that vanishes,
# so that each file that stays behind is seen.
. "$(dirname "$0")/common.sh"

[ "$(id -u)" = 0 ] || skip "only root can install packages"
install_packages build-essential cmake dpkg-dev pkg-config python3
need cc cmake dpkg dpkg-shlibdeps dpkg-deb pkg-config python3 unshare
if [ "${MAILRU_COPY_OF_SYSTEM:-}" != yes ]; then
    unshare --mount true || skip "mount namespaces cannot be made here"
    MAILRU_COPY_OF_SYSTEM=yes exec unshare --mount --propagation private "$0"
fi
sandbox_ready
(cd "$root" && cargo build --release --lib)
packages=$work
[ "$profile" != release ] || packages=$cargo_folder/dist
sh "$root/examples-c/install/debian.sh" "$cargo_folder/release" "$packages"
machine=$(dpkg --print-architecture)
files=("$packages/libmailru0_$version-1_$machine.deb" "$packages/libmailru-dev_$version-1_$machine.deb")

layer=$work/layer
mkdir -p "$layer"
mount -t tmpfs none "$layer"
mkdir "$layer/changes" "$layer/work" "$layer/system"
mount -t overlay none -o "lowerdir=/,upperdir=$layer/changes,workdir=$layer/work" "$layer/system" \
    || skip "overlay mounts cannot be made here"
mount --bind /proc "$layer/system/proc"
mount --bind /dev "$layer/system/dev"
mkdir -p "$layer/system/packages" "$layer/system/build"
cp "${files[@]}" "$layer/system/packages"
cp "$root/examples-c/quickstart.c" "$layer/system/build"
cat >"$layer/system/build/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.21)
project(app C)
find_package(mailru $version REQUIRED)
foreach(kind mailru mailru_static)
    add_executable(\${kind}-program quickstart.c)
    target_link_libraries(\${kind}-program mailru::\${kind})
endforeach()
END

inside() {
    chroot "$layer/system" "$@"
}
# What is there now and was not before, but for dpkg's own files and the loader's list.
left() {
    (cd "$layer/changes" && find . -type f -o -type l) | grep -vE '^\./(packages|build|tmp|work|var/lib/dpkg|var/log|var/cache|etc/ld\.so\.cache)' || :
}
answers() {
    with_sandbox chroot "$layer/system" "/build/$1" >"$work/answer" 2>&1 && grep -q 15410773191172635989 "$work/answer" \
        || { cat "$work/answer" && return 1; }
}
installed() {
    inside dpkg -i "/packages/${files[0]##*/}" && inside ldconfig -p | grep libmailru.so.0 \
        && inside dpkg -i "/packages/${files[1]##*/}" && inside dpkg --verify libmailru0 libmailru-dev && [ -n "$(left)" ]
}
pkg_config() {
    inside sh -euc 'cd /build && cc -Wall -Werror quickstart.c $(pkg-config --cflags --libs mailru) -o dynamic
        cc -Wall -Werror quickstart.c $(pkg-config --static --cflags --libs mailru | sed s/-lmailru/-l:libmailru.a/) \
            -o static' && answers dynamic && answers static
}
by_cmake() {
    inside sh -euc 'cmake -S /build -B /build/out && cmake --build /build/out' && answers out/mailru-program \
        && answers out/mailru_static-program
}
removed() {
    inside dpkg --purge libmailru-dev && answers dynamic && inside dpkg --purge libmailru0 \
        && ! inside ldconfig -p | grep libmailru && [ -z "$(left)" ] || { left && return 1; }
}
try Debian "archive, installing" installed
try Debian "archive, pkg-config" pkg_config
try Debian "archive, CMake" by_cmake
try Debian "archive, removing" removed
