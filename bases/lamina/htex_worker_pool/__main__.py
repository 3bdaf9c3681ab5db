"""``python -m`` entry of the manager; the block's script starts it."""

import sys

from lamina.htex_worker_pool.process import run

sys.exit(run(sys.argv[1:]))
