"""The protocol's own conformance suite, in its mode for authorization servers, against mcp-entra."""

import re
import subprocess
import threading

from browser import open_url
from real import node22, version
from world import CLIENT, INSTALLED, World

SCENARIOS = ["authorization-server-metadata-endpoint", "authorization-code-grant"]
PACKAGE = "@modelcontextprotocol/conformance"
# A redirect URI of application.json: http://127.0.0.1:3055/callback.
PORT = "3055"


def suite(world, log):
    """What the suite prints; it prints the URL that a browser is to open, too."""
    command = [
        node22(), INSTALLED / "node/node_modules" / PACKAGE / "dist/index.js", "authorization",
        "--url", world.origin, "--client-id", CLIENT, "--resource", world.url, "--port", PORT,
    ]
    process = subprocess.Popen(
        command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    late = threading.Timer(90, process.kill)
    late.start()
    text, opened = "", False
    for line in process.stdout:
        text += line
        url = re.search(r"http\S+/oauth/authorize\?\S+", line)
        if url and not opened:
            opened = True
            threading.Thread(target=open_url, args=(url[0],), daemon=True).start()
    late.cancel()
    log.write_text(text)
    return process.wait(), text


def run(logs):
    """A line for each scenario, and those that failed."""
    lines, surprises = [f"{PACKAGE} {version(['node/package.json', PACKAGE])}"], []
    with World(log=logs / "conformance-world.log") as world:
        status, text = suite(world, logs / "conformance.log")
    for name in SCENARIOS:
        passed = re.search(rf"[✓✔]\s+{name}\b.*", text) is not None
        lines.append(f"  {'passed' if passed else 'FAILED'}  {name}")
        surprises += [] if passed else [f"conformance: {name} failed"]
    surprises += [f"conformance: exit status {status}"] if status else []
    return "\n".join(lines), surprises
