"""Drives the clients of clients.json: sign-in and a tool call, again once the token has expired, then a step-up."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import cells
from world import BINARIES, HERE, INSTALLED, World

# Long enough for a sign-in and a call on a busy machine, short enough to wait for.
LIFETIME = 8


def version(pin):
    """The exact version that a requirements file, package.json or Cargo.lock pins."""
    file, package = pin
    text = (HERE / file).read_text()
    if file.endswith(".lock"):
        return re.search(rf'^name = "{re.escape(package)}"\nversion = "(.*)"$', text, re.MULTILINE)[1]
    if file.endswith(".json"):
        return json.loads(text)["dependencies"][package]
    return re.search(rf"^{re.escape(package)}==(\S+)", text, re.MULTILINE)[1]


def label(row):
    """The name with the version; where it tells the major version, in the place of that."""
    exact = version(row["pin"])
    name, replaced = re.subn(rf"\b{exact.split('.')[0]}\b", exact, row["name"])
    return (name if replaced else f"{name} {exact}") + (", consented to all" if "consented" in row else "")


def command(parts, url):
    places = {"here": HERE, "installed": INSTALLED, "binaries": BINARIES, "url": url, "node22": node22(), "chromium": shutil.which("chromium")}
    return [part.format(**places) for part in parts]


def node22():
    """Newer than what the machine has; npm carries it as a package for each kind of machine."""
    return next(INSTALLED.glob("node/node_modules/node-linux-*/bin/node"))


class Adapter:
    """A client's process: a tool's name goes in as a line, what it said comes out as a line of JSON."""

    def __init__(self, row, world, folder):
        environment = {
            **os.environ,
            "BROWSER": str(HERE / "browser.py"),
            "HOME": str(folder),
            **row.get("environment", {}),
        }
        self.log = open(folder / "client.log", "w+")
        self.process = subprocess.Popen(
            command(row["command"], world.url), cwd=folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, start_new_session=True,
        )

    def call(self, tool, seconds=60):
        late = threading.Timer(seconds, os.killpg, (self.process.pid, signal.SIGKILL))
        late.start()
        try:
            self.process.stdin.write(tool + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            late.cancel()
        return json.loads(line) if line else {"error": "the client ended"}

    def close(self):
        # with all that it has started
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()


def drive(row, log):
    """The cells of one client, and everything it asked."""
    folder = Path(log)
    folder.mkdir(parents=True, exist_ok=True)
    with World(log=folder / "world.log") as world:
        world.entra.tell(f"lifetime {LIFETIME}")
        if "consented" in row:
            world.entra.tell(f"admin-consent {row['consented']}")
        adapter = Adapter(row, world, folder)
        exchanges = world.recorder.exchanges
        try:
            greeted = adapter.call("greet")
            world.entra.tell("lifetime any")
            signed_in = len(exchanges)
            redeemed = cells.token_requests(exchanges, "authorization_code")
            if redeemed:
                time.sleep(max(0, redeemed[-1].at + LIFETIME + 1 - time.monotonic()))
            again = adapter.call("greet")
            refreshed = len(exchanges)
            deleted = adapter.call("delete_note")
        finally:
            adapter.close()
        (folder / "exchanges.log").write_text("\n\n".join(map(str, exchanges)))
        (folder / "said.log").write_text("\n".join(map(json.dumps, [greeted, again, deleted])))
        return {
            "discovery": cells.discovery(exchanges[:signed_in]),
            "registration": cells.registration(exchanges[:signed_in]),
            "sign-in": cells.sign_in(exchanges[:signed_in]),
            "token": cells.token(exchanges[:signed_in]),
            "tool call": cells.tool_call(greeted),
            "refresh without scope": cells.refresh(exchanges[signed_in:refreshed], again),
            "step-up": cells.step_up(exchanges[refreshed:], deleted),
        }


def run(wanted, logs):
    """Rows for the table, and what was not expected."""
    rows, surprises = [], []
    for row in json.loads((HERE / "clients.json").read_text()):
        if wanted and row["name"] not in wanted:
            continue
        name, expected = label(row), row.get("expected", {})
        print(f"{name} …", flush=True)
        found = drive(row, logs / re.sub(r"[^\w.-]+", "-", name))
        rows.append((name, found, expected))
        surprises += cells.surprises(name, found, expected)
    return rows, surprises
