"""Between client and gateway: passes everything on as it comes, and keeps what was asked and answered."""

import http.client
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "proxy-connection"}


@dataclass
class Exchange:
    """One request and its answer."""

    method: str
    target: str
    headers: dict
    body: bytes
    status: int = 0
    answer_headers: dict = field(default_factory=dict)
    answer: bytes = b""
    at: float = field(default_factory=time.monotonic)

    @property
    def path(self):
        return urlsplit(self.target).path

    @property
    def query(self):
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query, keep_blank_values=True).items()}

    @property
    def form(self):
        return {name: values[0] for name, values in parse_qs(self.body.decode(errors="replace"), keep_blank_values=True).items()}

    def __str__(self):
        challenge = self.answer_headers.get("www-authenticate") or self.answer_headers.get("location") or ""
        lines = [f"> {self.method} {self.target}", self.body, f"< {self.status} {challenge}", self.answer]
        lines = [line.decode(errors="replace") if isinstance(line, bytes) else line for line in lines]
        # tokens and codes are long, and nothing to read
        return "\n".join(re.sub(r"([\w.-]{20})[\w.-]{100,}", r"\1…", line).strip() for line in lines if line)


class Server(ThreadingHTTPServer):
    def handle_error(self, *_):
        """A client that goes away is no news."""


class Recorder:
    """Listens on a free port of the loopback address."""

    def __init__(self, gateway):
        self.exchanges = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                recorder._pass_on(self, gateway)

            do_GET = do_POST = do_DELETE = do_OPTIONS = do_HEAD = do_PUT = handle_any

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def _pass_on(self, client, gateway):
        length = int(client.headers.get("content-length") or 0)
        body = client.rfile.read(length)
        headers = {name.lower(): value for name, value in client.headers.items()}
        exchange = Exchange(client.command, client.path, headers, body)
        self.exchanges.append(exchange)
        connection = http.client.HTTPConnection("127.0.0.1", gateway, timeout=120)
        try:
            connection.putrequest(client.command, client.path, skip_host=True, skip_accept_encoding=True)
            for name, value in client.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            self._give_back(client, exchange, answer)
        except (OSError, http.client.HTTPException):
            client.close_connection = True
        finally:
            connection.close()

    @staticmethod
    def _give_back(client, exchange, answer):
        exchange.answer_headers = {name.lower(): value for name, value in answer.getheaders()}
        exchange.status = answer.status
        bodiless = client.command == "HEAD" or answer.status in (204, 304)
        sized = "content-length" in exchange.answer_headers
        client.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                client.send_header(name, value)
        if not sized and not bodiless:
            client.send_header("transfer-encoding", "chunked")
        client.end_headers()
        if bodiless:
            return
        while chunk := answer.read1(65536):
            exchange.answer += chunk
            client.wfile.write(chunk if sized else b"%x\r\n%s\r\n" % (len(chunk), chunk))
            client.wfile.flush()
        if not sized:
            client.wfile.write(b"0\r\n\r\n")

    def close(self):
        self.server.shutdown()
        self.server.server_close()
