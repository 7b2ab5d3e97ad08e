#!/usr/bin/env python3
"""Rules for every file: white space, paths of one machine, formatting, nothing that nothing uses."""

import os
import re
import shutil
import subprocess

import tree

# Inputs on purpose broken, or bytes: not held to the rules for text.
DATA = re.compile(r"^(fuzz/corpus/|tests/data/|tests/[a-z]+/data/)")


def text_files():
    return [path for path in tree.tracked() if not DATA.match(path)]


def white_space(report):
    for path in text_files():
        data = tree.read_bytes(path)
        if not data:
            report.problem(path, "is empty")
            continue
        if b"\r" in data:
            report.problem(path, "has carriage returns")
        if not data.endswith(b"\n") or data.endswith(b"\n\n"):
            report.problem(path, "must end with one newline")
        for number, line in enumerate(data.split(b"\n"), 1):
            if line != line.rstrip():
                report.problem(f"{path}:{number}", "has white space at its end")
            if b"\t" in line and not path.endswith("Makefile"):
                report.problem(f"{path}:{number}", "has a tab")


MACHINE_PATH = re.compile(r"(?<![\w./$}])/(?:home|root|work|Users)/[\w.-]+")


def machine_paths(report):
    """A path that exists on one machine only helps nobody else."""
    for path in text_files():
        if path == "tests/tidy/check_files.py":
            continue
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            match = MACHINE_PATH.search(line)
            if match:
                report.problem(f"{path}:{number}", f"names {match.group(0)}, a path of one machine")


UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def unfinished(report):
    for path in text_files():
        if path.startswith("tests/tidy/"):
            continue
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            if UNFINISHED.search(line):
                report.problem(f"{path}:{number}", f"{UNFINISHED.search(line).group(0)}: finish it, or file an issue")


def formatting(report):
    if not shutil.which("clang-format"):
        raise tree.Skip("clang-format is not installed")
    version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True, check=True).stdout
    if " 14." not in version:
        raise tree.Skip(f"needs clang-format 14; here is {version.strip()}")
    result = subprocess.run(
        ["clang-format", "--dry-run", "-Werror", *tree.c_files()], cwd=tree.ROOT, capture_output=True, text=True, check=False
    )
    wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", result.stderr, re.MULTILINE)))
    for path in wrong:
        report.problem(path, "is not formatted: make format")
    if result.returncode and not wrong:
        report.problem("clang-format", result.stderr.strip()[:300])


# Read by name by tools outside the project, or by people.
ENTRIES = {
    ".clang-format", ".clang-tidy", ".editorconfig", ".gitignore", ".ci/run", "LICENSE", "README.md", "Makefile", "meson.build",
    "CHANGELOG.md", "CONTRIBUTING.md", "meson_options.txt",
}


def is_referenced(path, texts):
    name = os.path.basename(path)
    stem = re.sub(r"^(test|fuzz|bench)_", "", name.rsplit(".", 1)[0])
    folder = os.path.dirname(path)
    for other, text in texts.items():
        if other == path:
            continue
        if name in text or (folder.count("/") and folder in text):
            return True
        # Lists of tests and fuzz targets hold the bare name.
        if other.endswith("meson.build") and f"'{stem}'" in text:
            return True
        # A package of examples is given whole: "examples/purchase".
        if path.startswith("examples/") and "/".join(path.split("/")[:2]) in text and folder != "examples":
            return True
    return False


def unreferenced(report):
    """A file that no other file names is dead, or its list forgot it."""
    texts = {path: tree.read(path) for path in text_files()}
    for path in texts:
        name = os.path.basename(path)
        if path in ENTRIES or name == "meson.build" or name == "README.md":
            continue
        if not is_referenced(path, texts):
            report.problem(path, "is named nowhere: use it, list it, or remove it")
    corpora = {path.split("/")[2] for path in tree.tracked() if path.startswith("fuzz/corpus/")}
    for name in sorted(corpora):
        if f"'{name}'" not in texts["fuzz/meson.build"]:
            report.problem(f"fuzz/corpus/{name}", "has no target in fuzz/meson.build")


if __name__ == "__main__":
    tree.main(
        white_space=white_space,
        machine_paths=machine_paths,
        unfinished=unfinished,
        formatting=formatting,
        unreferenced=unreferenced,
    )
