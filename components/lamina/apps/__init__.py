"""Writing a workflow: apps, their futures, and the registry of the current kernel."""

from lamina.apps.app import App, Kind
from lamina.apps.call import AUTO_LOGNAME, AutoLogname
from lamina.apps.decorators import bash_app, join_app, python_app
from lamina.apps.futures import AppFuture, DataFuture
from lamina.apps.options import AppOptions, Options
from lamina.apps.registry import clear, dfk, load, wait_for_current_tasks
from lamina.apps.sharing import share

__all__ = [
    "AUTO_LOGNAME",
    "App",
    "AppFuture",
    "AppOptions",
    "AutoLogname",
    "DataFuture",
    "Kind",
    "Options",
    "bash_app",
    "clear",
    "dfk",
    "join_app",
    "load",
    "python_app",
    "share",
    "wait_for_current_tasks",
]
