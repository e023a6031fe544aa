"""The world around a client: Entra ID's stand-in, an MCP server, mcp-entra in front of it, and a recorder between."""

import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from recorder import Recorder

HERE = Path(__file__).parent
BINARIES = Path(os.environ["CLIENTS_BINARIES"])
INSTALLED = Path(os.environ["CLIENTS_INSTALLED"])
TENANT = "11111111-2222-4333-8444-555555555555"
CLIENT = "99999999-8888-4777-8666-555555555555"
SECRET = "the-client-secret-of-the-registration"
# Redirect URIs of clients that mcp-entra does not list by itself, as an operator adds them.
REDIRECT_URIS = [
    "https://global.consent.azure-apim.net/redirect/contoso-mcp",
    "https://chatgpt.com/connector/oauth/contoso",
    "http://127.0.0.1/callback/5b2c9a",
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, process, name, seconds=30):
    """Until it answers, whatever it says."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except urllib.error.HTTPError as error:
            if error.code != 503:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{name} did not answer at {url}")


class StandIn:
    """Entra ID's stand-in; commands go to its standard input, each is answered by one line."""

    def __init__(self, binary, record, *, lenient=False, secret=None, application=HERE / "application.json"):
        self.record = Path(record)
        command = [binary, "--record", self.record, "--application", application]
        command += ["--lenient"] if lenient else []
        command += ["--secret", secret] if secret else []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().strip()
        if not line.startswith("authority="):
            raise RuntimeError(f"the stand-in said {line!r}")
        self.authority = line.removeprefix("authority=")

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise RuntimeError(f"{command}: {answer}")

    def requests(self):
        self.tell("sync")
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(5)


class World:
    """All of it on loopback, on free ports. `url` is the MCP endpoint for the client."""

    def __init__(self, *, flags=(), lenient=False, secret=None, log=None):
        self.folder = tempfile.TemporaryDirectory(prefix="mcp-entra-clients-")
        self.log = open(log, "w") if log else subprocess.DEVNULL
        self.started = []
        try:
            self._start(flags, lenient, secret)
        except BaseException:
            self.close()
            raise

    def _start(self, flags, lenient, secret):
        record = Path(self.folder.name) / "entra.jsonl"
        self.entra = StandIn(BINARIES / "entra-stand-in", record, lenient=lenient, secret=secret)
        behind, gateway = free_port(), free_port()
        python = INSTALLED / "mcp-2" / "bin" / "python"
        server = self._spawn([python, HERE / "python" / "mcp_server.py", behind])
        self.recorder = Recorder(gateway)
        self.origin = f"http://localhost:{self.recorder.port}"
        self.url = self.origin + "/mcp"
        command = [
            BINARIES / "mcp-entra", "serve",
            "--listen", f"127.0.0.1:{gateway}", "--resource", self.url,
            "--upstream", f"http://127.0.0.1:{behind}/mcp",
            "--tenant", TENANT, "--client-id", CLIENT, "--authority", self.entra.authority,
            "--operation-scope", "tools/call:delete_*=mcp.write", "--clock-skew", "0",
        ]
        for uri in REDIRECT_URIS:
            command += ["--redirect-uri", uri]
        environment = {"MCP_ENTRA_CLIENT_SECRET": secret} if secret else {}
        mcp_entra = self._spawn([*command, *flags], environment)
        wait_for(f"http://127.0.0.1:{gateway}/readyz", mcp_entra, "mcp-entra")
        wait_for(f"http://127.0.0.1:{behind}/mcp", server, "the MCP server")

    def _spawn(self, command, environment=()):
        environment = {**os.environ, **dict(environment)}
        process = subprocess.Popen(
            [str(part) for part in command], env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        self.started.append(process)
        return process

    def close(self):
        for process in self.started:
            process.terminate()
        for process in self.started:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
        if hasattr(self, "recorder"):
            self.recorder.close()
        if hasattr(self, "entra"):
            self.entra.stop()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
