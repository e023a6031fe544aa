"""What a client did, read off the wire and not from its own words."""

COLUMNS = ["discovery", "registration", "sign-in", "token", "tool call", "refresh without scope", "step-up"]
OK = "ok"


def is_document(exchange, name):
    return exchange.method == "GET" and name in exchange.path and exchange.status == 200


def token_requests(exchanges, grant):
    return [e for e in exchanges if e.path == "/oauth/token" and e.method == "POST" and e.form.get("grant_type") == grant]


def sign_ins(exchanges):
    return [e for e in exchanges if e.path == "/oauth/authorize"]


def discovery(exchanges):
    resource = any(is_document(e, "/.well-known/oauth-protected-resource") for e in exchanges)
    names = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]
    server = any(is_document(e, name) for e in exchanges for name in names)
    if resource and server:
        return OK
    return "server's only" if server else "no"


def registration(exchanges):
    answers = [e.status for e in exchanges if e.path == "/oauth/register" and e.method == "POST"]
    if not answers:
        return "no"
    return OK if answers[-1] == 201 else str(answers[-1])


def sign_in(exchanges):
    asked = sign_ins(exchanges)
    if not asked:
        return "no"
    if asked[-1].status != 302:
        return str(asked[-1].status)
    return OK if token_requests(exchanges, "authorization_code") else "no code"


def token(exchanges):
    answers = [e.status for e in token_requests(exchanges, "authorization_code")]
    if not answers:
        return "no"
    return OK if answers[-1] == 200 else str(answers[-1])


def tool_call(said):
    return OK if said.get("text") == "Hello, Ada!" else "no"


def refresh(exchanges, said):
    """`exchanges`: those since the access token expired."""
    asked = token_requests(exchanges, "refresh_token")
    if not asked:
        return "signs in anew" if sign_ins(exchanges) else "no"
    if asked[-1].status != 200:
        return str(asked[-1].status)
    if sign_ins(exchanges) or tool_call(said) != OK:
        return "no use"
    return "ok, with scope" if "scope" in asked[-1].form else OK


def step_up(exchanges, said):
    """`exchanges`: those since the tool was called that needs a further scope."""
    deleted = said.get("text") == "Deleted the note of Ada."
    challenges = [e.answer_headers.get("www-authenticate", "") for e in exchanges if e.status == 403]
    if not any("insufficient_scope" in challenge for challenge in challenges):
        return "not needed" if deleted else "no challenge"
    if deleted:
        return OK
    asked = [e for e in sign_ins(exchanges) if "mcp.write" in e.query.get("scope", "")]
    if asked:
        return "asks in vain"
    return "refreshes only" if token_requests(exchanges, "refresh_token") else "no"


def table(rows):
    """`rows`: a name, its cells, and what was expected of them."""
    lines = [["client", *COLUMNS], *[[name, *[cells[c] for c in COLUMNS]] for name, cells, _ in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines)


def surprises(name, cells, expected):
    """Cells that are not as expected; what is not written down is expected to be ok."""
    for column in COLUMNS:
        wanted = expected.get(column, {}).get("value", OK)
        if cells[column] != wanted:
            yield f"{name}: {column} is '{cells[column]}', expected '{wanted}'"
