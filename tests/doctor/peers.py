"""`mcp-entra doctor` against FastMCP's AzureProvider, really running, with the stand-in for Entra ID behind it."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
BINARIES = Path(os.environ["DOCTOR_BINARIES"])
APPLICATION = HERE.parent / "clients" / "application.json"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class AzureProvider(unittest.TestCase):
    def setUp(self):
        self.port = free_port()
        self.home = tempfile.TemporaryDirectory()
        self.addCleanup(self.home.cleanup)

    def start(self, *options, registered):
        application = json.loads(APPLICATION.read_text())
        if registered:
            application["web"]["redirectUris"].append(f"http://127.0.0.1:{self.port}/auth/callback")
        file = Path(self.home.name) / "application.json"
        file.write_text(json.dumps(application))
        entra = subprocess.Popen(
            [BINARIES / "entra-stand-in", "--application", file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.stop, entra)
        authority = entra.stdout.readline().strip().removeprefix("authority=http://")
        server = subprocess.Popen(
            [sys.executable, HERE / "server.py", authority, str(self.port), *options],
            env={**os.environ, "HOME": self.home.name},
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(self.stop, server)
        end = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/mcp", timeout=5)
            except urllib.error.HTTPError:
                return
            except OSError:
                self.assertIsNone(server.poll(), "the server ended")
                self.assertLess(time.monotonic(), end, "the server did not answer")
                time.sleep(0.1)

    @staticmethod
    def stop(process):
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()

    def doctor(self):
        command = [BINARIES / "mcp-entra", "doctor", f"http://127.0.0.1:{self.port}/mcp", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        return done.returncode, json.loads(done.stdout)

    @staticmethod
    def ids(report, severity):
        return [finding["id"] for finding in report["findings"] if finding["severity"] == severity]

    def test_a_callback_that_is_not_registered_is_named(self):
        self.start(registered=False)
        status, report = self.doctor()
        self.assertEqual(status, 1, report)
        self.assertEqual(report["deployment"], "other")
        self.assertEqual(self.ids(report, "fault"), ["redirect-uri-not-registered"])
        worst = report["findings"][0]
        self.assertIn(f"http://127.0.0.1:{self.port}/auth/callback", worst["title"])
        self.assertTrue(worst["portal"].endswith("Authentication > Web"), worst["portal"])

    def test_what_will_fail_for_a_browser_is_said_and_who_signs_in(self):
        self.start(registered=True)
        status, report = self.doctor()
        self.assertEqual(status, 0, report)
        warnings = self.ids(report, "warning")
        self.assertIn("preflight-refused", warnings)
        self.assertIn("challenge-not-exposed", warnings)
        self.assertIn("token-error-code", warnings)
        fates = {client["id"]: client["fate"] for client in report["clients"]}
        for client in ("cursor", "claude", "vscode", "gemini-cli", "mcp-remote"):
            self.assertEqual(fates[client], "passes", client)

    def test_its_own_consent_page_is_as_far_as_can_be_seen(self):
        self.start("--consent", registered=True)
        status, report = self.doctor()
        self.assertEqual(status, 0, report)
        self.assertIn("authorize-own-page", self.ids(report, "note"))
        fates = {client["id"]: client["fate"] for client in report["clients"]}
        self.assertEqual(fates["cursor"], "unseen")


if __name__ == "__main__":
    unittest.main()
