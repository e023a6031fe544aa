"""Drives everything, prints the tables, and fails if any cell is not the expected one."""

import argparse
import shutil
import sys
import time
from pathlib import Path

import cells
import conformance
import profiles
import real
import refusals


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("clients", nargs="*", help="names as in clients.json and profiles.json; all if none")
    options = parser.parse_args()
    shutil.rmtree(options.logs, ignore_errors=True)
    options.logs.mkdir(parents=True)
    wanted, start = set(options.clients), time.monotonic()

    def show(title, text):
        """On the terminal, and in a file for the README."""
        print(f"\n{title}\n\n{text}\n", flush=True)
        with open(options.logs / "tables.md", "a") as file:
            file.write(f"## {title}\n\n{text}\n\n")

    surprises = []
    for title, suite in [("real clients", real), ("profiles of closed clients", profiles)]:
        rows, found = suite.run(wanted, options.logs)
        surprises += found
        if rows:
            show(title, cells.table(rows))
    for title, suite in [("conformance suite", conformance), ("refusals that users report", refusals)]:
        if not wanted or suite.__name__ in wanted:
            text, found = suite.run(options.logs)
            surprises += found
            show(title, text)

    for surprise in surprises:
        print(f"NOT EXPECTED  {surprise}")
    print(f"{len(surprises)} surprises in {time.monotonic() - start:.0f} s; logs in {options.logs.name}/")
    sys.exit(bool(surprises))


if __name__ == "__main__":
    main()
