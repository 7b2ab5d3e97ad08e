#!/usr/bin/env python3
"""Rules for C sources that a reader of one file cannot check: layers, banned calls, lengths."""

import re

import tree

LAYERS = ["base", "json", "telemetry", "event", "subject", "contract", "machine", "memory", "orchestrator", "runtime", "sim"]
# Public headers belong to layers too.
HEADER_LAYER = {
    "base": "base",
    "platform": "base",
    "uri": "base",
    "json": "json",
    "document": "json",
    "telemetry": "telemetry",
    "log": "telemetry",
    "otlp": "telemetry",
    "store_metrics": "memory",
    "metrics": "telemetry",
    "event": "event",
    "subject": "subject",
    "contract": "contract",
    "diff": "contract",
    "example": "contract",
    "machine": "machine",
    "diagram": "machine",
    "check": "machine",
    "paths": "machine",
    "xstate": "machine",
    "memory": "memory",
    "transfer": "memory",
    "orchestrator": "orchestrator",
    "broker": "orchestrator",
    "app": "orchestrator",
    "sim": "sim",
    "worker": "runtime",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:<arvo/([a-z_]+)\.h>|"([a-z_]+)/([\w/]+)\.h"|"([\w.]+)")')

BANNED = {
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "strcpy": "memcpy with a length",
    "strncpy": "memcpy with a length",
    "strcat": "arvo_buf_append",
    "strncat": "arvo_buf_append",
    "strtok": "a loop over the text",
    "atoi": "strtol with its end checked",
    "atol": "strtol with its end checked",
    "atof": "strtod with its end checked",
    "sscanf": "a parser",
    "gets": "fgets",
    "alloca": "an arena",
}
# In the library these belong to somebody else.
LIBRARY_BANNED = {
    "printf": "return an error: the library never prints",
    "fprintf": "return an error: the library never prints",
    "puts": "return an error: the library never prints",
    "perror": "return an error: the library never prints",
    "exit": "return an error: the library never exits",
    "_exit": "return an error: the library never exits",
    "abort": "ARVO_ASSERT: only a caller's bug stops the program",
    "malloc": "arvo__alloc",
    "calloc": "arvo__alloc",
    "realloc": "arvo__alloc",
    "free": "arvo__free",
    "strdup": "arvo__alloc",
    "setlocale": "nothing: the library does not depend on the locale",
}
# What touches the outside world lives in the platform and in edge modules.
EDGE_CALLS = {
    "time", "gettimeofday", "clock_gettime", "nanosleep", "sleep", "usleep", "getrandom", "rand", "random",
    "fopen", "open", "socket", "connect", "opendir", "getenv", "pthread_create", "system", "popen", "fork",
}
EXCEPTIONS = "tests/tidy/exceptions.txt"
LONG_FUNCTIONS = "tests/tidy/long_functions.txt"
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 1000
# Tests are mostly tables of cases, which read better whole.
TEST_FILE_LINES_MAX = 1500


def library_files():
    return [path for path in tree.c_files("src") if not path.startswith("src/cli/")]


def exceptions():
    """(path, name) pairs that may stand; each line of the list gives its reason."""
    allowed = set()
    for line in tree.read(EXCEPTIONS).splitlines():
        if line.strip() and not line.startswith("#"):
            path, name = line.split()[:2]
            allowed.add((path, name))
    return allowed


def check_include(report, where, layer, included):
    if included not in LAYERS:
        report.problem(where, f"includes {included}, which is no layer of the library")
    elif LAYERS.index(included) > LAYERS.index(layer):
        report.problem(where, f"{layer} includes {included}, which stands above it: {' > '.join(LAYERS)}")


