"""A program that runs tasks on Slurm until it is killed; its argument is its run directory."""

import sys
import time
from pathlib import Path

from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.launchers import SrunLauncher
from lamina.providers_batch import SlurmProvider

provider = SlurmProvider(nodes_per_block=2, launcher=SrunLauncher(), status_polling_interval=1)
executor = HighThroughputExecutor("htex", provider)
executor.start(Site(run_dir=Path(sys.argv[1])))
print("submitted", flush=True)
futures = [executor.submit(time.sleep, 0.2) for _ in range(10_000)]
futures[0].result()
print("running", flush=True)
futures[-1].result()
