"""python3 bicep.py FILE...: parses each Bicep file, and finds parameters, variables and resources that nothing uses.

Bicep's compiler is in no package registry that CI may rely on, so types and API versions are not checked here.
"""

import re
import sys
from pathlib import Path

import pycep


def faults(path: Path):
    text = path.read_text()
    try:
        file = pycep.BicepParser().parse(text=text)
    except Exception as error:  # what the grammar does not know has many types
        yield f"it does not parse: {error}"
        return
    code = re.sub(r"//.*", "", text)
    for kind in ("parameters", "variables"):
        for name in file.get(kind, {}):
            if len(re.findall(rf"\b{name}\b", code)) < 2:
                yield f"{name} is used nowhere"
    if re.search(r"^\s*(WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES|cors|corsPolicy)\b", code, re.MULTILINE):
        yield "the platform must neither serve metadata of its own nor answer preflight requests"


def main(paths: list[str]) -> int:
    found = [f"{path}: {fault}" for path in paths for fault in faults(Path(path))]
    print("\n".join(found) or f"{len(paths)} Bicep files parse")
    return 1 if found or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