def layers(report):
    """Each layer includes only those before it; the command includes only public headers."""
    for path in tree.c_files("src"):
        layer = path.split("/")[1]
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            public, folder, _, beside = match.groups()
            where = f"{path}:{number}"
            if layer == "cli":
                if folder or (beside and beside == "arvo_config.h"):
                    report.problem(where, "the command includes an internal header; it uses <arvo/...> only")
            elif public:
                if public not in HEADER_LAYER:
                    report.problem(where, f"arvo/{public}.h has no layer; add it to HEADER_LAYER or include a narrower header")
                else:
                    check_include(report, where, layer, HEADER_LAYER[public])
            elif folder:
                check_include(report, where, layer, folder)
    for path in tree.c_files("include"):
        name = path.rsplit("/", 1)[1][:-2]
        if name == "arvo":
            continue
        if name not in HEADER_LAYER:
            report.problem(path, "has no layer: add it to HEADER_LAYER")
            continue
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            match = INCLUDE.match(line)
            if match and match.group(1) and match.group(1) in HEADER_LAYER:
                check_include(report, f"{path}:{number}", HEADER_LAYER[name], HEADER_LAYER[match.group(1)])


CALL = re.compile(r"(?<![\w.>])(\w+)\s*\(")


def calls(path):
    for number, line in enumerate(tree.code_lines(tree.read(path)), 1):
        for match in CALL.finditer(line):
            yield number, match.group(1)


def banned_calls(report):
    """Calls with a safer counterpart, and in the library whatever is not its business."""
    allowed, used = exceptions(), set()

    def judge(path, number, name, advice):
        if (path, name) in allowed:
            used.add((path, name))
        else:
            report.problem(f"{path}:{number}", f"{name}(): use {advice}")

    for path in tree.c_files():
        for number, name in calls(path):
            if name in BANNED:
                judge(path, number, name, BANNED[name])
    for path in library_files():
        for number, name in calls(path):
            if name in LIBRARY_BANNED:
                judge(path, number, name, LIBRARY_BANNED[name])
            elif name in EDGE_CALLS:
                judge(path, number, name, "the platform table, or an edge module (exceptions.txt names them)")
    for path, name in sorted(allowed - used):
        report.problem(EXCEPTIONS, f"{path} calls {name}() no more: remove the line")


def functions(path):
    """(name, line, length) of each function, by the layout that clang-format gives: name and braces in column 0."""
    name, start = None, 0
    for number, line in enumerate(tree.code_lines(tree.read(path)), 1):
        head = re.match(r"(\w+)\(", line)
        if head:
            name = head.group(1)
        elif line.startswith("{") and name:
            start = number
        elif line.startswith("}"):
            if start and name:
                yield name, start, number - start - 1
            name, start = None, 0


def function_lengths(report):
    """No new function past the limit; the ones in the list may only shrink."""
    listed = {}
    for line in tree.read(LONG_FUNCTIONS).splitlines():
        if line.strip() and not line.startswith("#"):
            path, name, length = line.split()
            listed[path, name] = int(length)
    seen = {}
    for path in tree.c_files("src", "include", "examples", "bench", "fuzz"):
        for name, line, length in functions(path):
            if length > FUNCTION_LINES_MAX:
                seen[path, name] = length
                if length > listed.get((path, name), FUNCTION_LINES_MAX):
                    limit = listed.get((path, name), FUNCTION_LINES_MAX)
                    report.problem(f"{path}:{line}", f"{name}() has {length} lines, more than {limit}: split it")
    for key in sorted(set(listed) - set(seen)):
        report.problem(LONG_FUNCTIONS, f"{key[0]} {key[1]} is long no more: remove the line")


def file_lengths(report):
    for path in tree.c_files():
        lines = tree.read(path).count("\n")
        limit = TEST_FILE_LINES_MAX if path.startswith("tests/") else FILE_LINES_MAX
        if lines > limit:
            report.problem(path, f"{lines} lines, more than {limit}: it is two files")


if __name__ == "__main__":
    tree.main(layers=layers, banned_calls=banned_calls, function_lengths=function_lengths, file_lengths=file_lengths)
