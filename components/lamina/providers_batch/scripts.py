"""The part of a submit script that is the same for every batch system."""

import re
import shlex
from collections.abc import Sequence

import attrs

from lamina.providers_batch.dialect import BatchJob

__all__ = ["clock", "directive", "opening_output", "short_name", "written"]

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")
_ODD = re.compile(r"[^A-Za-z0-9_.-]+")


def written(
    directives: Sequence[str],
    scheduler_options: str,
    job: BatchJob,
    *,
    exports: Sequence[tuple[str, object]] = (),
    speaks: str = "true",
) -> str:
    """A whole script: directives, the user's own, the environment, ``worker_init``, the command.

    It leaves its exit status beside itself, and removes one that an earlier run of the same
    job has left. Where several nodes run it, ``speaks`` is a command that succeeds on the one
    whose exit status counts.
    """
    kept = shlex.quote(str(job.exit_code))
    lines = ["#!/bin/bash", *directives]
    if scheduler_options.strip():
        lines.append(scheduler_options.strip("\n"))
    lines += [
        *_only_if(
            speaks,
            f"rm -f {kept}",
            f'lamina_keep() {{ echo "$1" > {kept}.new && mv -f {kept}.new {kept}; }}',
            "trap 'lamina_keep \"$?\"' EXIT",
        ),
        # Without these, bash would call a script that is told to end a success.
        "for lamina_signal in HUP INT TERM USR1 USR2 XCPU; do",
        '    trap "exit $((128 + $(kill -l "$lamina_signal")))" "$lamina_signal"',
        "done",
        *(f"export {name}={shlex.quote(str(value))}" for name, value in exports),
        job.worker_init,
        job.launched,
        "",
    ]
    return "\n".join(lines)


def _only_if(speaks: str, *lines: str) -> list[str]:
    if speaks == "true":
        return list(lines)
    return [f"if {speaks}; then", *(f"    {line}" for line in lines), "fi"]


def opening_output(job: BatchJob, *more: str) -> BatchJob:
    """A job whose script opens its output itself, and says ``more``, before all else.

    For batch systems that would replace something in a path, or bring output only at the end.
    """
    opened = f"exec >{shlex.quote(str(job.stdout))} 2>{shlex.quote(str(job.stderr))}"
    return attrs.evolve(job, worker_init="\n".join((opened, *more, job.worker_init)))


def directive(value: object) -> str:
    """A value as it may stand in a directive, quoted where it has spaces or the like."""
    text = str(value)
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def clock(seconds: float) -> str:
    """A duration as ``HH:MM:SS``, a part of a second counting as one."""
    whole = -int(-seconds // 1)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def short_name(wanted: str, token: str, longest: int) -> str:
    """A job's name of letters, digits, dots, dashes and underscores that ends with the token."""
    room = longest - len(token) - 1
    name = _ODD.sub("-", wanted).strip("-.")[:room].rstrip("-.")
    if not name[:1].isalpha():
        name = f"lamina-{name}"[:room].rstrip("-.")
    return f"{name}.{token}"
