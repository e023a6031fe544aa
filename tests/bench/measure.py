"""Starts what is measured, loads it in turns, and reads the operating system's clocks."""

import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import threading
import time
import urllib.error
import urllib.request

CLIENT = "99999999-8888-4777-8666-555555555555"
RESOURCE = "https://mcp.example.com/mcp"
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
REGISTRATION = '{"redirect_uris":["http://localhost:8787/callback"],"client_name":"Claude Code"}'
AUTHORIZE = (
    "/oauth/authorize?response_type=code&client_id=x&redirect_uri=http%3A%2F%2Flocalhost%3A8787%2Fcallback"
    "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&state=s"
    "&scope=openid+access_as_user&resource=https%3A%2F%2Fmcp.example.com%2Fmcp"
)
REFRESH = "grant_type=refresh_token&refresh_token=" + "r" * 1000
CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet","arguments":{}}}'

# what is answered without asking anybody: name, method, path, headers, body, status
FIXED = [
    ("protected-resource metadata", "GET", "/.well-known/oauth-protected-resource/mcp", {}, "", 200),
    ("authorization-server metadata", "GET", "/.well-known/oauth-authorization-server", {}, "", 200),
    ("challenge", "POST", "/mcp", JSON, CALL, 401),
    ("authorize", "GET", AUTHORIZE, {}, "", 302),
    ("register", "POST", "/oauth/register", JSON, REGISTRATION, 201),
]


