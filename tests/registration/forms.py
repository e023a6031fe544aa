"""What `mcp-entra app-registration` prints, put to use."""

import copy
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import hcl2
from pycep import BicepParser

HERE = pathlib.Path(__file__).parent
BINARY = os.environ["REGISTRATION_BINARY"]
RESOURCE = ["--resource", "https://mcp.example.com/mcp"]
CLIENT = "99999999-8888-4777-8666-555555555555"
# every option that the forms write down, with a scope that each of their languages could mistake
EVERYTHING = [
    *RESOURCE,
    *("--client", "cursor,vscode,claude,m365-copilot"),
    *("--scope", "access_as_user mcp.read it's`${odd}%{as}&$HOME"),
    *("--operation-scope", "tools/call:delete_*=mcp.write"),
    *("--redirect-uri", "https://mine.example.com/it's-$HOME"),
    *("--app-role", "Mcp.Call"),
    *("--pre-authorize", "04b07795-8ddb-461a-bbee-02f9e1bf7b46"),
    *("--pre-authorize", "aebc6443-996d-45c2-90f0-388ff96faa56"),
    "--admin-consent",
]
VARIANTS = {
    "all known clients": RESOURCE,
    "everything": EVERYTHING,
    "one tenant": [*RESOURCE, "--tenant", "11111111-2222-4333-8444-555555555555"],
    "any tenant": [*RESOURCE, "--tenant", "organizations"],
    "any account": [*RESOURCE, "--tenant", "common"],
    "personal accounts": [*RESOURCE, "--tenant", "consumers"],
    "no secret": [*RESOURCE, "--platform", "native"],
    "only the web": [*RESOURCE, "--platform", "web"],
    "a name of its own": [*RESOURCE, "--name", "Notes (test)", "--app-id-uri", "https://contoso.com/mcp"],
}


def mcp_entra(*arguments, stdin=""):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MCP_ENTRA_")}
    command = [BINARY, "app-registration", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, env=environment, timeout=60)


def form(name, arguments):
    made = mcp_entra(*arguments, "--as", name)
    assert made.returncode == 0, made.stderr
    return made.stdout


