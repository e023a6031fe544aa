"""The table, the plot, and the README's section between its two markers."""

import os
import pathlib
import platform
import subprocess

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
MIB = 1024 * 1024

# the result's name, what is compared, and the most that it may be
ROWS = [
    ("protected-resource metadata", "the fixed answer", 1.10),
    ("authorization-server metadata", "the fixed answer", 1.10),
    ("challenge", "the fixed answer", 1.10),
    ("authorize", "the fixed answer", 1.40),
    ("register", "the fixed answer", 1.40),
    ("token", "the proxy, pooled TLS", 1.15),
    ("call, token seen", "the proxy", 1.10),
    ("call, token never seen", "the proxy with an RS256 check", 1.05),
    ("streamed event", "the proxy", None),
    ("cold start", "the fixed answer's", 1.50),
    ("memory", "the proxy's", 1.50),
]
NOT_MET = "**not met**, [why](docs/performance.md#what-the-rest-is)"
NAMES = {
    "call, token seen": "MCP call, token seen before",
    "call, token never seen": "MCP call, token never seen",
    "cold start": "cold start, Entra 100 ms away",
    "memory": "memory, 1,000 idle streams",
    "token": "token request",
}


def amount(name, value):
    if name == "cold start":
        return f"{value:.1f} ms"
    if name == "memory":
        return f"{value / MIB:.1f} MiB"
    return f"{value:.2f} µs" if value < 10 else f"{value:.1f} µs"


def table(results):
    lines = [
        "| | mcp-entra | bare hyper | ratio | spread | at most | |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, baseline, most in ROWS:
        result = results[name]
        spread = "–".join(f"{bound:.2f}" for bound in result.get("spread", []))
        met = "" if most is None else "met" if round(result["ratio"], 2) <= most else NOT_MET
        bound = "" if most is None else f"{most:.2f}"
        lines.append(
            f"| {NAMES.get(name, name)} | {amount(name, result['ours'])} | {amount(name, result['bare'])}, {baseline} "
            f"| {result['ratio']:.2f} | {spread} | {bound} | {met} |"
        )
    size = results["binary"]["ours"] / MIB
    met = "met" if size < 8 else NOT_MET
    lines.append(f"| the binary, stripped | {size:.1f} MiB | | | | 8 MiB | {met} |")
    return "\n".join(lines)


def gains(results):
    seen, never = (results[f"call, token {which}"]["ours"] for which in ("seen", "never seen"))
    pool = results["pool"]
    return (
        f"A token that was seen before saves {never - seen:.0f} µs of {never:.0f} µs. A "
        f"pooled TLS connection makes a token request cost {pool['bare']:.0f} µs, one that is opened anew "
        f"{pool['ours']:.0f} µs, beside the journeys to Entra ID."
    )


def curves(results):
    """Each curve in a sentence: what a call costs at four sizes."""
    sentences = []
    for name, points in results["curves"].items():
        costs = ", ".join(f"{cost:.1f} µs with {size:,}" for size, cost in points)
        sentences.append(f"By {name}, a call costs {costs}.")
    return " ".join(sentences)


def machine():
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    compiler = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return f"{model}, {os.cpu_count()} cores shared with others, Linux, Rust {compiler}"


def write(root: pathlib.Path, results, short):
    command = "tests/bench/run --short --readme" if short else "tests/bench/run --readme"
    (root / "docs").mkdir(exist_ok=True)
    (root / "docs" / "cost.svg").write_text(plot(results))
    section = "\n".join(
        [
            BEGIN,
            "",
            "![Processor time beside bare hyper, by kind of request](docs/cost.svg)",
            "",
            table(results),
            "",
            gains(results),
            "",
            curves(results),
            "",
            f"Measured by `{command}` on {machine()}: processor time for each request as the operating "
            "system counts it, one core, 32 connections, short runs in turns; the median of the runs' ratios, the least "
            "and the most. Read the ratios, not the microseconds.",
            "",
            END,
        ]
    )
    readme = root / "README.md"
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    readme.write_text(before + section + rest.split(END)[1])


STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.small { font-size: 11px; fill: #57606a }
.title { font-size: 15px; font-weight: 600 }
.bare { fill: #8c959f } .ours { fill: #0969da } .over { fill: #bc4c00 }
.limit { stroke: #24292f; stroke-width: 2 } .spread { stroke: #24292f; stroke-opacity: .55 }
.axis { stroke: #d0d7de }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 }
  .bare { fill: #656c76 } .ours { fill: #4493f8 } .over { fill: #f0883e }
  .limit { stroke: #e6edf3 } .spread { stroke: #e6edf3 } .axis { stroke: #3d444d }
}
"""


def plot(results):
    """A bar for each row: how often bare hyper's cost. A mark where it may end."""
    left, width, row, top = 250, 430, 30, 74
    largest = max([most for *_, most in ROWS if most] + [bound for name, *_ in ROWS for bound in bounds(results[name])])
    ceiling = max(2.0, min(4.0, largest * 1.05))

    def x(ratio):
        return left + min(ratio, ceiling) / ceiling * width

    height = top + row * len(ROWS) + 34
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 70} {height}" role="img"'
        ' aria-label="Cost of mcp-entra as a multiple of bare hyper">',
        f"<style>{STYLE}</style>",
        '<text x="12" y="26" class="title">What mcp-entra costs, as a multiple of bare hyper</text>',
        '<text x="12" y="46" class="small">Bar: the median. Thin line: the spread. Thick mark: the most that it may be. '
        "Shorter is better; 1 is bare hyper.</text>",
    ]
    for tick in range(int(ceiling) + 1):
        out.append(f'<line class="axis" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top - 12}" y2="{height - 28}"/>')
        out.append(f'<text class="small" text-anchor="middle" x="{x(tick):.1f}" y="{height - 12}">{tick}×</text>')
    for index, (name, _, most) in enumerate(ROWS):
        y, ratio = top + index * row, results[name]["ratio"]
        kind = "over" if most and round(ratio, 2) > most else "ours"
        out.append(f'<text x="{left - 12}" y="{y + 10}" text-anchor="end">{NAMES.get(name, name)}</text>')
        out.append(f'<rect class="{kind}" x="{left}" y="{y - 3}" width="{x(ratio) - left:.1f}" height="17" rx="2"/>')
        low, high = bounds(results[name])
        out.append(f'<line class="spread" x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y + 5.5}" y2="{y + 5.5}"/>')
        if most:
            out.append(f'<line class="limit" x1="{x(most):.1f}" x2="{x(most):.1f}" y1="{y - 6}" y2="{y + 17}"/>')
        end = max(x(ratio), x(most or 0), x(high)) + 8
        out.append(f'<text x="{end:.1f}" y="{y + 10}">{ratio:.2f}</text>')
    out.append(f'<line class="limit" x1="{x(1):.1f}" x2="{x(1):.1f}" y1="{top - 12}" y2="{height - 28}" stroke-dasharray="2 4"/>')
    return "\n".join([*out, "</svg>", ""])


def bounds(result):
    return result.get("spread", [result["ratio"]] * 2)
