"""An MCP host over standard input and output, for clients that are a bridge: `stdio_client.py COMMAND…`.

A tool's name comes in as a line, what it said goes out as a line of JSON.
"""

import json
import subprocess
import sys
import threading
from queue import Empty, Queue


class Bridge:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answers = Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.ids = 0

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            if "id" in message and "method" not in message:
                self.answers.put(message)
        self.answers.put(None)

    def send(self, **message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        self.ids += 1
        self.send(id=self.ids, method=method, params=params)
        while True:
            answer = self.answers.get(timeout=40)
            if answer is None:
                raise RuntimeError("the bridge ended")
            if answer["id"] != self.ids:
                continue
            if "error" in answer:
                raise RuntimeError(answer["error"]["message"])
            return answer["result"]

    def initialize(self):
        host = {"name": "clients-test", "version": "1"}
        self.ask("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": host})
        self.send(method="notifications/initialized")


def main():
    bridge = Bridge(sys.argv[1:])
    initialized = False
    for line in sys.stdin:
        tool = line.strip()
        try:
            if not initialized:
                bridge.initialize()
                initialized = True
            result = bridge.ask("tools/call", {"name": tool, "arguments": {}})
            text = result["content"][0]["text"]
            said = {"error": text} if result.get("isError") else {"text": text}
        except (RuntimeError, Empty, OSError) as error:
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"tool": tool, **said}), flush=True)
    bridge.process.terminate()


if __name__ == "__main__":
    main()
