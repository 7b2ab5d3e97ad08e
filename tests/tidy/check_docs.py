#!/usr/bin/env python3
"""What the Markdown pages claim: links lead somewhere, commands run, programs shown are the ones we build.

    check_docs.py ARVO

A comment on the line before a fenced block says what the test does with it:

    <!-- run -->            ```sh: run it (bash -eu) in a copy of the tree's examples, with build/arvo there; the
                            blocks of one page share a folder and run in order
    <!-- run: 1 -->         the same, and the last command's exit code must be 1
    <!-- prints -->         what the block before it printed; a line `...` stands for any number of lines
    <!-- file: NAME -->     written to NAME in that folder before what follows runs
    <!-- same: PATH -->     must equal the project's file

Any other ```sh block is only read: every `make TARGET` and `arvo VERB` in it must exist.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import tree

COMMAND = os.path.abspath(sys.argv[1])
SECONDS_MAX = 120


def pages():
    return [path for path in tree.tracked() if path.endswith(".md")]


def slug(heading):
    """The anchor that GitHub makes of a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def without_code(text):
    text = re.sub(r"^```.*?^```", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(path):
    """Anchors of a page; of any other file none are known, so all are accepted."""
    seen, found = {}, set()
    text = re.sub(r"^```.*?^```", "", tree.read(path), flags=re.DOTALL | re.MULTILINE)
    for heading in re.findall(r"^#+ +(.*)$", text, re.MULTILINE):
        name = slug(heading)
        count = seen.get(name, 0)
        seen[name] = count + 1
        found.add(name if count == 0 else f"{name}-{count}")
    return found


def links(report):
    for path in pages():
        for number, line in enumerate(without_code(tree.read(path)).split("\n"), 1):
            for target in re.findall(r"\]\(([^)\s]+)\)", line):
                where = f"{path}:{number}"
                if re.match(r"[a-z]+:", target):
                    continue
                file, _, anchor = target.partition("#")
                goal = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
                if not os.path.exists(os.path.join(tree.ROOT, goal)):
                    report.problem(where, f"links to {target}, which is not there")
                elif anchor and goal.endswith(".md") and anchor not in anchors(goal):
                    report.problem(where, f"links to {target}, which has no such heading")


class Block:
    def __init__(self, path, line, language, mark, text):
        self.where, self.language, self.mark, self.text = f"{path}:{line}", language, mark, text


def blocks(path):
    lines = tree.read(path).split("\n")
    found, at = [], 0
    while at < len(lines):
        fence = re.match(r"(\s*)```(\w*)", lines[at])
        if not fence:
            at += 1
            continue
        before = lines[at - 1].strip() if at else ""
        mark = re.fullmatch(r"<!-- (.*?) -->", before)
        start = at + 1
        at = start
        while at < len(lines) and not lines[at].strip().startswith("```"):
            at += 1
        indent = len(fence.group(1))
        text = "".join(line[indent:] + "\n" for line in lines[start:at])
        found.append(Block(path, start, fence.group(2), mark.group(1) if mark else "", text))
        at += 1
    return found


def known_names():
    makefile = tree.read("Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = subprocess.run([COMMAND, "help"], capture_output=True, text=True, check=False).stdout
    return targets, set(re.findall(r"^  ([a-z-]+) ", text, re.MULTILINE))


def commands(report):
    """Commands that are shown and not run are at least there."""
    targets, verbs = known_names()
    for path in pages():
        for block in blocks(path):
            if block.language not in ("sh", "bash", "console"):
                continue
            code = "\n".join(line.split(" #")[0] for line in block.text.split("\n"))
            for target in re.findall(r"(?:^|[;&|]\s*)make ([a-z-]+)", code, re.MULTILINE):
                if target not in targets:
                    report.problem(block.where, f"make {target}: no such target")
            for verb in re.findall(r"(?:^|[;&|(]\s*)(?:build/)?arvo ([a-z][a-z-]*)", code, re.MULTILINE):
                if verb not in verbs:
                    report.problem(block.where, f"arvo {verb}: no such verb")


def matches(expected, printed):
    """Line by line; a line `...` in `expected` stands for any number of lines, and `…` for any part of a line."""
    pattern = ""
    for line in expected.rstrip("\n").split("\n"):
        if line.strip() == "...":
            pattern += r"(?:.*\n)*"
        else:
            pattern += re.escape(line.rstrip()).replace("…", ".*") + r"[ \t]*\n"
    return re.fullmatch(pattern, printed.rstrip("\n") + "\n") is not None


def make_folder(folder):
    os.makedirs(os.path.join(folder, "build"))
    os.symlink(COMMAND, os.path.join(folder, "build", "arvo"))
    for path in tree.tracked():
        if path.startswith("examples/"):
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            shutil.copy(os.path.join(tree.ROOT, path), os.path.join(folder, path))


def run_block(report, block, folder):
    wanted = int(block.mark.partition(":")[2] or 0)
    environment = {**os.environ, "PATH": os.path.join(folder, "build") + os.pathsep + os.environ["PATH"], "NO_COLOR": "1"}
    environment["ARVO_TREE"] = tree.ROOT
    try:
        result = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", block.text],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, stdin=subprocess.DEVNULL, check=False,
        )
    except subprocess.TimeoutExpired:
        report.problem(block.where, f"runs longer than {SECONDS_MAX} s")
        return ""
    if result.returncode != wanted:
        said = (result.stderr or result.stdout).strip().split("\n")[-1]
        report.problem(block.where, f"exit code {result.returncode}, not {wanted}: {said}")
    return result.stdout


def run_page(report, path, folder):
    printed = None
    for block in blocks(path):
        verb, _, value = block.mark.partition(":")
        value = value.strip()
        if verb == "run":
            printed = run_block(report, block, folder)
        elif verb == "prints":
            if printed is None:
                report.problem(block.where, "prints: no block before it was run")
            elif not matches(block.text, printed):
                report.problem(block.where, f"the command prints something else:\n{printed}")
        elif verb == "file":
            target = os.path.join(folder, value)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w", encoding="utf-8") as file:
                file.write(block.text)
        elif verb == "same":
            if block.text.strip() != tree.read(value).strip():
                report.problem(block.where, f"differs from {value}")
        elif verb:
            report.problem(block.where, f"unknown mark <!-- {block.mark} -->")


def snippets(report):
    """Blocks that are marked do what the page says they do."""
    for path in pages():
        if not any(block.mark for block in blocks(path)):
            continue
        with tempfile.TemporaryDirectory(prefix="arvo-docs-") as folder:
            make_folder(folder)
            run_page(report, path, folder)


def language(report):
    """Every key, built-in action and guard that machines may have, or are refused, is taught."""
    page = "docs/statecharts.md"
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", tree.read(page), re.DOTALL))
    taught = set(re.findall(r"[A-Za-z]+", code))
    known = set()
    for path in tree.c_files("src"):
        if path.startswith("src/machine/compile_"):
            known |= set(re.findall(r'\{\s*"(\w+)",', tree.read(path)))  # rows of the tables
    if len(known) < 60:
        report.problem("src/machine", f"only {len(known)} names found in the tables of keys: has their form changed?")
    for name in sorted(known - taught):
        report.problem(page, f"does not say what `{name}` is")


if __name__ == "__main__":
    tree.main(links=links, commands=commands, snippets=snippets, language=language)
