"""What every tidy test needs: the files of the project, and a way to report.

A tidy test is a function that takes a Report and calls report.problem() for everything that is wrong.
`run(name, function)` prints a cmocka-like line and gives the exit code.
"""

import os
import re
import subprocess
import sys

ROOT = os.environ.get("ARVO_SOURCE_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Report:
    def __init__(self):
        self.problems = []

    def problem(self, where, what):
        self.problems.append(f"{where}: {what}")


class Skip(Exception):
    """This machine cannot run the test; the text says why."""


def tracked():
    """Paths of the project's files, relative to its root: what git tracks, else everything there is."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode == 0:
        paths = [path for path in listing.stdout.decode().split("\0") if path]
    else:  # a source archive
        paths = []
        for folder, folders, files in os.walk(ROOT):
            folders[:] = [name for name in folders if not name.startswith(("build", ".git"))]
            paths += [os.path.relpath(os.path.join(folder, name), ROOT) for name in files]
    return sorted(path for path in paths if os.path.isfile(os.path.join(ROOT, path)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def read_bytes(path):
    with open(os.path.join(ROOT, path), "rb") as file:
        return file.read()


def c_files(*folders):
    return [
        path
        for path in tracked()
        if path.endswith((".c", ".h")) and (not folders or path.split("/")[0] in folders)
    ]


def code_lines(text):
    """Lines of C with comments and the insides of string and character literals blanked."""
    token = re.compile(
        r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL
    )

    def blank(match):
        found = match.group(0)
        if found[0] == '"' or found[0] == "'":
            return found[0] + " " * (len(found) - 2) + found[0]
        return re.sub(r"[^\n]", " ", found)

    return token.sub(blank, text).split("\n")


def run(name, function):
    report = Report()
    print(f"[ RUN      ] {name}")
    try:
        function(report)
    except Skip as reason:
        print(f"[  SKIPPED ] {name}: {reason}")
        return 0
    for problem in report.problems:
        print(problem)
    print(f"[  FAILED  ] {name}" if report.problems else f"[       OK ] {name}")
    return 1 if report.problems else 0


def main(**functions):
    sys.exit(max(run(name, function) for name, function in functions.items()))
