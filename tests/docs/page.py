"""A Markdown page: its headings, links and fenced blocks, with their lines."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    # the info string's first word, and the rest of it
    language: str
    marks: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


class Page:
    def __init__(self, path: Path, root: Path):
        self.path = path
        self.name = path.relative_to(root)
        self.blocks: list[Block] = []
        prose = []
        fence = None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            opening = re.match(r"( *)(`{3,})(.*)$", line)
            if fence is None and opening:
                indent, fence, info = opening.groups()
                words, start, lines = info.split(), number, []
            elif fence is not None and line.strip() == fence:
                language, *marks = words or [""]
                text = "\n".join(line.removeprefix(indent) for line in lines)
                self.blocks.append(Block(self.name, start, language, tuple(marks), text))
                fence = None
            elif fence is not None:
                lines.append(line)
            else:
                prose.append((number, line))
        if fence is not None:
            raise ValueError(f"{self.name}:{start}: the block has no end")
        self.prose = prose

    def anchors(self) -> set[str]:
        """What a heading is called in a link: as GitHub derives it."""
        found: set[str] = set()
        for _, line in self.prose:
            if heading := re.match(r"#+ +(.*)$", line):
                text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
                anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
                number = next(n for n in range(99) if (f"{anchor}-{n}" if n else anchor) not in found)
                found.add(f"{anchor}-{number}" if number else anchor)
        return found

    def links(self):
        """Each link with its line; code is not looked at."""
        for number, line in self.prose:
            for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
                yield number, target
