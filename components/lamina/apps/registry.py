"""The one kernel that apps go to unless they name another. Nothing else here is global."""

import threading

from lamina.kernel import Config, DataFlowKernel
from lamina.vocabulary import ConfigError, NoDataFlowKernelError

__all__ = ["clear", "current", "dfk", "load", "wait_for_current_tasks"]

_lock = threading.Lock()
_current: "DataFlowKernel | None" = None


class _Loaded(DataFlowKernel):
    """A kernel that is no longer the current one once it is closed."""

    def close(self, timeout: float | None = None, *, cancel: bool = True) -> None:
        """End it; see DataFlowKernel."""
        try:
            super().close(timeout, cancel=cancel)
        finally:
            _forget(self)


def _forget(kernel: DataFlowKernel) -> None:
    global _current
    with _lock:
        if _current is kernel:
            _current = None


def load(config: Config | None = None) -> DataFlowKernel:
    """Start a kernel and make it the current one, with ``with`` or without.

    Raises:
        ConfigError: One is loaded already, or this one cannot work.
    """
    global _current
    with _lock:
        if _current is not None:
            msg = (
                "a kernel is loaded already; close it or call clear() first, or make an "
                "independent one with DataFlowKernel(config) and data_flow_kernel="
            )
            raise ConfigError(msg)
        _current = kernel = _Loaded(config)
    return kernel


def clear() -> None:
    """Forget the current kernel, so that another can be loaded; it is not closed."""
    global _current
    with _lock:
        _current = None


def current() -> DataFlowKernel | None:
    """The current kernel, if there is one."""
    return _current


def dfk() -> DataFlowKernel:
    """The current kernel.

    Raises:
        NoDataFlowKernelError: There is none.
    """
    kernel = _current
    if kernel is None:
        what = "apps"
        raise NoDataFlowKernelError(what)
    return kernel


def wait_for_current_tasks(timeout: float | None = None) -> None:
    """Wait until every task submitted before this call is final.

    Raises:
        NoDataFlowKernelError: No kernel is loaded.
        TimeoutError: ``timeout`` seconds were not enough.
    """
    dfk().wait_for_current_tasks(timeout)
