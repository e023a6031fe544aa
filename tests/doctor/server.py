"""FastMCP's AzureProvider as its documentation has it, for `peers.py`: AUTHORITY, PORT."""

import sys

from fastmcp import FastMCP
from fastmcp.server.auth.providers.azure import AzureProvider

TENANT = "11111111-2222-4333-8444-555555555555"
CLIENT = "99999999-8888-4777-8666-555555555555"

authority, port = sys.argv[1], int(sys.argv[2])
provider = AzureProvider(
    client_id=CLIENT,
    client_secret="the-client-secret-of-the-registration",
    tenant_id=TENANT,
    base_authority=authority,
    required_scopes=["access_as_user"],
    base_url=f"http://127.0.0.1:{port}",
    require_authorization_consent="--consent" in sys.argv,
)
# it knows https only, and the stand-in has no TLS
provider._upstream_authorization_endpoint = provider._upstream_authorization_endpoint.replace("https:", "http:", 1)
FastMCP("notes", auth=provider).run(transport="http", host="127.0.0.1", port=port, show_banner=False)
