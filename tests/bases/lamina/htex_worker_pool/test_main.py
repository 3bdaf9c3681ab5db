import json
import subprocess
import sys
from pathlib import Path

from lamina.htex_worker_pool import run

PACKAGE = run.__module__.rpartition(".")[0]
ROOT = PACKAGE.rpartition(".")[0]


def test_the_module_gives_up_where_nobody_answers_and_says_where_it_asked(tmp_path: Path) -> None:
    config = {
        "addresses": ["tcp://127.0.0.1:1"],
        "block": "0",
        "codec": f"{ROOT}.codec:PickleCodec",
        "encrypted": False,
        "heartbeat_period": 0.1,
        "heartbeat_threshold": 0.2,
        "package": "htex-1",
        "sys_path": [],
        "workers": 1,
    }
    path = tmp_path / "manager.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    process = subprocess.run(
        [sys.executable, "-m", PACKAGE, str(path)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert process.returncode == 1
    assert "cannot reach the interchange" in process.stderr
    assert "tcp://127.0.0.1:1" in process.stderr
