"""Drives everything, prints the tables, and fails if any cell is not the expected one."""

import argparse
import shutil
import sys
import time
from pathlib import Path

import cells
import conformance
import profiles
import readme
import real
import refusals


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("clients", nargs="*", help="names as in clients.json and profiles.json; all if none")
    parser.add_argument("--readme", action="store_true", help="write the tables into README.md")
    options = parser.parse_args()
    if options.readme and options.clients:
        parser.error("--readme needs all clients")
    shutil.rmtree(options.logs, ignore_errors=True)
    options.logs.mkdir(parents=True)
    wanted, start = set(options.clients), time.monotonic()

    def show(title, text):
        """On the terminal, and in a file beside the logs."""
        print(f"\n{title}\n\n{text}\n", flush=True)
        with open(options.logs / "tables.md", "a") as file:
            file.write(f"## {title}\n\n{text}\n\n")

    surprises, tables = [], []
    for title, suite in [("real clients", real), ("profiles of closed clients", profiles)]:
        rows, found = suite.run(wanted, options.logs)
        surprises += found
        if rows:
            show(title, cells.table(rows))
            tables.append((title, rows))
    for title, suite in [("conformance suite", conformance), ("refusals that users report", refusals)]:
        if not wanted or suite.__name__ in wanted:
            text, found = suite.run(options.logs)
            surprises += found
            show(title, text)

    if options.readme and not surprises:
        readme.write(tables)
    elif not wanted and not surprises:
        surprises += readme.surprises(tables)
    for surprise in surprises:
        print(f"NOT EXPECTED  {surprise}")
    print(f"{len(surprises)} surprises in {time.monotonic() - start:.0f} s; logs in {options.logs.name}/")
    sys.exit(bool(surprises))


if __name__ == "__main__":
    main()
