"""The command line of the slim bundle: ``lamina-endpoint``."""

from lamina.endpoint_cli.line import main

__all__ = ["main"]
