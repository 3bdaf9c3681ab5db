"""A program with tasks under Grid Engine until it is killed; it is given its run directory."""

import sys
import time
from pathlib import Path

from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.providers_batch import GridEngineProvider

provider = GridEngineProvider(status_polling_interval=1)
executor = HighThroughputExecutor("htex", provider)
executor.start(Site(run_dir=Path(sys.argv[1])))
print("submitted", flush=True)
futures = [executor.submit(time.sleep, 0.2) for _ in range(10_000)]
futures[0].result()
print("running", flush=True)
futures[-1].result()
