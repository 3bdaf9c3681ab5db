"""What runs on the worker for each kind of app. It knows no kernel."""

from lamina.app_bodies.bash import BashBody
from lamina.app_bodies.errors import (
    AppBadFormatting,
    AppException,
    BadStdStreamFile,
    BashAppNoReturn,
    BashExitFailure,
    MissingOutputs,
)
from lamina.app_bodies.inside import enter_task, inside_task, leave_task
from lamina.app_bodies.python import PythonBody, plain_body, run_to_end
from lamina.app_bodies.streams import StdStream, read_stream
from lamina.app_bodies.stubs import FutureStub

__all__ = [
    "AppBadFormatting",
    "AppException",
    "BadStdStreamFile",
    "BashAppNoReturn",
    "BashBody",
    "BashExitFailure",
    "FutureStub",
    "MissingOutputs",
    "PythonBody",
    "StdStream",
    "enter_task",
    "inside_task",
    "leave_task",
    "plain_body",
    "read_stream",
    "run_to_end",
]
