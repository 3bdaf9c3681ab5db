"""The peers' environments, ``.venv-bench-<peer>`` in the root: ``make bench-peers`` makes them.

What cannot be installed here is left out of the benchmark's table; the reason is kept in its
environment, and the report repeats it. Names on the command line make those alone.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = {
    "parsl": "parsl==2026.10.26",
    "dask": "distributed==2026.8.0",
    "ray": "ray==2.60.0",
    "loky": "loky==3.7.0",
    "executorlib": "executorlib==1.11.0",
}


def _environment(peer: str) -> Path:
    return ROOT / f".venv-bench-{peer}"


def interpreter(peer: str) -> Path:
    """The Python of a peer's environment; the empty name is ours."""
    return _environment(peer) / "bin" / "python" if peer else Path(sys.executable)


def left_out(peer: str) -> str | None:
    """Why a peer cannot be measured, if so."""
    if not peer:
        return None
    environment = _environment(peer)
    if (environment / "installed").exists():
        return None
    failed = environment / "failed"
    if failed.exists():
        return f"could not be installed: {failed.read_text(encoding='utf-8').strip()}"
    return "not installed; `make bench-peers` does it"


def install(peer: str) -> bool:
    """Make the environment of a peer, on the Python that runs this. Returns whether it worked."""
    environment, done = _environment(peer), _environment(peer) / "installed"
    wanted = PEERS[peer]
    if done.exists() and done.read_text(encoding="utf-8").strip() == wanted:
        return True
    done.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
    command = [str(interpreter(peer)), "-m", "pip", "install", "--quiet", wanted]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    if said.returncode == 0:
        done.write_text(f"{wanted}\n", encoding="utf-8")
        return True
    lines = [line for line in said.stderr.splitlines() if line.startswith("ERROR")]
    why = lines[-1] if lines else f"pip ended with {said.returncode}"
    (environment / "failed").write_text(f"{why}\n", encoding="utf-8")
    return False


def main() -> None:
    """Make the environments that are missing or hold another version."""
    names = sys.argv[1:] or list(PEERS)
    if unknown := [name for name in names if name not in PEERS]:
        sys.exit(f"no such peer: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    for peer in names:
        print(f"{peer}: ", end="", flush=True)
        print("installed" if install(peer) else left_out(peer))


if __name__ == "__main__":
    main()
