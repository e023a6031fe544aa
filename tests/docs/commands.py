"""The commands of a page: run, or seen to be run elsewhere."""

import re
import signal
import subprocess
from pathlib import Path

from page import Block
from world import PATIENCE, PUBLIC, World, free_port, wait_for

# Commands that build for minutes or fetch from elsewhere: the file that runs the same, and what there shows it.
ELSEWHERE = {
    "bash .ci/run": (".ci/run", r"^step \"tests\" tests$"),
    "git clone https://github.com/mcp-entra/mcp-entra": ("Cargo.toml", r'^repository = "https://github.com/mcp-entra/mcp-entra"$'),
    "cd mcp-entra": ("Cargo.toml", r"^\[workspace\]$"),
    "cargo build --release": ("Cargo.toml", r'^default-members = \["adapters/gateway"\]$'),
    "rustup toolchain install nightly --profile minimal": (".ci/common.sh", r'rustup toolchain install "\$1" --profile minimal'),
    "cargo install cargo-fuzz --locked": (".ci/tools.txt", r"cargo-fuzz=="),
    "fuzz/run": (".ci/run", r"^ +fuzz/run 5$"),
    "fuzz/run 60 exchange": (".ci/run", r"^ +fuzz/run 5$"),
    "fuzz/run 2000": (".ci/run", r"^ +fuzz/run 5$"),
    "cd fuzz && cargo +nightly fuzz run --fuzz-dir . exchange corpus.local/exchange corpus/exchange -- -fork=\"$(nproc)\""
    " -max_total_time=28800 -dict=dictionaries/exchange.dict": ("fuzz/run", r"cargo \+nightly fuzz run"),
}

# What a page says and a test cannot have: the same with what is there.
INSTEAD = [
    (r"^cargo run --release -- ", "mcp-entra "),
    (r"/run/secrets/entra\b", "{scratch}/secret"),
]


def lines(block: Block) -> list[str]:
    """The commands of a block, each on one line and without its comment."""
    joined = re.sub(r"\\\n\s*", " ", block.text)
    joined = re.sub(r"\|\n\s*", "| ", joined)
    commands = (re.sub(r"\s+#.*$", "", line).strip() for line in joined.splitlines())
    return [re.sub(r" +", " ", command) for command in commands if command and not command.startswith("#")]


def parses(block: Block) -> str | None:
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
    return done.stderr.strip() or None


def flags(block: Block):
    """Each subcommand of mcp-entra with each of its flags."""
    for line in lines(block):
        for subcommand, rest in re.findall(r"\bmcp-entra ([a-z][a-z-]*)([^|;&>)]*)", line):
            # what stands behind -- is another program's
            yield subcommand, re.findall(r"(?:^|\s)(--[a-z-]+)", rest.partition(" -- ")[0])


class Runner:
    def __init__(self, world: World, root: Path):
        self.world = world
        self.root = root
        self.ran = 0
        self.elsewhere = 0

    def run(self, block: Block) -> tuple[str, str | None]:
        """What the commands print, and what is wrong."""
        printed = ""
        for command in lines(block):
            if command in ELSEWHERE:
                name, shown = ELSEWHERE[command]
                if not re.search(shown, (self.root / name).read_text(), re.MULTILINE):
                    return printed, f"'{command}' is thought to be run by {name}, which has no {shown}"
                self.elsewhere += 1
                continue
            for pattern, instead in INSTEAD:
                command = re.sub(pattern, instead.format(scratch=self.world.scratch), command)
            text, fault = self.serve(command) if "mcp-entra serve" in command else self.once(command)
            printed += text
            if fault:
                return printed, fault
            self.ran += 1
        return printed, None

    def once(self, command: str) -> tuple[str, str | None]:
        if re.search(r"\b(curl|mcp-entra doctor)\b", command):
            command = command.replace(PUBLIC, self.world.origin)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], cwd=self.world.copy, env=self.world.environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=5 * PATIENCE,
        )
        fault = f"'{command}' ended with {done.returncode}:\n{done.stdout}" if done.returncode else None
        return done.stdout, fault

    def serve(self, command: str) -> tuple[str, str | None]:
        """Serves until it is ready, then ends as a platform ends it."""
        address = f"127.0.0.1:{free_port()}"
        ours = f"exec mcp-entra serve --listen {address} --authority {self.world.authority}"
        command = re.sub(r" --listen \S+", "", command).replace("mcp-entra serve", ours)
        command = command.replace("http://127.0.0.1:9000/mcp", self.world.upstream)
        log = (self.world.scratch / "serve.log").open("w+")
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=self.world.copy, env=self.world.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )
        try:
            wait_for(f"http://{address}/readyz", process)
            fault = None
        except RuntimeError as error:
            fault = f"'{command}': {error}"
        process.send_signal(signal.SIGTERM)
        status = process.wait(PATIENCE)
        log.seek(0)
        printed = log.read().replace(address, "127.0.0.1:8080").replace(self.world.upstream, "http://127.0.0.1:9000/mcp")
        if fault or status:
            fault = f"{fault or f'it ended with {status}'}:\n{printed}"
        return printed, fault


def lacks(printed: str, block: Block) -> str | None:
    """The first line of a page's output that was not printed in its turn.

    An ellipsis stands for anything, and columns may be of any width.
    """
    rest = [re.sub(r" +", " ", text) for text in printed.splitlines()]
    for line in block.text.splitlines():
        wanted = re.compile(".*".join(re.escape(part) for part in re.sub(r" +", " ", line.rstrip()).split("…")))
        at = next((at for at, text in enumerate(rest) if wanted.search(text)), None)
        if line.strip() and at is None:
            return line
        rest = rest[at + 1 :] if line.strip() else rest
    return None
