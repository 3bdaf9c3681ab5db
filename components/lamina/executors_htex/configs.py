"""What the interchange and the managers of a run are told: mappings that JSON and msgpack carry."""

import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamina.executors_htex.settings import Settings
from lamina.htex_core import WrittenCall, write_plugin
from lamina.processes import own_identity

__all__ = ["interchange_config", "make_socket_dir", "manager_config", "write_manager_config"]


def make_socket_dir() -> str:
    """A directory for a Unix socket that nobody else may enter, with a name that is short enough.

    Its parent is ``LAMINA_SOCKET_DIR``, or ``/tmp``.
    """
    return tempfile.mkdtemp(prefix="lamina-", dir=os.environ.get("LAMINA_SOCKET_DIR", "/tmp"))


def interchange_config(
    settings: Settings, directory: Path, package: str, socket_dir: str | None
) -> dict[str, Any]:
    """What the interchange is told.

    It listens in ``socket_dir``, unless the settings say where else.
    """
    bind = settings.bind()
    return {
        "bind": f"ipc://{socket_dir}/interchange" if bind is None else bind,
        "encrypted": bind is not None and settings.encrypted,
        "keys": str((directory / "keys").resolve()),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "package": package,
        "heartbeat_period": settings.heartbeat_period,
        "heartbeat_threshold": settings.heartbeat_threshold,
        "selector": _selector(settings),
        "socket_dir": socket_dir,
    }


def manager_config(
    settings: Settings, interchange: Mapping[str, Any], initializer: WrittenCall | None
) -> dict[str, Any]:
    """What managers are told, beside the addresses of the interchange."""
    return {
        "binder": write_plugin(settings.binder(), "resource_binder"),
        "block": "?",
        "codec": settings.codec_name,
        "drain_period": settings.drain_period,
        "encrypted": interchange["encrypted"],
        "heartbeat_period": settings.heartbeat_period,
        "heartbeat_threshold": settings.heartbeat_threshold,
        "keys": interchange["keys"],
        "package": interchange["package"],
        "initializer": None if initializer is None else initializer.as_json(),
        "prefetch": settings.prefetch_capacity,
        "program": list(own_identity()),
        "sys_path": _import_path(),
        "walltime": getattr(settings.provider, "walltime", None),
        "worker_memory_limit": settings.worker_memory_limit,
        "workers": settings.max_workers_per_node,
    }


def write_manager_config(
    directory: Path, config: Mapping[str, Any], addresses: Sequence[str]
) -> None:
    """Write ``manager.json``, for the user alone; without addresses, managers wait for another."""
    path, fresh = directory / "manager.json", directory / "manager.json.new"
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({**config, "addresses": addresses}, file)
    fresh.replace(path)  # whoever reads it meanwhile has the one or the other, and all of it


def _selector(settings: Settings) -> list[Any] | None:
    """What the interchange makes its selector from; None for its default."""
    selector = settings.manager_selector
    if selector is None:
        return None
    return [*write_plugin(selector, "manager_selector"), _import_path()]


def _import_path() -> list[str]:
    return [str(Path(entry).resolve()) for entry in sys.path if Path(entry).exists()]
