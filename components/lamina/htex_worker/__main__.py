"""``python -m`` entry of the zygote; the manager starts it."""

import sys

from lamina.htex_worker.zygote import main

sys.exit(main(sys.argv[1:]))
