"""A program on a laptop, whose files no node sees; it drives htex on a cluster it reaches by SSH.

python laptop.py RUN_DIR SSH_CONFIG SCRIPT_DIR SLURM_CONF WORKER_INIT

It prints one JSON text for each thing that happened, and ends when its stdin does.
"""

import json
import os
import sys
import time
from pathlib import Path

from lamina.channels_ssh import SSHChannel
from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.providers_batch import SlurmProvider
from tests.integration.ssh.bodies import host_and_pid

PATIENCE = 90.0  # seconds


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


run_dir, ssh_config, script_dir, slurm_conf, worker_init = sys.argv[1:]
channel = SSHChannel(
    "key",
    config_file=ssh_config,
    python=sys.executable,
    script_dir=script_dir,
    envs={"SLURM_CONF": slurm_conf},
)
provider = SlurmProvider(
    channel=channel,
    init_blocks=2,
    min_blocks=2,
    max_blocks=2,
    walltime="00:05:00",
    worker_init=worker_init,
    status_polling_interval=1,
)
executor = HighThroughputExecutor(
    "far", provider, max_workers_per_node=1, heartbeat_period=2.0, heartbeat_threshold=6.0
)
executor.start(Site(run_dir=Path(run_dir)))
try:
    first = executor.submit(os.path.exists, f"{run_dir}/far/manager.json")
    say(sees=first.result(PATIENCE), here=Path(run_dir, "far", "manager.json").exists())
    say(there=[path.name for path in Path(script_dir).iterdir()])
    end = time.monotonic() + PATIENCE
    while len(executor.connected_managers()) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    futures = [executor.submit(host_and_pid, number) for number in range(100)]
    say(hosts=sorted({future.result(PATIENCE)[1] for future in futures}))
    for line in sys.stdin:  # each is a number of tasks of half a second
        lasting = [executor.submit(time.sleep, 0.5) for _ in range(int(line))]
        lasting[0].result(PATIENCE)
        say(begun=len(lasting))
        say(ended=[str(error) for one in lasting if (error := one.exception(PATIENCE))])
except Exception as error:  # what the test is about, or its failure: it is told either way
    say(error=str(error), blocks=[(one.state, one.reason) for one in executor.blocks()])
finally:
    executor.close(timeout=10.0)
    channel.close()
