"""The README's section on clients, between its markers: what was measured, and why a cell is not ok."""

from cells import COLUMNS, OK
from world import HERE

README = HERE.parent.parent / "README.md"
BEGIN, END = "<!-- clients: begin -->\n", "<!-- clients: end -->\n"


def table(heading, rows):
    lines = [[heading, *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    lines += [[name, *[found[column] for column in COLUMNS]] for name, found, _ in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def reasons(rows):
    """An item for each reason, with all clients that it holds for."""
    items = {}
    for name, found, expected in rows:
        for column in COLUMNS:
            if found[column] != OK:
                reason = expected[column]
                key = (column, found[column], reason["why"], reason["link"])
                items.setdefault(key, []).append(name)
    return "\n".join(
        f"- {'; '.join(names)}: {column} is *{value}*. {why} ([source]({link}))"
        for (column, value, why, link), names in items.items()
    )


def section(tables):
    """`tables`: a heading for the clients' names, and the rows."""
    rows = [row for _, rows in tables for row in rows]
    parts = [table(heading, rows) for heading, rows in tables] + [reasons(rows)]
    return BEGIN + "\n" + "\n\n".join(parts) + "\n\n" + END


def split():
    """The README before, in and after the section."""
    text = README.read_text()
    begin, end = text.index(BEGIN), text.index(END) + len(END)
    return text[:begin], text[begin:end], text[end:]


def write(tables):
    before, _, after = split()
    README.write_text(before + section(tables) + after)


def surprises(tables):
    if split()[1] != section(tables):
        yield "README.md shows other clients or cells than were measured; `tests/clients/run --readme` writes them"
