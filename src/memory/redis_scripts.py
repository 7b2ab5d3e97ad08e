#!/usr/bin/env python3
"""Turn redis.lua into a C header: one string per script, and a list of their names.

    redis_scripts.py redis.lua redis_scripts.h

Comments, blank lines and indentation are left out: they would be sent to the server.
"""

import re
import sys


def parse(text):
    parts, scripts, lines = {}, {}, None
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("--@"):
            head = re.fullmatch(r"--@ (part|script) (\w+)(?:: ([\w ]+))?", line)
            if head is None:
                sys.exit(f"redis.lua:{number}: expected --@ part NAME, or --@ script NAME: PARTS")
            kind, name, uses = head.groups()
            if name in parts or name in scripts:
                sys.exit(f"redis.lua:{number}: {name} is there twice")
            lines = []
            if kind == "part":
                parts[name] = lines
            else:
                scripts[name] = ((uses or "").split(), lines)
        elif lines is not None:
            line = re.sub(r"(^|\s)--\s.*$", "", line).strip()
            if line:
                lines.append(line)
    return parts, scripts


def literal(line):
    return '"' + line.replace("\\", "\\\\").replace('"', '\\"') + '\\n"'


def main(source, target):
    with open(source, encoding="utf-8") as file:
        parts, scripts = parse(file.read())
    unused = set(parts) - {use for uses, _ in scripts.values() for use in uses}
    if unused:
        sys.exit(f"redis.lua: no script uses part {', '.join(sorted(unused))}")
    out = ["/* Made from redis.lua by redis_scripts.py. */", ""]
    out += ["/* Longer than C promises, but not longer than gcc and clang take. */"]
    out += ['#pragma GCC diagnostic ignored "-Woverlength-strings"', "", "#define REDIS_SCRIPTS(X) \\"]
    out += [f"    X({name.upper()}, script_{name}) \\" for name in scripts]
    out += ["    /* end */", ""]
    for name, (uses, lines) in scripts.items():
        out.append(f"static const char script_{name}[] =")
        for use in uses:
            if use not in parts:
                sys.exit(f"redis.lua: script {name} uses part {use}, which is not there")
            out += ["    " + literal(line) for line in parts[use]]
        out += ["    " + literal(line) for line in lines]
        out[-1] += ";"
        out.append("")
    with open(target, "w", encoding="utf-8") as file:
        file.write("\n".join(out))


main(*sys.argv[1:])
