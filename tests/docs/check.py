"""python3 check.py BINARIES [--write]: holds every page of the documentation against the program."""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import aadsts
import commands
from page import Page
from world import World, tracked

ROOT = Path(__file__).resolve().parents[2]
PAGES = re.compile(r"(README|SECURITY|CHANGELOG)\.md|docs/.*\.md|(core|fuzz)/README\.md|adapters/[^/]+/README\.md|tests/[^/]+/README\.md")


def help_of(binaries: Path, subcommand: str) -> str | None:
    done = subprocess.run([binaries / "mcp-entra", subcommand, "--help"], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def flags_of(text: str) -> set[str]:
    return set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", text, re.MULTILINE))


def links(pages: dict[str, Page]):
    anchors = {name: page.anchors() for name, page in pages.items()}
    for name, page in pages.items():
        for line, target in page.links():
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = ((ROOT / name).parent / path).resolve() if path else ROOT / name
            if not file.exists() or not file.is_relative_to(ROOT):
                yield f"{name}:{line}: there is no {target}"
            elif anchor and anchor not in anchors.get(str(file.relative_to(ROOT)), ()):
                yield f"{name}:{line}: there is no heading #{anchor} in {file.relative_to(ROOT)}"


def snippets(pages: dict[str, Page]):
    parsers = {"json": json.loads, "toml": tomllib.loads, "python": lambda text: compile(text, "", "exec")}
    for page in pages.values():
        for block in page.blocks:
            try:
                parsers.get(block.language, str)(block.text)
            except (SyntaxError, ValueError) as error:
                yield f"{block}: {error}"
            if block.language in ("", "bash", "shell", "console", "shell-session"):
                yield f"{block}: say what the block is; commands are `sh`, or `sh tenant` where they need a tenant"


def options(pages: dict[str, Page], serve: str):
    """The table of options against the program's own words, both ways."""
    name = "docs/options.md"
    table = "\n".join(line for _, line in pages[name].prose if line.startswith("|"))
    for what, pattern, said in [
        ("flag", r"`(--[a-z-]+)`", flags_of(serve) - {"--help", "--version"}),
        ("variable", r"`(MCP_ENTRA_[A-Z_]+)`", set(re.findall(r"\bMCP_ENTRA_[A-Z_]+\b", serve))),
    ]:
        first_columns = re.findall(r"^\|([^|]*\|[^|]*)\|", table, re.MULTILINE)
        listed = {word for columns in first_columns for word in re.findall(pattern, columns)}
        for word in sorted(said - listed):
            yield f"{name}: the table lacks the {what} {word}"
        for word in sorted(listed - said):
            yield f"{name}: the table has the {what} {word}, which the program does not know"


def codes(binaries: Path, write: bool):
    page = ROOT / aadsts.PAGE
    wanted = aadsts.written(page.read_text(), aadsts.table(binaries, ROOT))
    if write:
        page.write_text(wanted)
    elif page.read_text() != wanted:
        yield f"{aadsts.PAGE}: the table is not what the program says; tests/docs/run --write writes it"


def clients(pages: dict[str, Page], binaries: Path):
    """Each known client's redirect URIs are on its page, and no other than these."""
    text = (ROOT / "core/src/known_client.rs").read_text()
    others = "docs/clients/others.md"
    known = re.findall(r'client\(\s*"([a-z0-9-]+)"', text)
    for name in known:
        page = f"docs/clients/{name}.md"
        page = page if page in pages else others
        said = "\n".join(line for _, line in pages[page].prose)
        command = [binaries / "mcp-entra", "app-registration", "--resource", "https://mcp.example.com/mcp"]
        done = subprocess.run([*command, "--client", name, "--as", "json"], capture_output=True, text=True, check=True)
        application = json.loads(done.stdout)
        platforms = {"Web": application.get("web", {}), "Mobile and desktop applications": application.get("publicClient", {})}
        for platform, uris in platforms.items():
            for uri in uris.get("redirectUris", []):
                row = next((line for line in said.splitlines() if f"`{uri}`" in line), None)
                if row is None:
                    yield f"{page}: {name}'s redirect URI {uri} is not there"
                elif row.startswith("|") and platform not in row:
                    yield f"{page}: {uri} is on the platform {platform}"
        if page != others and page.rsplit("/")[-1] not in Path(ROOT / "docs/README.md").read_text():
            yield f"docs/README.md: there is no link to {page}"


def scripts(pages: dict[str, Page], binaries: Path, runner: commands.Runner):
    helps = {None: ""}
    for page in pages.values():
        printed = None
        for block in page.blocks:
            if block.language == "text" and block.marks == ("output",):
                missing = commands.lacks(printed, block) if printed is not None else "no command before it was run"
                if missing:
                    yield f"{block}: the command does not print: {missing}\nbut:\n{printed}"
            if block.language != "sh":
                continue
            if block.marks not in ((), ("tenant",)):
                yield f"{block}: {' '.join(block.marks)} is no mark; there is `sh tenant`"
            if fault := commands.parses(block):
                yield f"{block}: {fault}"
                continue
            for subcommand, flags in commands.flags(block):
                if subcommand not in helps:
                    helps[subcommand] = help_of(binaries, subcommand)
                if helps[subcommand] is None:
                    yield f"{block}: there is no `mcp-entra {subcommand}`"
                    continue
                for flag in set(flags) - flags_of(helps[subcommand]):
                    yield f"{block}: `mcp-entra {subcommand}` has no {flag}"
            if block.marks == ():
                printed, fault = runner.run(block)
                if fault:
                    yield f"{block}: {fault}"


def main(binaries: Path, write: bool) -> int:
    stale = list(codes(binaries, write))
    pages = {name: Page(ROOT / name, ROOT) for name in tracked(ROOT) if PAGES.fullmatch(name)}
    with tempfile.TemporaryDirectory() as scratch:
        world = World(binaries, ROOT, Path(scratch))
        try:
            runner = commands.Runner(world, ROOT)
            faults = [
                *stale,
                *links(pages),
                *snippets(pages),
                *options(pages, help_of(binaries, "serve") or ""),
                *clients(pages, binaries),
                *scripts(pages, binaries, runner),
            ]
        finally:
            world.end()
    for fault in faults:
        print(fault, file=sys.stderr)
    blocks = sum(block.language == "sh" for page in pages.values() for block in page.blocks)
    print(
        f"{len(pages)} pages, {blocks} blocks of commands: {runner.ran} commands run, "
        f"{runner.elsewhere} run elsewhere, {len(faults)} faults"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), "--write" in sys.argv[2:]))