class Directory(unittest.TestCase):
    """With an Azure CLI in the path, whose directory is a file."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        az = self.folder / "az"
        az.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "az"}" "$@"\n')
        az.chmod(0o755)
        self.file = self.folder / "directory.json"
        self.file.write_text("{}")

    def content(self):
        return json.loads(self.file.read_text())

    def application(self):
        (application,) = self.content()["applications"]
        return application

    def state(self):
        return {name: value for name, value in self.content().items() if name != "calls"}

    def shell(self, text):
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "AZ_DIRECTORY": str(self.file)}
        environment.pop("MCP_ENTRA_CLIENT_SECRET_FILE", None)
        return subprocess.run(
            ["bash"], input=text, capture_output=True, text=True, cwd=self.folder, env=environment, timeout=120
        )

    def runs(self, text):
        done = self.shell(text)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def check(self, arguments):
        checked = mcp_entra(*arguments, "--check", "-", "--json", stdin=json.dumps(self.application()))
        self.assertIn(checked.returncode, (0, 1), checked.stderr)
        differences = json.loads(checked.stdout)["differences"]
        self.assertEqual(checked.returncode == 1, any(d["weight"] == "fault" for d in differences))
        return differences

    def register(self, application):
        """A registration that somebody made before."""
        full = {
            "id": "object",
            "appId": CLIENT,
            "displayName": "MCP server mcp.example.com/mcp",
            "identifierUris": [],
            "signInAudience": "AzureADMyOrg",
            "isFallbackPublicClient": None,
            "api": {
                "requestedAccessTokenVersion": None,
                "oauth2PermissionScopes": [],
                "preAuthorizedApplications": [],
            },
            "appRoles": [],
            "web": {"redirectUris": []},
            "spa": {"redirectUris": []},
            "publicClient": {"redirectUris": []},
            "passwordCredentials": [],
        }
        full.update(copy.deepcopy(application))
        self.file.write_text(json.dumps({"applications": [full]}))


class Script(Directory):
    def test_it_makes_a_registration_that_is_right_and_changes_nothing_the_second_time(self):
        for name, arguments in VARIANTS.items():
            with self.subTest(name):
                self.file.write_text("{}")
                (self.folder / "mcp-entra-client-secret").unlink(missing_ok=True)
                script = form("az", arguments)
                said = self.runs(script)
                once = self.state()
                self.assertEqual(self.check(arguments), [])
                self.assertIn(f"--client-id {self.application()['appId']}", said)
                self.assertIn("mcp-entra serve", said)
                self.assertEqual(self.runs(script), said)
                self.assertEqual(self.state(), once)

    def test_shellcheck_has_nothing_to_say(self):
        for name, arguments in VARIANTS.items():
            with self.subTest(name):
                script = form("az", arguments)
                # a $ in a name is one
                command = ["shellcheck", "--shell", "bash", "--exclude", "SC2016", "-"]
                done = subprocess.run(command, input=script, capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_the_secret_is_in_a_file_of_its_own_and_on_no_screen(self):
        said = self.runs(form("az", RESOURCE))
        secret = self.folder / "mcp-entra-client-secret"
        self.assertEqual(secret.read_text(), "the~secret\n")
        self.assertEqual(secret.stat().st_mode & 0o777, 0o600)
        self.assertNotIn("the~secret", said)
        secret.unlink()
        again = self.shell(form("az", RESOURCE))
        self.assertIn("it is not in mcp-entra-client-secret", again.stderr)
        self.assertEqual(len(self.application()["passwordCredentials"]), 1)

    def test_without_redirect_uris_on_the_web_platform_there_is_no_secret(self):
        self.runs(form("az", [*RESOURCE, "--platform", "native"]))
        self.assertEqual(self.application()["passwordCredentials"], [])

    def test_what_was_there_stays_and_keeps_its_ids(self):
        by_hand = {"id": "by hand", "value": "access_as_user", "isEnabled": False, "type": "Admin"}
        by_hand["adminConsentDescription"] = "it's mine"
        other = {**by_hand, "id": "other", "value": "other", "isEnabled": True}
        self.register(
            {
                "identifierUris": ["https://contoso.com/mcp"],
                "api": {"oauth2PermissionScopes": [by_hand, other], "preAuthorizedApplications": []},
                "spa": {"redirectUris": ["http://127.0.0.1/", "https://spa.example.com/"]},
                "web": {"redirectUris": ["cursor://anysphere.cursor-mcp/oauth/callback"]},
                "publicClient": {"redirectUris": ["https://vscode.dev/redirect", "http://localhost/mine"]},
                "passwordCredentials": [{"displayName": "old", "endDateTime": "2000-01-01T00:00:00Z"}],
            }
        )
        script = form("az", RESOURCE)
        self.runs(script)
        application = self.application()
        self.assertEqual(application["identifierUris"], ["https://contoso.com/mcp", f"api://{CLIENT}"])
        scopes = {scope["value"]: scope for scope in application["api"]["oauth2PermissionScopes"]}
        self.assertEqual(scopes["other"], other)
        self.assertEqual(scopes["access_as_user"]["id"], "by hand")
        self.assertEqual(scopes["access_as_user"]["adminConsentDescription"], "it's mine")
        self.assertEqual(application["spa"]["redirectUris"], ["https://spa.example.com/"])
        self.assertIn("http://localhost/mine", application["publicClient"]["redirectUris"])
        self.assertEqual([d for d in self.check(RESOURCE) if d["weight"] == "fault"], [])
        once = self.state()
        self.runs(script)
        self.assertEqual(self.state(), once)

    def test_it_can_be_pasted(self):
        for name in ("all known clients", "everything"):
            self.file.write_text("{}")
            environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "AZ_DIRECTORY": str(self.file)}
            done = subprocess.run(
                ["bash", "--norc", "-i"],
                input=form("az", VARIANTS[name]) + "echo the shell is still there\n",
                capture_output=True,
                text=True,
                cwd=self.folder,
                env=environment,
                timeout=120,
            )
            self.assertNotIn("event not found", done.stderr)
            self.assertIn("the shell is still there", done.stdout)
            self.assertEqual(self.check(VARIANTS[name]), [])

    def test_another_cloud_is_asked_for_and_used(self):
        script = form("az", [*RESOURCE, "--authority", "https://login.microsoftonline.us"])
        done = self.shell(script)
        self.assertEqual(done.returncode, 1)
        self.assertIn("az cloud set --name AzureUSGovernment", done.stderr)
        self.file.write_text('{"cloud": "AzureUSGovernment"}')
        self.runs(script)
        self.assertEqual(self.check(RESOURCE), [])

    def test_two_of_one_name_and_the_wrong_tenant_stop_it_before_anything_changes(self):
        self.register({})
        twins = self.application()
        self.file.write_text(json.dumps({"applications": [twins, {**twins, "appId": "another"}]}))
        done = self.shell(form("az", RESOURCE))
        self.assertEqual(done.returncode, 1)
        self.assertIn("there are several registrations", done.stderr)
        done = self.shell(form("az", [*RESOURCE, "--tenant", "99999999-2222-4333-8444-555555555555"]))
        self.assertEqual(done.returncode, 1)
        self.assertIn("az login --allow-no-subscriptions --tenant 99999999", done.stderr)
        self.assertEqual(self.content()["applications"], [twins, {**twins, "appId": "another"}])

    def test_a_client_id_that_is_not_there_stops_it(self):
        done = self.shell(form("az", [*RESOURCE, "--client-id", CLIENT]))
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.content()["applications"], [])

    def test_an_administrators_consent_is_given_once_and_widened(self):
        arguments = [*RESOURCE, "--admin-consent"]
        self.runs(form("az", arguments))
        self.runs(form("az", [*arguments, "--scope", "access_as_user mcp.write"]))
        scopes = [grant["scope"] for grant in self.content()["grants"]]
        self.assertEqual(scopes, ["access_as_user mcp.write", "openid profile email offline_access"])


class Mends(Directory):
    """Each command of the check, as it is printed, run alone and with all others in any order."""

    BROKEN = {
        "identifierUris": ["api://other"],
        "signInAudience": "AzureADMultipleOrgs",
        "api": {
            "requestedAccessTokenVersion": 1,
            "oauth2PermissionScopes": [
                {
                    "id": "by hand",
                    "value": "access_as_user",
                    "isEnabled": False,
                    "type": "Admin",
                    "adminConsentDescription": "it's \"mine\" for $HOME",
                }
            ],
            "preAuthorizedApplications": [],
        },
        "appRoles": [
            {"id": "role", "value": "Mcp.Call", "isEnabled": False, "allowedMemberTypes": ["User"]},
        ],
        "spa": {"redirectUris": ["http://localhost:8787/callback"]},
        "web": {"redirectUris": ["https://*.example.com/cb", "http://127.0.0.1/"]},
        "publicClient": {"redirectUris": ["https://vscode.dev/redirect"]},
    }
    ARGUMENTS = [
        *("--client", "cursor,vscode", "--tenant", "contoso.com", "--operation-scope", "tools/call=mcp.write"),
        *("--app-role", "Mcp.Call", "--app-role", "Mcp.Other"),
        *("--pre-authorize", "04b07795-8ddb-461a-bbee-02f9e1bf7b46"),
    ]

    def test_they_mend_alone_and_together(self):
        for backwards in (False, True):
            self.register(self.BROKEN)
            differences = [d for d in self.check(self.ARGUMENTS) if d["weight"] == "fault"]
            self.assertGreater(len(differences), 12)
            # a pre-authorization names permissions, which have to be there
            differences.sort(key=lambda d: (d["setting"].endswith("Applications"), d["setting"]))
            ordered = differences[:-1][::-1] + differences[-1:] if backwards else differences
            mended = set()
            for difference in ordered:
                self.runs(difference["command"])
                mended.add((difference["setting"], difference["problem"]))
                left = {(d["setting"], d["problem"]) for d in self.check(self.ARGUMENTS)}
                self.assertEqual(left & mended, set(), difference)
            self.assertEqual(self.check(self.ARGUMENTS), [])

    def test_the_last_redirect_uri_of_a_platform_can_go(self):
        self.register({"web": {"redirectUris": ["http://127.0.0.1/"]}})
        arguments = ["--client", "vscode", "--platform", "native"]
        for difference in self.check(arguments):
            self.runs(difference["command"])
        self.assertEqual(self.application()["web"]["redirectUris"], [])
        self.assertEqual(self.check(arguments), [])


class Templates(unittest.TestCase):
    def test_bicep_says_what_the_json_says(self):
        for name, arguments in VARIANTS.items():
            with self.subTest(name):
                text = form("bicep", arguments)
                (extension,) = [line for line in text.splitlines() if line.startswith("extension ")]
                # the parser knows extensions by alias only
                text = text.replace(extension, "extension microsoftGraphV1")
                resource = BicepParser().parse(text=text)["resources"]["application"]
                self.assertEqual(resource["type"], "Microsoft.Graph/applications")
                self.assertEqual(resource["api_version"], "v1.0")
                said = resource["config"]
                self.assertTrue(said.pop("uniqueName").startswith("mcp-entra-"))
                self.assertEqual(plain(said), json.loads(form("json", arguments)))

    def test_terraform_says_what_the_json_says(self):
        for name, arguments in VARIANTS.items():
            with self.subTest(name):
                wanted = json.loads(form("json", arguments))
                read = hcl2.loads(form("terraform", arguments))
                resources = {}
                for resource in read["resource"]:
                    for kind, named in resource.items():
                        for title, body in named.items():
                            resources[f"{unquoted(kind)}.{unquoted(title)}"] = unquoted(body)
                application = resources["azuread_application.mcp"]
                (api,) = application["api"]
                self.assertEqual(api["requested_access_token_version"], 2)
                self.assertEqual(application["sign_in_audience"], wanted["signInAudience"])
                self.assertEqual(application["fallback_public_client_enabled"], wanted["isFallbackPublicClient"])
                for block, property in (("web", "web"), ("public_client", "publicClient")):
                    uris = [uri for b in application.get(block, []) for uri in b["redirect_uris"]]
                    self.assertEqual(uris, wanted[property]["redirectUris"])
                permission = [
                    {name: scope[name] for name in ("id", "value", "type")} for scope in api["oauth2_permission_scope"]
                ]
                self.assertEqual(
                    permission,
                    [
                        {name: scope[name] for name in ("id", "value", "type")}
                        for scope in wanted["api"]["oauth2PermissionScopes"]
                    ],
                )
                roles = [role["value"] for role in application.get("app_role", [])]
                self.assertEqual(roles, [role["value"] for role in wanted.get("appRoles", [])])
                password = "azuread_application_password.mcp" in resources
                self.assertEqual(password, wanted["web"]["redirectUris"] != [])


def plain(value):
    """A value of the Bicep parser as JSON."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items() if not name.startswith("__")}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return value.replace("\\$", "$").replace("\\'", "'").replace("\\\\", "\\")
    return value


def unquoted(value):
    """A value of the HCL parser as JSON."""
    if isinstance(value, dict):
        return {unquoted(name): unquoted(item) for name, item in value.items() if not name.startswith("__")}
    if isinstance(value, list):
        return [unquoted(item) for item in value]
    if isinstance(value, str):
        text = value[1:-1] if value.startswith('"') else value
        return text.replace("$${", "${").replace("%%{", "%{").replace('\\"', '"')
    return value


if __name__ == "__main__":
    unittest.main()
