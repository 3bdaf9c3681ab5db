"""The public face of Lamina: all that a workflow needs, each name imported when first used.

::

    from lamina.flow import load, python_app


    @python_app
    def inc(x: int) -> int:
        return x + 1


    with load():
        assert inc(inc(1)).result() == 3
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lamina.apps import (
        AUTO_LOGNAME,
        AppFuture,
        DataFuture,
        bash_app,
        clear,
        dfk,
        join_app,
        load,
        python_app,
        share,
        wait_for_current_tasks,
    )
    from lamina.channels import LocalChannel
    from lamina.channels_ssh import SSHChannel
    from lamina.executors import ThreadPoolExecutor
    from lamina.executors_htex import HighThroughputExecutor
    from lamina.executors_mpi import MPIExecutor
    from lamina.kernel import Config, DataFlowKernel
    from lamina.launchers import (
        AprunLauncher,
        GnuParallelLauncher,
        JsrunLauncher,
        MpiExecLauncher,
        MpiRunLauncher,
        SimpleLauncher,
        SingleNodeLauncher,
        SrunLauncher,
        WrappedLauncher,
    )
    from lamina.memo import id_for_memo
    from lamina.memo_log import get_all_checkpoints, get_last_checkpoint
    from lamina.providers import AdHocProvider, LocalProvider
    from lamina.providers_aws import AWSProvider
    from lamina.providers_batch import (
        CondorProvider,
        FluxProvider,
        GridEngineProvider,
        LSFProvider,
        PBSProProvider,
        SlurmProvider,
        TorqueProvider,
    )
    from lamina.providers_kubernetes import KubernetesProvider
    from lamina.staging import FileCopyStaging, SharedFileStaging
    from lamina.staging_archive import ArchiveStaging
    from lamina.staging_fsspec import FsspecStaging
    from lamina.staging_ftp import FTPStaging
    from lamina.staging_http import HTTPStaging
    from lamina.staging_rsync import RsyncStaging
    from lamina.staging_sftp import SFTPStaging
    from lamina.vocabulary import File

__all__ = [
    "AUTO_LOGNAME",
    "AWSProvider",
    "AdHocProvider",
    "AppFuture",
    "AprunLauncher",
    "ArchiveStaging",
    "CondorProvider",
    "Config",
    "DataFlowKernel",
    "DataFuture",
    "FTPStaging",
    "File",
    "FileCopyStaging",
    "FluxProvider",
    "FsspecStaging",
    "GnuParallelLauncher",
    "GridEngineProvider",
    "HTTPStaging",
    "HighThroughputExecutor",
    "JsrunLauncher",
    "KubernetesProvider",
    "LSFProvider",
    "LocalChannel",
    "LocalProvider",
    "MPIExecutor",
    "MpiExecLauncher",
    "MpiRunLauncher",
    "PBSProProvider",
    "RsyncStaging",
    "SFTPStaging",
    "SSHChannel",
    "SharedFileStaging",
    "SimpleLauncher",
    "SingleNodeLauncher",
    "SlurmProvider",
    "SrunLauncher",
    "ThreadPoolExecutor",
    "TorqueProvider",
    "WrappedLauncher",
    "bash_app",
    "clear",
    "dfk",
    "get_all_checkpoints",
    "get_last_checkpoint",
    "id_for_memo",
    "join_app",
    "load",
    "python_app",
    "share",
    "wait_for_current_tasks",
]

# The brick, beside this one, in which each name is.
_WHERE = {
    "AUTO_LOGNAME": "apps",
    "AWSProvider": "providers_aws",
    "AdHocProvider": "providers",
    "AppFuture": "apps",
    "AprunLauncher": "launchers",
    "ArchiveStaging": "staging_archive",
    "CondorProvider": "providers_batch",
    "Config": "kernel",
    "DataFlowKernel": "kernel",
    "DataFuture": "apps",
    "FTPStaging": "staging_ftp",
    "File": "vocabulary",
    "FileCopyStaging": "staging",
    "FluxProvider": "providers_batch",
    "FsspecStaging": "staging_fsspec",
    "GnuParallelLauncher": "launchers",
    "GridEngineProvider": "providers_batch",
    "HTTPStaging": "staging_http",
    "HighThroughputExecutor": "executors_htex",
    "JsrunLauncher": "launchers",
    "KubernetesProvider": "providers_kubernetes",
    "LSFProvider": "providers_batch",
    "LocalChannel": "channels",
    "LocalProvider": "providers",
    "MPIExecutor": "executors_mpi",
    "MpiExecLauncher": "launchers",
    "MpiRunLauncher": "launchers",
    "PBSProProvider": "providers_batch",
    "RsyncStaging": "staging_rsync",
    "SFTPStaging": "staging_sftp",
    "SSHChannel": "channels_ssh",
    "SharedFileStaging": "staging",
    "SimpleLauncher": "launchers",
    "SingleNodeLauncher": "launchers",
    "SlurmProvider": "providers_batch",
    "SrunLauncher": "launchers",
    "ThreadPoolExecutor": "executors",
    "TorqueProvider": "providers_batch",
    "WrappedLauncher": "launchers",
    "bash_app": "apps",
    "clear": "apps",
    "dfk": "apps",
    "get_all_checkpoints": "memo_log",
    "get_last_checkpoint": "memo_log",
    "id_for_memo": "memo",
    "join_app": "apps",
    "load": "apps",
    "python_app": "apps",
    "share": "apps",
    "wait_for_current_tasks": "apps",
}


def __getattr__(name: str) -> Any:
    brick = _WHERE.get(name)
    if brick is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    beside = __name__.rpartition(".")[0]
    value = getattr(import_module(f"{beside}.{brick}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
