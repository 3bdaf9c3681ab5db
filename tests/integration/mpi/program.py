"""A parallel program: each rank says who it is and where, and rank 0 writes it all down.

python program.py PATH [SECONDS]
"""

import json
import os
import platform
import sys
import time

from mpi4py import MPI

world = MPI.COMM_WORLD
began = time.time()
total = world.allreduce(world.rank + 1)
hosts = world.gather(os.environ.get("LAMINA_TEST_HOST", "localhost"))
machines = world.gather(platform.node())
time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)
world.Barrier()
if world.rank == 0:
    said = {
        "size": world.size,
        "total": total,
        "hosts": sorted(hosts),
        "machines": machines,
        "began": began,
        "ended": time.time(),
        "library": MPI.Get_library_version(),
        "given": {name: value for name, value in os.environ.items() if "MPI_" in name},
    }
    with open(f"{sys.argv[1]}.new", "w") as file:
        json.dump(said, file)
    os.rename(f"{sys.argv[1]}.new", sys.argv[1])
