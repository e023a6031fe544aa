"""What users report: the very same request put to Entra ID's stand-in alone, which refuses it, and to mcp-entra."""

import base64
import hashlib
import json
import re
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

from browser import NoCallback, callback_of
from profiles import ask
from world import CLIENT, HERE, SECRET, TENANT, World

REDIRECT_URI = "http://localhost:8787/callback"


class Refused(Exception):
    pass


def why(text):
    found = re.search(r"AADSTS\d+", text)
    return found[0] if found else text[:60]


class Server:
    """Where a client sends its requests: the stand-in, or mcp-entra."""

    def __init__(self, authorize, token, metadata, world):
        self.authorize_url, self.token_url, self.metadata_url = authorize, token, metadata
        self.places = {"url": world.url, "client": CLIENT, "secret": SECRET}

    def filled(self, base, changes):
        parameters = base | (changes or {})
        return {name: value.format(**self.places) for name, value in parameters.items() if value is not None}

    def authorize(self, redirect_uri, changes, scope="api://{client}/access_as_user offline_access"):
        verifier = secrets.token_urlsafe(48)
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = self.filled({
            "response_type": "code", "client_id": CLIENT, "redirect_uri": redirect_uri, "state": "s", "scope": scope,
            "code_challenge": digest, "code_challenge_method": "S256",
        }, changes)
        try:
            callback = callback_of(f"{self.authorize_url}?{urlencode(query)}", redirect_uri)
        except NoCallback as page:
            raise Refused(why(str(page))) from None
        answer = {name: values[0] for name, values in parse_qs(urlsplit(callback).query).items()}
        if "code" not in answer:
            raise Refused(why(answer.get("error_description", callback)))
        return {"code": answer["code"], "code_verifier": verifier, "redirect_uri": redirect_uri}

    def redeem(self, grant_type, scope, grant, changes=None, headers=()):
        form = self.filled({"grant_type": grant_type, "client_id": CLIENT, "scope": scope}, changes) | grant
        headers = {"Content-Type": "application/x-www-form-urlencoded", **dict(headers)}
        status, _, body = ask("POST", self.token_url, urlencode(form), headers)
        if status != 200:
            raise Refused(why(body.decode()))
        return json.loads(body)

    def outcome(self, row):
        """`ok`, or how it was refused."""
        redirect_uri, leg, changes = row.get("redirect uri", REDIRECT_URI), row["leg"], row["with"]
        full = row.get("scope", "api://{client}/access_as_user offline_access")
        try:
            if leg == "metadata":
                return self.metadata(changes)
            if leg == "authorize":
                self.authorize(redirect_uri, changes)
                return "ok"
            grant = self.authorize(redirect_uri, None, full)
            if leg == "code":
                tokens = self.redeem("authorization_code", full, grant, changes, row.get("headers", ()))
                return "ok" if "refresh_token" in tokens else "no refresh_token"
            tokens = self.redeem("authorization_code", full, grant)
            grant = {"refresh_token": tokens["refresh_token"]}
            self.redeem("refresh_token", "{client}/access_as_user offline_access", grant, changes)
            return "ok"
        except Refused as refused:
            return str(refused)

    def metadata(self, member):
        """A member of the document, or the RFC 8414 document itself."""
        url = self.metadata_url["openid" if member else "oauth"]
        status, _, body = ask("GET", url)
        if status != 200:
            return str(status)
        document = json.loads(body)
        if member is None:
            return "ok" if url.startswith(document["issuer"]) else f"issuer {document['issuer']}"
        return "ok" if member in document else "missing"


def servers(world):
    entra = world.entra.authority
    alone = Server(f"{entra}/{TENANT}/oauth2/v2.0/authorize", f"{entra}/{TENANT}/oauth2/v2.0/token", {
        "openid": f"{entra}/{TENANT}/v2.0/.well-known/openid-configuration",
        "oauth": f"{entra}/.well-known/oauth-authorization-server/{TENANT}/v2.0",
    }, world)
    behind = Server(f"{world.origin}/oauth/authorize", f"{world.origin}/oauth/token", {
        "openid": f"{world.origin}/.well-known/openid-configuration",
        "oauth": f"{world.origin}/.well-known/oauth-authorization-server",
    }, world)
    return alone, behind


def run(logs):
    """The table, and what was not as it should be."""
    lines, surprises = [["what users report", "Entra ID alone", "with mcp-entra", "reported at"]], []
    with World(secret=SECRET, log=logs / "refusals-world.log") as world:
        alone, behind = servers(world)
        for row in json.loads((HERE / "refusals.json").read_text()):
            for command in row.get("tell", []):
                world.entra.tell(command)
            refused, passed = alone.outcome(row), behind.outcome(row)
            world.entra.tell("consent user")
            world.entra.tell("revoke-consents")
            lines.append([row["complaint"], refused, passed, row["link"]])
            if refused != row["alone"]:
                surprises.append(f"{row['complaint']}: alone it is '{refused}', not '{row['alone']}'")
            if passed != "ok":
                surprises.append(f"{row['complaint']}: with mcp-entra it is '{passed}'")
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    lines.insert(1, ["-" * width for width in widths])
    table = "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines)
    return table, surprises
