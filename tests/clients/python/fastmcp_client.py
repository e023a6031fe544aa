"""The FastMCP client with its own OAuth helper; $BROWSER is what it opens."""

import asyncio
import sys
from contextlib import asynccontextmanager

from fastmcp import Client
from steps import serve


@asynccontextmanager
async def connect():
    async with Client(sys.argv[1], auth="oauth") as client:

        async def call(tool):
            return (await client.call_tool(tool, {})).content[0].text

        yield call


asyncio.run(serve(connect))
