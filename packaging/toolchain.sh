# Sourced by the scripts that build: finds the Rust toolchain and says what is missing of it.

if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
fi

# Fails with one line unless cargo, rustfmt and clippy of a new enough release are there.
require_rust() {
    local want have
    want=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    if ! command -v cargo >/dev/null; then
        echo "setup: no Rust toolchain; install Rust $want or later with rustup" >&2
        return 1
    fi
    have=$(cargo --version | cut -d ' ' -f 2)
    if [ "$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -n 1)" != "$want" ]; then
        echo "setup: Rust $have is too old; run: rustup update stable (needs $want)" >&2
        return 1
    fi
    if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
        echo "setup: rustfmt or clippy is missing; run: rustup component add rustfmt clippy" >&2
        return 1
    fi
}

# build_release ARGUMENTS…: builds as it is shipped, laid out for what is run often (packaging/release.profdata, made by
# packaging/profile.sh). Functions that have changed since are built as if nothing were known of them. Without the
# file, and with a plain `cargo build --release`, the program does the same, slower.
build_release() {
    local profile=$PWD/packaging/release.profdata
    local flags=
    if [ -s "$profile" ]; then
        flags="-Cprofile-use=$profile -Cllvm-args=-no-pgo-warn-mismatch"
        # Cargo does not look into the file: with another one everything is to be built anew.
        flags+=" --cfg=laid_out_by_$(cksum <"$profile" | cut -d ' ' -f 1)"
    fi
    RUSTFLAGS="${RUSTFLAGS:-} $flags" cargo build --release --locked "$@"
}
