"""The one module that knows where the bundle is: inside this package, or installed beside it."""

from importlib import import_module
from importlib.util import find_spec

__all__ = ["NAME", "Endpoint", "EventSink", "LaminaError", "UsageError"]

_VENDORED = f"{__package__}._vendor"

NAME = f"{_VENDORED}.lamina.endpoint" if find_spec(_VENDORED) else "lamina.endpoint"
_face = import_module(NAME)

Endpoint = _face.Endpoint
EventSink = _face.EventSink
LaminaError = _face.LaminaError
UsageError = _face.UsageError
