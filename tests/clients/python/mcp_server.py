"""The MCP server behind mcp-entra: somebody else's implementation, with no authorization of its own."""

import sys

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("notes", log_level="WARNING")


@server.tool()
def greet(ctx: Context) -> str:
    """Greets the caller by the name that mcp-entra vouches for."""
    return f"Hello, {(ctx.headers or {}).get('mcp-entra-name', 'nobody')}!"


@server.tool()
def delete_note(ctx: Context) -> str:
    """Deletes the caller's note."""
    return f"Deleted the note of {(ctx.headers or {}).get('mcp-entra-name', 'nobody')}."


server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]), streamable_http_path="/mcp")
