"""What may be typed after ``lamina memo``, and what is said to it."""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lamina.codec import load_error
from lamina.hosting_commands import Said, table
from lamina.memo import ResultDamaged, StoredMemo, StoredResult
from lamina.memo_commands.reading import Record, folders_of, open_log, records, with_key
from lamina.memo_commands.reasons import why_computed
from lamina.memo_log import export_results, may_be_written, remove_checkpoint
from lamina.vocabulary import ConfigError, UsageError, read_seconds

__all__ = ["add_memo_commands", "run_memo_command"]


def add_memo_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``memo`` to the commands of a command line."""
    memo = commands.add_parser("memo", help="look at results that are remembered, and keep house")
    verbs = memo.add_subparsers(dest="verb", metavar="what", required=True)
    ls = verbs.add_parser("ls", help="list the runs that have a checkpoint, or their results")
    show = verbs.add_parser("show", help="show all that is recorded of one call")
    why = verbs.add_parser("why", help="say why a call was computed and not found")
    prune = verbs.add_parser("prune", help="remove the checkpoints of old runs")
    export = verbs.add_parser("export", help="write the latest result of each call to one log")
    for verb in (show, why):
        verb.add_argument("key", metavar="KEY", help="the beginning of its key, from ls --results")
    for verb in (ls, show, why, prune, export):
        verb.add_argument(
            "run_dir",
            type=Path,
            nargs="?",
            default=Path("runinfo"),
            metavar="RUN_DIR",
            help="the run_dir, one run in there, or an export (default: %(default)s)",
        )
    ls.add_argument("--results", action="store_true", help="list results instead of runs")
    ls.add_argument("--name", default="", help="only those of tasks of this name; with --results")
    ls.add_argument("--json", action="store_true", help="for other programs to read")
    show.add_argument(
        "--value",
        action="store_true",
        help="print the latest result too, which unpickles it and so may run code of yours",
    )
    prune.add_argument("--keep", type=int, metavar="N", help="keep the last N runs")
    prune.add_argument("--older-than", metavar="AGE", help='such as "30 d": keep younger ones')
    prune.add_argument("--dry-run", action="store_true", help="only say what would go")
    export.add_argument(
        "--to", type=Path, required=True, metavar="DIR", help="for checkpoint_files=[DIR]"
    )


def run_memo_command(options: argparse.Namespace) -> Said:
    """Do what was parsed, and return what there is to say.

    Raises:
        LaminaError: It cannot be done; the text says why.
    """
    return _VERBS[options.verb](options)


def _ls(options: argparse.Namespace) -> Said:
    return _ls_results(options) if options.results else _ls_runs(options)


def _ls_runs(options: argparse.Namespace) -> Said:
    now = time.time()
    runs: list[dict[str, Any]] = []
    for folder in folders_of(options.run_dir):
        log = open_log(folder)
        results = damaged = 0
        for one in records(log):
            if isinstance(one, Record):
                results += 1
            else:
                damaged += 1
        began = 0.0 if log.header is None else log.header.began
        runs.append(
            {
                "run": str(folder),
                "results": results,
                "damaged": damaged,
                "bytes": log.size(),
                "began": began,
                "ended": not may_be_written(log, now),
            }
        )
        log.close()
    if options.json:
        return Said(json.dumps(runs, indent=1))
    heading = ("results", "damaged", "bytes", "began", "state", "run")
    rows = [
        (
            str(run["results"]),
            str(run["damaged"]),
            str(run["bytes"]),
            _when(run["began"]),
            "ended" if run["ended"] else "may be running",
            run["run"],
        )
        for run in runs
    ]
    return Said(table([heading, *rows]))


def _ls_results(options: argparse.Namespace) -> Said:
    rows: list[dict[str, Any]] = []
    for one in _all(options.run_dir):
        result = one.result
        if options.name in ("", result.name):
            rows.append(
                {
                    "key": result.key.hex(),
                    "task": result.name,
                    "recorded": result.at,
                    "form": result.form,
                    "bytes": one.size,
                    "run": one.run,
                }
            )
    if options.json:
        return Said(json.dumps(rows, indent=1))
    heading = ("key", "recorded", "form", "bytes", "run", "task")
    cells = [
        (
            str(row["key"])[:12],
            _when(row["recorded"]),
            row["form"],
            str(row["bytes"]),
            row["run"],
            row["task"],
        )
        for row in rows
    ]
    return Said(table([heading, *cells]))


def _all(run_dir: Path) -> Iterator[Record]:
    for folder in folders_of(run_dir):
        log = open_log(folder)
        yield from (one for one in records(log) if isinstance(one, Record))
        log.close()


def _show(options: argparse.Namespace) -> Said:
    found = with_key(options.run_dir, options.key)
    parts = [_described(one) for one in found]
    if options.value:
        try:
            parts.append(_value(found[-1].load()))
        except ResultDamaged as damaged:
            return Said("\n\n".join([*parts, str(damaged)]), status=1)
    return Said("\n\n".join(parts))


def _described(one: Record) -> str:
    result = one.result
    rows = [
        ("key", result.key.hex()),
        ("run", one.run),
        ("task", result.name),
        ("recorded", _when(result.at)),
        ("form", result.form),
        ("bytes", str(one.size)),
    ]
    rows += [("output", f"{mark.url} ({mark.size} bytes)") for mark in result.outputs]
    if result.made_of is not None:
        rows += [("function", result.made_of.function), ("code", result.made_of.code.hex())]
        if result.made_of.version:
            rows.append(("version", result.made_of.version))
        rows += [(f"argument {name}", value.hex()) for name, value in result.made_of.arguments]
    return table(rows)


def _value(result: StoredResult) -> str:
    if result.form == "error":
        return f"raised {load_error(bytes(result.data[0]))!r}"
    try:
        return f"value: {StoredMemo().codec.load(result.data)!r}"
    except Exception as error:  # the code of what was recorded, or it was another codec
        return f"the value cannot be read: {type(error).__name__}: {error}"


def _why(options: argparse.Namespace) -> Said:
    record = with_key(options.run_dir, options.key)[-1]
    one = record.result
    before = (
        (other.run, other.result)
        for other in _all(options.run_dir)
        if (other.result.at, other.result.key) != (one.at, one.key) and other.result.at <= one.at
    )
    said = why_computed(one, record.run, before)
    return Said(f"{one.name} ({one.key.hex()[:12]}) was computed at {_when(one.at)}: {said}")


def _prune(options: argparse.Namespace) -> Said:
    if (options.keep is None) == (options.older_than is None):
        raise UsageError("say which runs may go: --keep N, or --older-than AGE")
    folders, now = folders_of(options.run_dir), time.time()
    if options.keep is not None:
        if options.keep < 0:
            raise UsageError(f"--keep is {options.keep}; it must be 0 or more")
        chosen = folders[: max(0, len(folders) - options.keep)]
    else:
        age = _age(options.older_than)
        chosen = [one for one in folders if now - open_log(one).path.stat().st_mtime > age]
    lines = []
    for folder in chosen:
        if may_be_written(open_log(folder), now):
            lines.append(f"kept {folder}: its program may still be running")
        elif options.dry_run:
            lines.append(f"would remove {folder}")
        else:
            remove_checkpoint(folder)
            lines.append(f"removed {folder}")
    return Said("\n".join(lines) or "nothing to remove")


def _age(text: str) -> float:
    try:
        return read_seconds(text, what="--older-than")
    except ConfigError as error:
        raise UsageError(str(error)) from error


def _export(options: argparse.Namespace) -> Said:
    written, left = export_results(folders_of(options.run_dir), options.to)
    return Said(f"{written} results are in {options.to}; {left} were superseded or damaged")


def _when(seconds: Any) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S")


_VERBS: Mapping[str, Callable[[argparse.Namespace], Said]] = MappingProxyType(
    {"export": _export, "ls": _ls, "prune": _prune, "show": _show, "why": _why}
)
