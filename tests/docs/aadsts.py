"""The page of the AADSTS codes: what `mcp-entra explain` says, as a table."""

import re
import subprocess
from pathlib import Path

PAGE = "docs/aadsts.md"
BETWEEN = re.compile(r"(<!-- codes: begin -->\n).*(<!-- codes: end -->\n)", re.DOTALL)


def table(binaries: Path, root: Path) -> str:
    source = (root / "core/src/aadsts/codes.rs").read_text()
    codes = re.findall(r"^    (\d+) [A-Z]\w+ [A-Z]\w+$", source, re.MULTILINE)
    command = [binaries / "mcp-entra", "explain", *(f"AADSTS{code}" for code in codes)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = ["", "| code | what it means here | what mends it | where |", "|---|---|---|---|"]
    for code, cause, rest in re.findall(r"^AADSTS(\d+): (.*)\n((?:  .*\n)*)", said, re.MULTILINE):
        parts = dict(re.findall(r"^  (\w+) +(.*)$", rest, re.MULTILINE))
        parts.setdefault("where", "")
        rows.append(f"| AADSTS{code} | {cause} | {parts['mend']} | {parts['where']} |")
    if len(rows) - 3 != len(codes):
        raise ValueError(f"{len(codes)} codes, but {len(rows) - 3} explanations")
    return "\n".join(rows).replace("<", "&lt;") + "\n\n"


def written(page: str, rows: str) -> str:
    return BETWEEN.sub(lambda found: found[1] + rows + found[2], page)
