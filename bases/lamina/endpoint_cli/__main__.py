"""``python -m`` runs the command line where no script is on the PATH."""

import sys

from lamina.endpoint_cli.line import main

if __name__ == "__main__":
    sys.exit(main())
