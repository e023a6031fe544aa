"""Holds SECURITY.md against the code: each test that it names exists, each count in it is right, and what it says of
our own crates is so. With --write, the counts are written."""

import json
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path("SECURITY.md")
BEGIN, END = "<!-- counts: begin -->\n", "<!-- counts: end -->\n"
MANIFESTS = ["Cargo.toml", "fuzz/Cargo.toml", "tests/clients/rust/rmcp-0/Cargo.toml"]
# an exported function is `#[unsafe(no_mangle)]`, see its Cargo.toml
UNSAFE_ALLOWED = {"core/examples/worker/Cargo.toml"}


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def missing_tests(page):
    """In each cell that names a file, the names behind it are tests in a file of that name."""
    sources = {}
    for path in output("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.rs", "*.py", "*.mjs").split():
        sources.setdefault(Path(path).name, []).append(Path(path))
    named = 0
    for row in (line for line in page.splitlines() if line.startswith("|")):
        file = None
        for word in re.findall(r"`([^`]+)`", row.rsplit("|", 2)[-2]):
            if re.fullmatch(r"[\w./-]+\.(rs|py|mjs)", word):
                file, named = word, named + 1
                texts = [path for path in sources.get(Path(word).name, []) if str(path).endswith(word)]
                if not texts:
                    yield f"SECURITY.md names {word}, and there is no such file"
            elif file and re.fullmatch(r"[a-z][a-z0-9_]+", word):
                named += 1
                if not any(re.search(rf"\bfn {word}\b", path.read_text()) for path in texts):
                    yield f"SECURITY.md names {word} in {file}, and there is no such test"
    if named < 20:
        yield f"SECURITY.md names {named} tests: is its table still read as it is written?"


def packages(name, *arguments):
    """How many packages of others are in it, on Linux."""
    tree = output("cargo", "tree", "--locked", "-p", name, "-e", "normal", "--prefix", "none", "--no-dedupe",
                  "--format", "{p}", "--target", "x86_64-unknown-linux-gnu", *arguments)
    names = {" ".join(line.split()[:2]) for line in tree.splitlines() if line.strip()}
    return len({name for name in names if not name.startswith("mcp-entra")})


def counts():
    rows = [
        ("`mcp-entra-core`", packages("mcp-entra-core")),
        ("`mcp-entra`, the gateway", packages("mcp-entra", "--no-default-features")),
        ("`mcp-entra` with `demo`, as it is built by default", packages("mcp-entra")),
    ]
    lines = ["", "| crate | packages of others in it |", "|---|---|", *(f"| {name} | {count} |" for name, count in rows), ""]
    return "\n".join(lines) + "\n"


def our_crates():
    for manifest in MANIFESTS:
        metadata = json.loads(output("cargo", "metadata", "--locked", "--no-deps", "--format-version", "1",
                                     "--manifest-path", manifest))
        for package in metadata["packages"]:
            path = str(Path(package["manifest_path"]).relative_to(Path.cwd()))
            if any("custom-build" in target["kind"] for target in package["targets"]):
                yield f"{path} has a build script"
            text = Path(path).read_text()
            forbids = 'unsafe_code = "forbid"' in text or re.search(r"^\[lints\]\nworkspace = true$", text, re.MULTILINE)
            if not forbids and path not in UNSAFE_ALLOWED:
                yield f"{path} does not forbid unsafe code: let its lints be the workspace's"


def main():
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    written, after = rest.split(END)
    measured = counts()
    if "--write" in sys.argv:
        PAGE.write_text(before + BEGIN + measured + END + after)
    faults = [*missing_tests(page), *our_crates()]
    if written != measured and "--write" not in sys.argv:
        faults.append(f"SECURITY.md has other counts; `python3 .ci/security.py --write` writes them:\n{measured}")
    for fault in faults:
        print(fault)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
