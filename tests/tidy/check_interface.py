#!/usr/bin/env python3
"""The public interface: headers stand alone, exports are what is marked, the manual covers the command.

    check_interface.py LIBARVO_SO ARVO
"""

import os
import re
import shutil
import subprocess
import sys

import tree

LIBRARY, COMMAND = (os.path.abspath(path) for path in sys.argv[1:3])


def public_headers():
    return [path for path in tree.c_files("include")]


def headers(report):
    """Each public header compiles alone, as C17 and as C++17, without a warning."""
    flags = ["-fsyntax-only", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I", os.path.join(tree.ROOT, "include")]
    for compiler, language, standard in (("cc", "c", "c17"), ("c++", "c++", "c++17")):
        if not shutil.which(compiler):
            raise tree.Skip(f"{compiler} is not installed")
        for path in public_headers():
            source = f'#include <{path[len("include/"):]}>\n#include <{path[len("include/"):]}>\n'
            result = subprocess.run(
                [compiler, f"-std={standard}", *flags, "-x", language, "-"], input=source, text=True, capture_output=True, check=False
            )
            if result.returncode:
                report.problem(f"{path} as {standard}", result.stderr.strip().split("\n")[0])


MARKED = re.compile(r"\bARVO_API\b[^;{]*?\b(arvo_\w+)\s*\(", re.DOTALL)


def exports(report):
    """Exported symbols are exactly those marked ARVO_API."""
    marked = set()
    for path in public_headers():
        text = "\n".join(line for line in tree.code_lines(tree.read(path)) if not line.lstrip().startswith("#"))
        marked |= set(MARKED.findall(text))
    listing = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True, check=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in listing.splitlines() if line.strip()}
    exported -= {"_init", "_fini", "__bss_start", "_edata", "_end"}
    for name in sorted(marked - exported):
        report.problem(name, "is marked ARVO_API and not exported: write it, or remove it from its header")
    for name in sorted(exported - marked):
        report.problem(name, "is exported and not marked ARVO_API")


def help_of(*verb):
    result = subprocess.run([COMMAND, "help", *verb], capture_output=True, text=True, check=False)
    return result.stdout if result.returncode == 0 else None


def manual(report):
    """Every verb and option of the help is in its man page and in both completions, and the other way round."""
    main_help = help_of()
    if main_help is None:
        report.problem("arvo help", "fails")
        return
    verbs = re.findall(r"^  ([a-z-]+) ", main_help, re.MULTILINE)
    bash, zsh = tree.read("completions/arvo.bash"), tree.read("completions/_arvo")
    page = tree.read("man/arvo.1")
    for verb in verbs:
        for path, text in (("man/arvo.1", page), ("completions/arvo.bash", bash), ("completions/_arvo", zsh)):
            if not re.search(rf"\b{verb}\b", text):
                report.problem(path, f"does not name the verb {verb}")
        text = help_of(verb)
        if text is None:
            report.problem(f"arvo help {verb}", "fails")
            continue
        options = set(re.findall(r"^  --([a-z][a-z0-9-]*)", text, re.MULTILINE))
        if verb in ("help", "version"):
            continue
        verb_page = f"man/arvo-{verb}.1"
        if not os.path.exists(os.path.join(tree.ROOT, verb_page)):
            report.problem(verb_page, "is missing")
            continue
        documented = set(re.findall(r"\.It Fl Fl ([a-z][a-z0-9-]*)", tree.read(verb_page)))
        for option in sorted(options - documented):
            report.problem(verb_page, f"does not describe --{option}")
        for option in sorted(documented - options):
            report.problem(verb_page, f"describes --{option}, which arvo help {verb} does not")
        for option in sorted(options):
            for path, completion in (("completions/arvo.bash", bash), ("completions/_arvo", zsh)):
                if f"--{option}" not in completion:
                    report.problem(path, f"does not complete --{option} of {verb}")


if __name__ == "__main__":
    tree.main(headers=headers, exports=exports, manual=manual)
