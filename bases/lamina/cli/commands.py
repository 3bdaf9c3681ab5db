"""What may be typed, and what is done about it. Whatever is slow to import is imported late."""

import argparse
import importlib.metadata
import json
import platform
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lamina.hosting_commands import (
    COMMANDS,
    add_commands,
    exit_status,
    refuse_siblings,
    run_command,
)
from lamina.memo_commands import add_memo_commands, run_memo_command

__all__ = ["main"]

_DISTRIBUTIONS = ("lamina-flow", "lamina-workspace")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 well, 1 an error of ours, 2 misuse."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help()
        return 2
    return exit_status(f"lamina {options.command}", partial(_run, options))


def _run(options: argparse.Namespace) -> int:
    refuse_siblings()
    if options.command in COMMANDS or options.command == "memo":
        said = run_memo_command(options) if options.command == "memo" else run_command(options)
        print(said.text)
        return said.status
    return _demo(options) if options.command == "demo" else _version(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lamina", description="Dataflows of Python and bash.")
    commands = parser.add_subparsers(dest="command", metavar="command")
    demo = commands.add_parser("demo", help="look at thousands of Python modules, in parallel")
    demo.add_argument(
        "--files",
        type=Path,
        metavar="DIR",
        help="look at the Python files below DIR instead of the installed ones",
    )
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("lamina-demo"),
        metavar="DIR",
        help="where the report and what is remembered go (default: %(default)s)",
    )
    demo.add_argument("--workers", type=int, metavar="N", help="default: one per core")
    demo.add_argument(
        "--executor",
        choices=("htex", "threads"),
        help="worker processes or threads (default: htex where it is installed)",
    )
    demo.add_argument("--chaos", action="store_true", help="kill a worker in the middle")
    version = commands.add_parser("version", help="say which version this is, and of what Python")
    version.add_argument("--json", action="store_true", help="for other programs to read")
    add_commands(commands)
    add_memo_commands(commands)
    return parser


def _demo(options: argparse.Namespace) -> int:
    from lamina.demo import Options, run_demo

    return run_demo(
        Options(
            files=options.files,
            out=options.out,
            workers=options.workers,
            executor=options.executor,
            chaos=options.chaos,
        )
    )


def _version(options: argparse.Namespace) -> int:
    facts = {
        "lamina": _installed_version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    if options.json:
        print(json.dumps(facts))
    else:
        print(f"lamina {facts['lamina']} on Python {facts['python']}, {facts['platform']}")
    return 0


def _installed_version() -> str:
    for name in _DISTRIBUTIONS:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"
