"""A client on the Python SDK: ClientSession or Client, with OAuthClientProvider and storage in memory."""

import asyncio
import sys
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).parent.parent))
from browser import callback_of
from steps import serve

from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import OAuthClientMetadata

URL = sys.argv[1]
MAJOR = int(version("mcp").split(".")[0])


class Memory:
    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Browser:
    async def redirect(self, url):
        self.callback = await asyncio.to_thread(callback_of, url)

    async def answer(self):
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.callback).query).items()}
        if MAJOR == 1:
            return query.get("code", ""), query.get("state")
        from mcp.shared.auth import AuthorizationCodeResult

        return AuthorizationCodeResult(code=query.get("code", ""), state=query.get("state"), iss=query.get("iss"))


def provider():
    browser = Browser()
    metadata = OAuthClientMetadata(
        client_name="A client on the Python SDK",
        redirect_uris=["http://localhost:8787/callback"],
        grant_types=["authorization_code", "refresh_token"],
        token_endpoint_auth_method="none",
    )
    return OAuthClientProvider(URL, metadata, Memory(), browser.redirect, browser.answer)


def text(result):
    return result.content[0].text


@asynccontextmanager
async def version_1():
    from mcp.client.streamable_http import streamablehttp_client

    async with streamablehttp_client(URL, auth=provider()) as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()

            async def call(tool):
                return text(await session.call_tool(tool, {}))

            yield call


@asynccontextmanager
async def version_2():
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import create_mcp_http_client

    async with create_mcp_http_client(auth=provider()) as http:
        async with Client(streamable_http_client(URL, http_client=http)) as client:

            async def call(tool):
                return text(await client.call_tool(tool, {}))

            yield call


asyncio.run(serve(version_1 if MAJOR == 1 else version_2))
