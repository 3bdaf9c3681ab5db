"""What may be typed, and what is done about it.

Whatever is slow to import is imported late; each command gives its text, and a door prints it.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import attrs

from lamina.hosting_commands.tables import table
from lamina.plugins import catalogue
from lamina.vocabulary import UsageError

__all__ = ["COMMANDS", "Said", "add_commands", "run_command"]

LONGEST_PATIENCE = 365 * 86_400.0  # seconds; no lock can be waited for without end


class Said(NamedTuple):
    """What a command has to say, and the exit status."""

    text: str
    status: int = 0


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add these commands to those of a command line."""
    plan = commands.add_parser("plan", help="say what a configuration would do, and do nothing")
    doctor = commands.add_parser(
        "doctor", help="try a configuration with one block, and say what works"
    )
    for command in (plan, doctor):
        command.add_argument("config", type=Path, metavar="CONFIG", help="a file of TOML or Python")
    doctor.add_argument(
        "--patience",
        type=_patience,
        default=300.0,
        metavar="SECONDS",
        help="how long each step may take, the wait in the queue too (default: %(default)g)",
    )
    plugins = commands.add_parser(
        "plugins", help="list the plug-ins that come with Lamina, and what is promised of them"
    )
    blocks = commands.add_parser("blocks", help="show the blocks of an endpoint")
    drain = commands.add_parser(
        "drain", help="let the blocks of a running endpoint leave in good order"
    )
    drain.add_argument("--executor", metavar="LABEL", help="those of this one (default: of all)")
    drain.add_argument("--block", metavar="ID", help="this one (default: all that there are)")
    cleanup = commands.add_parser(
        "cleanup", help="remove keys and sockets that killed programs have left"
    )
    for command in (blocks, drain, cleanup):
        command.add_argument(
            "run_dir",
            type=Path,
            nargs="?",
            default=Path("runinfo"),
            metavar="RUN_DIR",
            help="its run_dir, or one run in there (default: %(default)s)",
        )
    for command in (plugins, blocks):
        command.add_argument("--json", action="store_true", help="for other programs to read")


def _patience(text: str) -> float:
    try:
        patience = float(text)
    except ValueError:
        patience = 0.0
    if not 0 < patience <= LONGEST_PATIENCE:
        msg = f"it is {text!r}; write seconds, such as 600, and not more than a year"
        raise argparse.ArgumentTypeError(msg)
    return patience


def run_command(options: argparse.Namespace) -> Said:
    """Run the command that was parsed, and return what there is to say.

    Raises:
        LaminaError: It cannot be done; the text says why.
    """
    return COMMANDS[options.command](options)


def _plan(options: argparse.Namespace) -> Said:
    from lamina.hosting import read_config, render_plan

    return Said(render_plan(read_config(options.config)))


def _doctor(options: argparse.Namespace) -> Said:
    from lamina.hosting import examine, read_config

    parts, sick = [], False
    for label, findings in examine(read_config(options.config), options.patience):
        sick |= not all(finding.well for finding in findings)
        rows = [
            (f"  {finding.what}", "ok" if finding.well else "WRONG", line)
            if number == 0
            else ("", "", line)
            for finding in findings
            for number, line in enumerate(finding.says.splitlines() or [""])
        ]
        parts.append(f"executor {label!r}\n{table(rows)}")
    return Said("\n\n".join(parts), status=int(sick))


def _plugins(options: argparse.Namespace) -> Said:
    found = catalogue()
    if options.json:
        return Said(json.dumps([attrs.asdict(one) for one in found], indent=1))
    heading = ("group", "name", "tier", "about")
    rows = [(one.group, one.name, one.tier, one.about) for one in found]
    return Said(table([heading, *rows]))


def _blocks(options: argparse.Namespace) -> Said:
    from lamina.hosting import read_record

    record = read_record(options.run_dir)
    lives = {True: "running", False: "ended", None: f"on {record.host}"}[record.lives]
    if options.json:
        facts: dict[str, Any] = {
            "run_dir": str(record.run_dir),
            "host": record.host,
            "pid": record.program.pid,
            "lives": record.lives,
            "blocks": {
                label: [attrs.asdict(one) for one in some] for label, some in record.blocks.items()
            },
        }
        return Said(json.dumps(facts, indent=1))
    rows = [
        (label, one.block, one.job or "-", one.state, str(one.managers), str(one.slots), one.reason)
        for label, some in record.blocks.items()
        for one in some
    ]
    heading = ("executor", "block", "job", "state", "nodes", "workers", "reason")
    first = f"{record.run_dir}: process {record.program.pid}, {lives}"
    return Said(f"{first}\n{table([heading, *rows])}")


def _drain(options: argparse.Namespace) -> Said:
    from lamina.hosting import ask, read_record

    record = read_record(options.run_dir)
    if record.lives is not True:
        where = "has ended" if record.lives is False else f"runs on {record.host}, or has ended"
        msg = f"the endpoint of {record.run_dir} {where}; ask where it runs, while it does"
        raise UsageError(msg)
    ask(record.door, {"do": "drain", "executor": options.executor, "block": options.block})
    what = "all blocks" if options.block is None else f"block {options.block}"
    of = "" if options.executor is None else f" of {options.executor}"
    return Said(f"{what}{of}: no more tasks are begun there; `blocks` shows what has left")


def _cleanup(options: argparse.Namespace) -> Said:
    from lamina.hosting_commands.cleaning import clean

    removed = clean(options.run_dir)
    return Said("\n".join(f"removed {path}" for path in removed) or "nothing to remove")


COMMANDS: Mapping[str, Callable[[argparse.Namespace], Said]] = MappingProxyType(
    {
        "blocks": _blocks,
        "cleanup": _cleanup,
        "doctor": _doctor,
        "drain": _drain,
        "plan": _plan,
        "plugins": _plugins,
    }
)
"""What each command says."""
