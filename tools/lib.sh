# SPDX-License-Identifier: MIT
# Shared by the set-up scripts (sourced, not run): where the project is, which Debian packages it needs and
# why, and how missing ones are installed. docs/dependencies.md tells the same list with more words.

GLM_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
GLM_JOBS=$(nproc 2>/dev/null || echo 2)

# One line a package: the groups that need it, its name, the reason.
#   build  to build glm          test   to run the tests
#   wide   for tools/test --all  arm64, emulator  to cross build and to emulate
GLM_PACKAGES='
build gcc                    C17 compiler
build libc6-dev              headers of the C library
build cmake                  configures the build (3.25 or newer)
build ninja-build            runs the build
build pkg-config             finds the libraries below
build libyajl-dev            JSON: model configuration, tokenizer, requests
build libxxhash-dev          fast checksums (XXH3)
build libssl-dev             SHA-256 of model identities (libcrypto); TLS of the server (libssl)
build libevent-dev           HTTP server: sockets, timers, TLS
build libedit-dev            line editing in the interactive chat
test  libcmocka-dev          unit test framework
test  python3                test helpers and the ctypes example
wide  clang                  compiles the fuzz targets (libFuzzer)
wide  libclang-rt-14-dev     sanitizer and fuzzer run-time of clang
wide  clang-format-14        format check
wide  clang-tidy-14          static analysis report
arm64 gcc-aarch64-linux-gnu  cross compiler for 64-bit Arm
arm64 libc6-dev-arm64-cross  headers of the C library for it
emulator qemu-user-static    runs programs for Arm and for old processors here
bochs bochs                  emulates a whole machine with AVX-512
bochs bochs-term             one of its displays, which it depends on
bochs isolinux               boots that machine
bochs syslinux-common        modules of the boot loader
bochs xorriso                makes the disk it boots from
'

say() { printf '%s\n' "$*" >&2; }
die() {
    say "${0##*/}: $*"
    exit 1
}

# packages_of GROUP...: "name<TAB>reason" lines of the groups.
packages_of() {
    local group name reason wanted=" $* "
    while read -r group name reason; do
        [ -n "$group" ] || continue
        case "$wanted" in *" $group "*) printf '%s\t%s\n' "$name" "$reason" ;; esac
    done <<<"$GLM_PACKAGES"
}

is_installed() {
    dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# install_packages GROUP...: make sure the packages of the groups are installed. Says what is missing and
# why before it installs anything; asks sudo only where the user is not root. Returns 1 when it cannot.
install_packages() {
    local name reason missing=() as_root=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        say "This is not a Debian system; on Debian 12 the packages would be:"
        packages_of "$@" | while IFS=$'\t' read -r name reason; do say "  $name ($reason)"; done
        return 0
    fi
    while IFS=$'\t' read -r name reason; do
        is_installed "$name" && continue
        [ ${#missing[@]} -gt 0 ] || say "Missing Debian packages:"
        say "  $name: $reason"
        missing+=("$name")
    done < <(packages_of "$@")
    [ ${#missing[@]} -gt 0 ] || return 0

    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            say "They need root and there is no sudo. As root, run:"
            say "  apt-get install --no-install-recommends ${missing[*]}"
            return 1
        fi
        as_root=(sudo)
    fi
    say "Installing them: ${as_root[*]:+${as_root[*]} }apt-get install --no-install-recommends ${missing[*]}"
    mkdir -p "$GLM_ROOT/build"
    # A failed update is not the end: the lists at hand may do.
    "${as_root[@]}" apt-get update -qq >&2 || say "apt-get update failed; going on with the lists at hand"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}" \
        </dev/null >"$GLM_ROOT/build/apt.log" 2>&1 || {
        tail -n 20 "$GLM_ROOT/build/apt.log" >&2
        say "apt-get could not install them; its whole output is in build/apt.log"
        return 1
    }
}

# build_preset NAME [target...]: configure and build a preset of CMakePresets.json, quietly.
build_preset() {
    local preset=$1 log options=()
    shift
    command -v ccache >/dev/null && options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
    mkdir -p "$GLM_ROOT/build"
    log=$GLM_ROOT/build/$preset.configure.log
    (cd "$GLM_ROOT" && cmake --preset "$preset" "${options[@]}") >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        say "configuring preset $preset failed; the whole output is in build/$preset.configure.log"
        return 1
    }
    log=$GLM_ROOT/build/$preset.build.log
    (cd "$GLM_ROOT" && cmake --build --preset "$preset" -j "$GLM_JOBS" ${1:+--target "$@"}) >"$log" 2>&1 || {
        grep -E 'error|warning|undefined|FAILED' "$log" | head -n 30 >&2
        say "building preset $preset failed; the whole output is in build/$preset.build.log"
        return 1
    }
}
