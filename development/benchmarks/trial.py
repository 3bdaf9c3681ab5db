"""One trial: a process that starts one system, measures figures, and ends.

It runs in the environment of that system and says what it finds on its standard output, a JSON
object on each line: ``{"figure": name, "found": {row: value}}``, or ``"error"`` instead of
``"found"``. Whatever else the system prints goes to standard error.
"""

import json
import os
import sys
import time
from typing import Any, TextIO

from subjects import ALONE, SUBJECTS, Subject


def _channel() -> TextIO:
    """The real standard output; ours alone from now on."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def _say(channel: TextIO, figure: str, found: dict[str, Any]) -> None:
    channel.write(json.dumps({"figure": figure, "found": found}) + "\n")
    channel.flush()


def _fail(channel: TextIO, figure: str, error: Exception) -> None:
    channel.write(json.dumps({"figure": figure, "error": f"{type(error).__name__}: {error}"}))
    channel.write("\n")
    channel.flush()


def _version(subject: Subject) -> str:
    from importlib.metadata import version

    return version(subject.distribution) if subject.distribution else ""


def _system(channel: TextIO, order: dict[str, Any]) -> None:
    subject = SUBJECTS[order["subject"]]
    with subject.make() as runner:
        from noop import noop

        runner.results([runner.bind(noop)()])
        born = time.monotonic() - order["born"]
        # Only now: what measures must not count as part of the start.
        from figures import FIGURES, Trial, first_look
        from rows import START_UP

        _say(channel, "start", {START_UP: born, "version": _version(subject)})
        rate, looked = first_look(runner)
        trial = Trial(runner, subject.module, order["seconds"], order["tasks"], rate, looked)
        for name in order["figures"]:
            try:
                _say(channel, name, FIGURES[name].function(trial))
            except Exception as error:  # the other figures can be had all the same
                _fail(channel, name, error)


def _parts(channel: TextIO, order: dict[str, Any]) -> None:
    from alone import PARTS

    for name in order["figures"]:
        try:
            _say(channel, name, PARTS[name](order["tasks"]))
        except Exception as error:  # as above
            _fail(channel, name, error)


def main() -> None:
    """Do what the one argument, a JSON object, orders."""
    order = json.loads(sys.argv[1])
    channel = _channel()
    if order["subject"] == ALONE:
        _parts(channel, order)
    else:
        _system(channel, order)


if __name__ == "__main__":
    main()
