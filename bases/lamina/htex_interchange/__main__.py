"""``python -m`` entry of the interchange; the client starts it."""

import sys

from lamina.htex_interchange.process import run

sys.exit(run(int(sys.argv[1])))
