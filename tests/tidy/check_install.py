#!/usr/bin/env python3
"""`make install` into a staging folder gives everything a user needs, and nothing else is needed.

    check_install.py BUILD_DIR VERSION

Builds and runs examples/hello.c with what pkg-config says about the staged arvo.pc alone, against the shared
and the static library.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import tree

BUILD, VERSION = sys.argv[1:3]


def staged_files(stage):
    """By name; the command and its completion share one, so the completion goes by its folder."""
    found = {}
    for folder, _, files in os.walk(stage):
        for name in files:
            key = "bash completion" if folder.endswith("bash-completion/completions") else name
            found[key] = os.path.join(folder, name)
    return found


def check_files(report, files):
    headers = [os.path.basename(path) for path in tree.tracked() if re.match(r"include/arvo/[a-z]+\.h$", path)]
    pages = [os.path.basename(path) for path in tree.tracked() if re.match(r"man/arvo.*\.1$", path)]
    monitoring = [os.path.basename(path) for path in tree.tracked() if re.match(r"monitoring/arvo-", path)]
    for name in headers + pages + ["arvo", "libarvo.a", f"libarvo.so.{VERSION}", "arvo.pc", "_arvo", "bash completion"] + monitoring:
        if name not in files:
            report.problem(name, "is not installed")


def compile_and_run(report, stage, files, kind):
    pc_folder = os.path.dirname(files["arvo.pc"])
    library_folder = os.path.dirname(files["libarvo.a"])
    prefix = re.search(r"^prefix=(.*)$", open(files["arvo.pc"], encoding="utf-8").read(), re.MULTILINE).group(1)
    # The staged folder stands in for the prefix; system libraries keep their own places.
    environment = {**os.environ, "PKG_CONFIG_PATH": pc_folder}
    query = ["pkg-config", f"--define-variable=prefix={stage}{prefix}", "--cflags", "--libs"]
    flags = subprocess.run(
        query + (["--static"] if kind == "static" else []) + ["arvo"], env=environment, capture_output=True, text=True, check=False
    )
    if flags.returncode:
        report.problem("arvo.pc", flags.stderr.strip())
        return
    words = flags.stdout.split()
    if kind == "static":
        words = [files["libarvo.a"] if word == "-larvo" else word for word in words]
    with tempfile.TemporaryDirectory(prefix="arvo-hello-") as folder:
        program = os.path.join(folder, "hello")
        source = os.path.join(tree.ROOT, "examples", "hello.c")
        command = ["cc", "-std=c17", "-Wall", "-Wextra", "-Werror", source, "-o", program, *words]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        if built.returncode:
            report.problem(f"examples/hello.c, {kind}", built.stderr.strip()[:600])
            return
        ran = subprocess.run(
            [program], cwd=folder, env={**os.environ, "LD_LIBRARY_PATH": library_folder}, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            report.problem(f"examples/hello.c, {kind}", f"exit code {ran.returncode}: {ran.stderr.strip()[:300]}")


def install(report):
    if not shutil.which("pkg-config"):
        raise tree.Skip("pkg-config is not installed")
    with tempfile.TemporaryDirectory(prefix="arvo-stage-") as stage:
        result = subprocess.run(
            ["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", stage], capture_output=True, text=True, check=False
        )
        if result.returncode:
            report.problem("meson install", (result.stderr or result.stdout).strip()[-600:])
            return
        files = staged_files(stage)
        check_files(report, files)
        if report.problems:
            return
        version = subprocess.run([files["arvo"], "--version"], capture_output=True, text=True, check=False).stdout
        if VERSION not in version:
            report.problem("arvo --version", f"prints {version.strip()!r}, not {VERSION}")
        soname = subprocess.run(["objdump", "-p", files[f"libarvo.so.{VERSION}"]], capture_output=True, text=True, check=True).stdout
        if not re.search(r"SONAME\s+libarvo\.so\.0$", soname, re.MULTILINE):
            report.problem(f"libarvo.so.{VERSION}", "its soname is not libarvo.so.0")
        for kind in ("shared", "static"):
            compile_and_run(report, stage, files, kind)


if __name__ == "__main__":
    tree.main(install=install)
