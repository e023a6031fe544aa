"""For clients that are a command: `per_call.py COMMAND…` runs it for each tool, whose name stands for `TOOL`.

A tool's name comes in as a line, what it said goes out as a line of JSON.
"""

import json
import re
import subprocess
import sys

for line in sys.stdin:
    tool = line.strip()
    command = [tool if part == "TOOL" else part for part in sys.argv[1:]]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    print(done.stderr, file=sys.stderr, flush=True)
    text = re.search(r'"text":\s*"([^"]*)"', done.stdout)
    said = {"text": text[1]} if text else {"error": done.stdout.strip() or done.stderr.strip()}
    print(json.dumps({"tool": tool, **said}), flush=True)
