"""Clients that cannot be run here, played by one driver: profiles.json says how each asks, from what is known of it."""

import base64
import hashlib
import http.client
import json
import re
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import cells
from browser import NoCallback, callback_of
from world import CLIENT, HERE, SECRET, World

# What a row does not say.
DEFAULTS = {
    "probe": "POST",
    "resource metadata": ["challenge", "path", "root"],
    "server metadata": ["oauth", "openid"],
    "scope": "challenge",
    "adds": "",
    "prompt": None,
    "resource": "metadata",
    "token": [],
    "refresh": ["resource"],
    "insists on": [],
    "steps up": True,
    "flags": [],
}


class Stopped(Exception):
    """The client goes no further, and this is why."""


def ask(method, url, body=None, headers=()):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def message(method, params, ident=None):
    body = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(body | ({"id": ident} if ident else {}))


def challenge_of(headers):
    return dict(re.findall(r'(\w+)="([^"]*)"', headers.get("www-authenticate", "")))


class Client:
    """One profile at work."""

    HOST = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "profile", "version": "1"}}

    def __init__(self, row, url):
        self.row = DEFAULTS | row
        self.url = url
        self.origin = url.removesuffix("/mcp")

    # the MCP endpoint

    def post(self, body, token=None, session=None):
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Mcp-Session-Id": session} if session else {}
        return ask("POST", self.url, body, headers)

    def call(self, tool):
        """What the tool said; or the challenge."""
        status, headers, _ = self.post(message("initialize", self.HOST, 1), self.access)
        if status != 200:
            raise Stopped(f"initialize: {status} {headers.get('www-authenticate')}")
        session = headers.get("mcp-session-id")
        self.post(message("notifications/initialized", {}), self.access, session)
        status, headers, body = self.post(message("tools/call", {"name": tool, "arguments": {}}, 2), self.access, session)
        if status == 403:
            return challenge_of(headers)
        found = re.search(r'"text":\s*"([^"]*)"', body.decode())
        if status != 200 or not found:
            raise Stopped(f"{tool}: {status} {body.decode()[:200]}")
        return {"text": found[1]}

    # discovery and registration

    def discover(self):
        probe = self.row["probe"]
        if probe == "POST":
            status, headers, _ = self.post(message("initialize", self.HOST, 1))
        else:
            status, headers, _ = ask(probe, self.url)
        self.challenge = challenge_of(headers)
        if status != 401 or "resource_metadata" not in self.challenge:
            raise Stopped(f"{probe} {self.url}: {status} {headers.get('www-authenticate')}")
        self.resource = self.document("resource metadata", {
            "challenge": self.challenge["resource_metadata"],
            "path": self.origin + "/.well-known/oauth-protected-resource/mcp",
            "root": self.origin + "/.well-known/oauth-protected-resource",
        })
        if self.resource and self.resource["resource"] != self.url:
            raise Stopped(f"the metadata is of {self.resource['resource']}")
        issuer = self.resource["authorization_servers"][0] if self.resource else self.origin
        self.server = self.document("server metadata", {
            "oauth": issuer + "/.well-known/oauth-authorization-server",
            "oauth at path": issuer + "/.well-known/oauth-authorization-server/mcp",
            "openid": issuer + "/.well-known/openid-configuration",
        })
        if self.server["issuer"] != issuer:
            raise Stopped(f"the issuer is {self.server['issuer']}, not {issuer}")
        if "S256" not in self.server.get("code_challenge_methods_supported", []):
            raise Stopped("the server does not offer S256")

    def document(self, kind, places):
        for place in self.row[kind]:
            status, _, body = ask("GET", places[place], headers={"MCP-Protocol-Version": "2025-06-18"})
            if status == 200:
                return json.loads(body)
        if self.row[kind]:
            raise Stopped(f"no {kind}")
        return None

    def register(self):
        body = self.row["registration"]
        self.redirect_uri = self.row.get("redirect uri") or body["redirect_uris"][-1]
        self.secret = None
        if not body:
            self.client_id = CLIENT
            return
        status, _, answer = ask(
            "POST", self.server["registration_endpoint"], json.dumps(body), {"Content-Type": "application/json"}
        )
        answer = json.loads(answer)
        if status != 201:
            raise Stopped(f"registration: {status} {answer}")
        if answer["redirect_uris"] != body["redirect_uris"]:
            raise Stopped(f"registered {answer['redirect_uris']}")
        if None in answer.values():
            raise Stopped("a member is null")
        self.client_id, self.secret = answer["client_id"], answer.get("client_secret")
        if "client_secret" in self.row["insists on"] and not self.secret:
            raise Stopped("no client_secret")

    # the two legs

    def scope(self):
        rule = self.row["scope"]
        listed = {
            "challenge": self.challenge.get("scope", ""),
            "resource": " ".join(self.resource["scopes_supported"]) if self.resource else "",
            "server": " ".join(self.server["scopes_supported"]),
            "none": "",
        }
        return f"{listed.get(rule, rule)} {self.row['adds']}".strip()

    def resource_indicator(self):
        return {"metadata": self.url, "slash": self.url + "/", None: None}[self.row["resource"]]

    def sign_in(self, scope):
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        query = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri, "state": state,
            "code_challenge": digest.rstrip(b"=").decode(), "code_challenge_method": "S256",
            "scope": scope, "prompt": self.row["prompt"], "resource": self.resource_indicator(),
        }
        query = {name: value for name, value in query.items() if value}
        try:
            callback = callback_of(f"{self.server['authorization_endpoint']}?{urlencode(query)}", self.redirect_uri)
        except NoCallback as page:
            raise Stopped(f"sign-in ended at a page: {page}") from None
        answer = {name: values[0] for name, values in parse_qs(urlsplit(callback).query).items()}
        if answer.get("state") != state or "code" not in answer:
            raise Stopped(f"the callback is {callback}")
        if "iss" in answer and answer["iss"] != self.server["issuer"]:
            raise Stopped(f"the callback comes from {answer['iss']}")
        grant = {
            "grant_type": "authorization_code", "code": answer["code"], "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        }
        # all of them name the resource when they redeem the code, if at all
        self.redeem(grant, ["resource", *self.row["token"]], scope)

    def redeem(self, grant, extras, scope):
        grant["client_id"] = self.client_id
        grant |= {"client_secret": self.secret} if self.secret else {}
        grant |= {"resource": self.resource_indicator()} if "resource" in extras and self.resource_indicator() else {}
        grant |= {"scope": scope} if "scope" in extras and scope else {}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, headers, body = ask("POST", self.server["token_endpoint"], urlencode(grant), headers)
        answer = json.loads(body)
        if status != 200 or headers.get("cache-control") != "no-store":
            raise Stopped(f"token: {status} {answer}")
        self.access, self.refresh_token = answer["access_token"], answer.get("refresh_token", self.refresh_token)
        missing = set(scope.split()) - set(answer.get("scope", scope).split()) - {"offline_access"}
        if "granted scope" in self.row["insists on"] and missing:
            raise Stopped(f"not granted: {missing}")

    refresh_token = access = None

    def refresh(self, scope):
        if not self.refresh_token:
            raise Stopped("no refresh token")
        self.redeem({"grant_type": "refresh_token", "refresh_token": self.refresh_token}, self.row["refresh"], scope)


def play(row, world):
    """The cells of one profile, and why it stopped if it did."""
    world.entra.tell("revoke-consents")
    client, start = Client(row, world.url), len(world.recorder.exchanges)
    marks, said, reason = [], [{}, {}, {}], None
    mark = lambda: marks.append(len(world.recorder.exchanges))
    try:
        client.discover()
        client.register()
        scope = client.scope()
        client.sign_in(scope)
        said[0] = client.call("greet")
        mark()
        client.refresh(scope)
        said[1] = client.call("greet")
        mark()
        said[2] = client.call("delete_note")
        if "text" not in said[2] and client.row["steps up"]:
            asked = dict.fromkeys([*scope.split(), *said[2]["scope"].split()])
            client.sign_in(" ".join(asked))
            said[2] = client.call("delete_note")
    except (Stopped, KeyError, OSError, ValueError) as stopped:
        reason = f"{type(stopped).__name__}: {stopped}"
    end = len(world.recorder.exchanges)
    first, second = (marks + [end, end])[:2]
    exchanges = world.recorder.exchanges
    return {
        "discovery": cells.discovery(exchanges[start:first]),
        "registration": cells.registration(exchanges[start:first]),
        "sign-in": cells.sign_in(exchanges[start:first]),
        "token": cells.token(exchanges[start:first]),
        "tool call": cells.tool_call(said[0]),
        "refresh without scope": cells.refresh(exchanges[first:second], said[1]),
        "step-up": cells.step_up(exchanges[second:end], said[2]),
    }, reason


def run(wanted, logs):
    """Rows for the table, and what was not expected."""
    rows, surprises = [], []
    profiles = [row for row in json.loads((HERE / "profiles.json").read_text()) if not wanted or row["name"] in wanted]
    for flags in sorted({tuple(row.get("flags", [])) for row in profiles}):
        log = logs / f"profiles{''.join(flags)}"
        with World(flags=flags, secret=SECRET, log=f"{log}-world.log") as world:
            for row in profiles:
                if tuple(row.get("flags", [])) == flags:
                    found, reason = play(row, world)
                    expected = {c: {"link": row["evidence"], **cell} for c, cell in row.get("expected", {}).items()}
                    rows.append((row["name"], found, expected))
                    surprises += [f"{s} ({reason})" for s in cells.surprises(row["name"], found, expected)]
            log.with_name(log.name + "-exchanges.log").write_text("\n\n".join(map(str, world.recorder.exchanges)))
    order = [row["name"] for row in profiles]
    return sorted(rows, key=lambda row: order.index(row[0])), surprises
