"""What may be typed, and what is done about it. Whatever is slow to import is imported late."""

import argparse
import importlib.metadata
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from lamina.vocabulary import LaminaError

__all__ = ["main"]

_DISTRIBUTIONS = ("lamina-flow", "lamina-workspace")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 well, 1 an error of ours, 2 misuse."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help()
        return 2
    commands = {"demo": _demo, "plugins": _plugins, "version": _version}
    try:
        return commands[options.command](options)
    except LaminaError as error:
        print(f"lamina {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"lamina {options.command}: interrupted", file=sys.stderr)
        return 130


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
    for name, about in (
        ("version", "say which version this is, and of what Python"),
        ("plugins", "list the plug-ins that are installed, and what is promised of them"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument("--json", action="store_true", help="for other programs to read")
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


def _plugins(options: argparse.Namespace) -> int:
    from lamina.plugins import catalogue

    found = catalogue()
    if options.json:
        facts = [
            {
                "group": one.group,
                "name": one.name,
                "tier": one.tier,
                "brick": one.brick,
                "about": one.about,
                "real": one.real,
                "needs": list(one.needs),
                "evidence": list(one.evidence),
            }
            for one in found
        ]
        print(json.dumps(facts, indent=1))
        return 0
    rows = [
        ("group", "name", "tier", "about"),
        *((p.group, p.name, p.tier, p.about) for p in found),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[3]]).rstrip())
    return 0
