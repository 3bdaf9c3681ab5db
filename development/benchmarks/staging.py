"""Stage one large file beside what curl and cp need for it, with the same checksum taken.

::

    python development/benchmarks/staging.py --size 2147483648 --rounds 3

Prints one JSON object: for ``http`` and ``file`` the medians of both times in seconds, how the
rates compare (1 is as fast, 0.5 half as fast), and by how many bytes the memory of the process
that staged grew.
"""

import argparse
import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BLOCK = 2**20


def main() -> None:
    options = _options()
    if options.one:
        _stage(options.one, options.checksum, Path(options.folder))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        (folder / "there").mkdir()
        checksum = _make(folder / "there" / "big", options.size)
        with _serving(folder / "there") as port:
            url = f"http://127.0.0.1:{port}/big"
            path = str(folder / "there" / "big")
            here = folder / "here"
            found = {}
            for kind, source, words in (
                ("http", url, ["curl", "--silent", "--fail", "--output", str(here), url]),
                ("file", path, ["cp", "--reflink=never", path, str(here)]),
            ):
                if shutil.which(words[0]) is not None:
                    found[kind] = _compare(source, words, here, checksum, options.rounds)
    print(json.dumps({"size": options.size, "rounds": options.rounds, **found}, indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2**31, help="bytes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--checksum", help=argparse.SUPPRESS)
    return parser.parse_args()


def _make(path: Path, size: int) -> str:
    """Write a file that no two blocks of are equal, and take its checksum."""
    digest, block = hashlib.sha256(), bytearray(os.urandom(BLOCK))
    with path.open("wb") as out:
        for number in range(0, size, BLOCK):
            block[:8] = number.to_bytes(8, "little")
            part = memoryview(block)[: min(BLOCK, size - number)]
            out.write(part)
            digest.update(part)
    return f"sha256:{digest.hexdigest()}"


@contextmanager
def _serving(folder: Path) -> Iterator[int]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    words = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    process = subprocess.Popen(
        words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def _compare(
    source: str, words: list[str], here: Path, checksum: str, rounds: int
) -> dict[str, float]:
    theirs, ours, grown = [], [], []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run(words, check=True)
        said = subprocess.run(["sha256sum", str(here)], check=True, capture_output=True, text=True)
        theirs.append(time.perf_counter() - began)
        assert checksum.endswith(said.stdout.split()[0]), "another file has come"
        here.unlink()
        with tempfile.TemporaryDirectory(dir=here.parent) as folder:
            one = [__file__, "--one", source, "--checksum", checksum, "--folder", folder]
            told = json.loads(subprocess.check_output([sys.executable, *one]))
        ours.append(told["seconds"])
        grown.append(told["grown"])
    mine, others = statistics.median(ours), statistics.median(theirs)
    return {
        "seconds": round(mine, 3),
        "their_seconds": round(others, 3),
        "rate": round(others / mine, 3),
        "memory_grown": max(grown),
    }


def _stage(source: str, checksum: str, folder: Path) -> None:
    from lamina.executors import ThreadPoolExecutor
    from lamina.kernel import Config, DataFlowKernel, TaskSpec
    from lamina.staging import FileCopyStaging
    from lamina.staging_http import HTTPStaging
    from lamina.vocabulary import File

    storage = [HTTPStaging(mode="in-task"), FileCopyStaging(where="nodes")]
    executor = ThreadPoolExecutor(storage_access=storage, working_dir=folder / "work")
    with DataFlowKernel(Config(executors=[executor], run_dir=folder / "runs")) as kernel:
        first = TaskSpec(len, ("warm up",))
        kernel.submit(first)
        first.future.result()
        before = _peak()
        began = time.perf_counter()
        spec = TaskSpec(os.path.getsize, (File(source, checksum=checksum),))
        kernel.submit(spec)
        spec.future.result()
        took = time.perf_counter() - began
    print(json.dumps({"seconds": took, "grown": _peak() - before}))


def _peak() -> int:
    """The most memory that this process has had, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