class Process:
    """A process on one core, known by the address that it prints."""

    def __init__(self, command, core, pattern=r"listening=(\S+)", environment=None, log=None):
        taskset = ["taskset", "--cpu-list", str(core)] if os.cpu_count() > 1 else []
        self.started = time.perf_counter()
        self.child = subprocess.Popen(
            [*taskset, *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={name: value for name, value in {**os.environ, **(environment or {})}.items() if value is not None},
            text=True,
        )
        self.lines = []
        self.address = self.wait(pattern) if pattern else None

    def wait(self, pattern):
        while line := self.child.stdout.readline():
            self.lines.append(line.strip())
            if found := re.search(pattern, line):
                return found[1]
        raise SystemExit(f"{self.child.args} ended before it was ready")

    def cpu(self):
        """Seconds of processor time, of all threads, as clock_getcpuclockid(3) has it."""
        return time.clock_gettime((~self.child.pid << 3) | 2)

    def resident(self):
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024

    def stop(self):
        self.child.kill()
        self.child.wait()


class Bench:
    def __init__(self, gateway, bench, directory, short):
        self.binaries = (gateway, bench)
        self.directory = directory
        self.rounds, self.requests = (3, 2_000) if short else (9, 10_000)
        self.plans = 0
        self.running = contextlib.ExitStack()
        self.cores = (0, os.cpu_count() - 1)

    def __enter__(self):
        self.certificate, self.key = self.directory / "cert.pem", self.directory / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
            + ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", self.key, "-out", self.certificate],
            check=True,
            capture_output=True,
        )
        self.unseen = self.requests // 10
        self.remembered = 4_000 if self.rounds > 3 else 800
        self.behind = self.start_behind(1 + self.unseen * (self.rounds + 1), 0)
        named = [line.split("=", 1) for line in self.behind.lines]
        self.authority, self.tenant = dict(named)["authority"], dict(named)["tenant"]
        self.tokens = [value for name, value in named if name == "token"]
        self.keys = self.directory / "keys.json"
        self.keys.write_text(dict(named)["keys"])
        return self

    def __exit__(self, *failure):
        self.running.close()

    def keep(self, process):
        self.running.callback(process.stop)
        return process

    def start_behind(self, tokens, delay):
        command = [self.binaries[1], "behind", self.certificate, self.key, tokens, delay]
        return self.keep(Process(command, self.cores[1]))

    def bare(self, *arguments):
        return self.keep(Process([self.binaries[1], *arguments], self.cores[0]))

    def gateway(self, authority=None, log="info"):
        """Its log goes to a pipe, as a service manager or a container runtime takes it."""
        command = [
            *(self.binaries[0], "serve", "--listen", "127.0.0.1:0", "--log", log, "--resource", RESOURCE),
            *("--client-id", CLIENT, "--tenant", self.tenant, "--authority", authority or self.authority),
            *("--upstream", f"http://{self.behind.address}/mcp"),
        ]
        trusted = {"SSL_CERT_FILE": str(self.certificate), "SSL_CERT_DIR": None}
        process = Process(command, self.cores[0], r"listening.*?address=(\S+)", trusted, subprocess.STDOUT)
        threading.Thread(target=process.child.stdout.read, daemon=True).start()
        return self.keep(process)

    def load(self, process, method, path, headers, body, status, requests, tokens=()):
        """Microseconds of processor time for each request, and seconds of all."""
        plan = self.directory / f"plan-{self.plans % 8}.json"
        self.plans += 1
        plan.write_text(
            json.dumps(
                {
                    **{"address": process.address, "method": method, "path": path, "headers": headers, "body": body},
                    **{"status": status, "requests": requests, "connections": 32, "tokens": list(tokens)},
                }
            )
        )
        before = process.cpu()
        load = Process([self.binaries[1], "load", plan], self.cores[1], r'("requests":\d+)')
        spent = process.cpu() - before
        answer = json.loads(load.lines[-1])
        load.child.wait()
        return spent / requests * 1e6, answer["seconds"]

    def compare(self, ours, bare, *request, requests=None, tokens=None):
        """Short runs in turns, so that what else the machine does meets both."""
        requests = requests or self.requests
        ratios, costs = [], []
        for turn in range(self.rounds + 1):
            some = tokens(turn) if tokens else ()
            pair = [0.0, 0.0]
            for which in (0, 1) if turn % 2 else (1, 0):
                pair[which] = self.load((ours, bare)[which], *request, requests, some)[0]
            # the first round warms up
            if turn:
                ratios.append(pair[0] / pair[1])
                costs.append(pair)
        return {
            "ratio": statistics.median(ratios),
            "spread": [min(ratios), max(ratios)],
            "ours": statistics.median(cost[0] for cost in costs),
            "bare": statistics.median(cost[1] for cost in costs),
        }

    def everything(self):
        results = {}
        ours = self.gateway()
        self.wait_until_ready(ours)
        file = self.write_answers(ours)
        fixed = self.bare("fixed", file)
        for name, *request in FIXED:
            results[name] = self.said(name, self.compare(ours, fixed, *request))
        fixed.stop()

        proxy = self.bare("proxy", self.authority, self.certificate, "true")
        unpooled = self.bare("proxy", self.authority, self.certificate, "false")
        token = ("POST", "/oauth/token", FORM, REFRESH, 200)
        results["token"] = self.said("token", self.compare(ours, proxy, *token))
        requests = self.requests // 10
        results["pool"] = self.said("no pool", self.compare(unpooled, proxy, *token, requests=requests))
        proxy.stop()
        unpooled.stop()

        proxy = self.bare("proxy", f"http://{self.behind.address}", self.certificate, "true")
        verify = self.bare("verify", f"http://{self.behind.address}", self.certificate, self.keys)
        seen = {**JSON, "authorization": f"Bearer {self.tokens[0]}"}
        call = ("POST", "/mcp", seen, CALL, 200)
        results["call, token seen"] = self.said("seen", self.compare(ours, proxy, *call))

        def unseen(turn):
            return self.tokens[1 + turn * self.unseen : 1 + (turn + 1) * self.unseen]

        call = ("POST", "/mcp", JSON, CALL, 200)
        results["call, token never seen"] = self.said(
            "never seen", self.compare(ours, verify, *call, requests=self.unseen, tokens=unseen)
        )
        results["streamed event"] = self.said("event", self.events(ours, proxy, seen))
        results["curves"] = self.said("curves", self.curves(ours, call, seen))
        verify.stop()
        ours.stop()
        proxy.stop()
        results["memory"] = self.said("memory", self.memory())
        results["cold start"] = self.said("cold start", self.cold_start(file))
        size = self.binaries[0].stat().st_size
        results["binary"] = self.said("binary", {"ours": size})
        return results

    def said(self, name, result):
        print(f"{name:32}", json.dumps(result), flush=True)
        return result

    def wait_until_ready(self, process):
        for _ in range(1_000):
            if self.ask(process, "GET", "/readyz", {}, "")[0] == 200:
                return
            time.sleep(0.01)
        raise SystemExit("the gateway does not get Entra's documents")

    def ask(self, process, method, path, headers, body):
        url = f"http://{process.address}{path}"
        request = urllib.request.Request(url, body.encode() or None, headers, method=method)
        try:
            answer = OPENER.open(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, dict(answer.headers.items()), answer.read().decode()

    def answer(self, process, method, path, headers, body, status):
        """What the gateway says, for bare hyper to say too."""
        found, answered, text = self.ask(process, method, path, headers, body)
        assert found == status, (path, found, text)
        kept = {n: v for n, v in answered.items() if n.lower() not in ("connection", "content-length", "date")}
        return {"path": path.split("?")[0], "status": status, "headers": kept, "body": text}

    def write_answers(self, ours):
        file = self.directory / "answers.json"
        file.write_text(json.dumps([self.answer(ours, *request[1:]) for request in FIXED]))
        return file

    def events(self, ours, bare, headers):
        """Processor time for each event of one long stream on each of the connections."""
        events = self.requests // 5
        headers = {"authorization": headers["authorization"]}
        result = self.compare(ours, bare, "GET", f"/mcp?events={events}", headers, "", 200, requests=32)
        return {**result, **{name: result[name] / events for name in ("ours", "bare")}}

    def memory(self):
        """Resident memory of each, just started, while a thousand streams are open and say nothing."""
        ours, bare = self.gateway(), self.bare("proxy", f"http://{self.behind.address}", self.certificate, "true")
        self.wait_until_ready(ours)
        resident = []
        for process in (ours, bare):
            command = [self.binaries[1], "idle", process.address, 1_000, self.tokens[0]]
            idle = Process(command, self.cores[1], r"open=(\d+)")
            resident.append(process.resident())
            idle.stop()
            process.stop()
        return {"ratio": resident[0] / resident[1], "ours": resident[0], "bare": resident[1]}

    def curves(self, ours, call, seen):
        """Microseconds for each call while more and more tokens are remembered, and streams open."""
        sizes = [self.remembered // 8, self.remembered // 4, self.remembered // 2, self.remembered]
        curves = {"tokens remembered": [], "streams open": []}
        for size in sizes:
            # the first time they are seen, then they are known
            tokens = [self.tokens[n % size] for n in range(max(size, self.requests))]
            self.load(ours, *call, size, tokens)
            cost = min(self.load(ours, *call, self.requests, tokens)[0] for _ in range(3))
            curves["tokens remembered"].append([size, cost])
        method, path, _, body, status = call
        for size in (250, 500, 1_000, 2_000):
            idle = Process([self.binaries[1], "idle", ours.address, size, self.tokens[0]], self.cores[1], r"open=(\d+)")
            cost = min(self.load(ours, method, path, seen, body, status, self.requests)[0] for _ in range(3))
            curves["streams open"].append([size, cost])
            idle.stop()
        return curves

    def cold_start(self, answers):
        """From the start of the process to its first right answers, Entra a tenth of a second away."""
        slow = self.start_behind(0, 100)
        authority = dict(line.split("=", 1) for line in slow.lines)["authority"]
        paths = [("GET", FIXED[0][2], {}, "", 200), ("POST", "/mcp", JSON, CALL, 401)]
        milliseconds = {"ours": [], "bare": []}
        for _ in range(self.rounds * 2):
            for which in ("ours", "bare"):
                started = time.perf_counter()
                process = self.gateway(authority) if which == "ours" else self.bare("fixed", answers)
                for path in paths:
                    self.answer(process, *path)
                milliseconds[which].append((time.perf_counter() - started) * 1e3)
                process.stop()
        ratios = sorted(a / b for a, b in zip(milliseconds["ours"], milliseconds["bare"]))
        ours, bare = (statistics.median(milliseconds[which]) for which in ("ours", "bare"))
        return {"ratio": ours / bare, "spread": [ratios[0], ratios[-1]], "ours": ours, "bare": bare}


class Unredirected(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), Unredirected)
