"""What the commands of the pages meet: a stand-in for Entra ID, an MCP server, a gateway, a copy of the project."""

import http.server
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

TENANT = "11111111-2222-4333-8444-555555555555"
CLIENT = "99999999-8888-4777-8666-555555555555"
PUBLIC = "https://mcp.example.com"
PATIENCE = 60


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (OSError, urllib.error.HTTPError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{url} does not answer") from None
            time.sleep(0.05)


class Behind(http.server.BaseHTTPRequestHandler):
    """As much of an MCP server as a page needs: it answers."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class World:
    def __init__(self, binaries: Path, root: Path, scratch: Path):
        self.binaries = binaries
        self.scratch = scratch
        self.copy = scratch / "copy"
        for name in tracked(root):
            (self.copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, self.copy / name)
        (scratch / "home").mkdir()
        (scratch / "secret").write_text("a secret of nobody's\n")
        (self.copy / "mcp-entra-client-secret").write_text("a secret of nobody's\n")
        self.processes: list[subprocess.Popen] = []
        self.behind = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Behind)
        threading.Thread(target=self.behind.serve_forever, daemon=True).start()
        # the app registration that the guide makes, for every known client
        command = [binaries / "mcp-entra", "app-registration", "--resource", f"{PUBLIC}/mcp"]
        with (scratch / "application.json").open("w") as file:
            subprocess.run([*command, "--client-id", CLIENT, "--as", "json"], check=True, stdout=file, stderr=subprocess.DEVNULL)
        entra = self.start(
            [binaries / "entra-stand-in", "--application", scratch / "application.json"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        self.authority = entra.stdout.readline().decode().strip().removeprefix("authority=")
        self.origin = f"http://127.0.0.1:{free_port()}"
        gateway = self.start([
            binaries / "mcp-entra", "serve", "--log", "off", "--listen", self.origin.removeprefix("http://"),
            "--resource", f"{self.origin}/mcp", "--upstream", self.upstream,
            "--tenant", TENANT, "--client-id", CLIENT, "--authority", self.authority,
        ])
        wait_for(f"{self.origin}/readyz", gateway)

    @property
    def upstream(self) -> str:
        return f"http://127.0.0.1:{self.behind.server_port}/mcp"

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("RUSTUP_HOME", "CARGO_HOME", "LANG") if name in os.environ}
        return kept | {
            "HOME": str(self.scratch / "home"),
            "PATH": f"{self.binaries}:{os.environ['PATH']}",
            "NO_COLOR": "1",
        }

    def start(self, command, **more) -> subprocess.Popen:
        process = subprocess.Popen(command, env=self.environment(), **more)
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in self.processes:
            process.terminate()
            process.wait(PATIENCE)
        self.behind.shutdown()


def tracked(root: Path) -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return [name for name in names.split("\0") if name and (root / name).is_file()]
