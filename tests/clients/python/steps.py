"""What every client is asked to do: a tool's name comes in as a line, what it said goes out as a line of JSON."""

import asyncio
import json
import sys
import traceback


def tell(**said):
    print(json.dumps(said), flush=True)


def root(error):
    """The exception inside a group, which is the one that says something."""
    while getattr(error, "exceptions", None):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


async def serve(connect):
    """`connect` gives an asynchronous context manager of a function that calls a tool."""
    try:
        async with connect() as call:
            while tool := (await asyncio.to_thread(sys.stdin.readline)).strip():
                try:
                    tell(tool=tool, text=await asyncio.wait_for(call(tool), 30))
                except Exception as error:
                    traceback.print_exc()
                    tell(tool=tool, error=root(error))
    except BaseException as error:
        traceback.print_exc()
        tell(error=root(error))
