"""The tables of docs/reference are complete, and each row names a test that exists."""

import ast
import functools
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import attrs
import pytest

from lamina import flow
from lamina.apps import AppFuture, AppOptions, DataFuture, Options
from lamina.channels import Channel, LocalChannel
from lamina.channels_ssh import SSHChannel
from lamina.codec import PickleCodec
from lamina.codec_cloudpickle import CloudpickleCodec
from lamina.dependencies import DeepResolver, ShallowResolver
from lamina.events import JsonLinesSink, MemorySink
from lamina.executors import ForeignExecutor, PoolFace, ThreadPoolExecutor
from lamina.executors_htex import HighThroughputExecutor
from lamina.executors_mpi import MPIExecutor
from lamina.hosting import EndpointConfig, TaskOptions
from lamina.htex_core import (
    BlockIdManagerSelector,
    FewestFreeManagerSelector,
    FirstInFirstOut,
    MostFreeManagerSelector,
    PriorityFirst,
    RandomManagerSelector,
    ShortestFirst,
    TurnManagerSelector,
)
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
from lamina.memo import InMemoryMemo, InMemoryResultStore, NoMemo, StoredMemo
from lamina.memo_log import LogResultStore
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
from lamina.resources import MPIBinder, NodeBinder
from lamina.retry_policy import (
    Again,
    Attempt,
    Backoff,
    ByCause,
    CostBudget,
    CrashLimit,
    Default,
    Either,
    GiveUp,
    InfrastructureFree,
    MoreMemory,
    Never,
    OtherExecutor,
    OtherNode,
    Retries,
    TaskRecord,
    Then,
    Trouble,
)
from lamina.routing import LeastLoaded, RoundRobin
from lamina.scaling import (
    AllFailed,
    AnyFailed,
    FailingBlocks,
    Guards,
    HtexAutoScale,
    LastFailed,
    NoScaling,
    Off,
    Quarantine,
    Simple,
    Steady,
)
from lamina.staging import FileCopyStaging, SharedFileStaging
from lamina.staging_archive import ArchiveStaging
from lamina.staging_fsspec import FsspecStaging
from lamina.staging_ftp import FTPStaging
from lamina.staging_http import HTTPStaging
from lamina.staging_rsync import RsyncStaging
from lamina.staging_sftp import SFTPStaging
from lamina.vocabulary import File, Resources

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted(page.stem for page in REFERENCE.glob("*.md"))
KEYWORDS = {"inputs", "outputs", "stdout", "stderr", "walltime", "parsl_resource_specification"}
NODE = re.compile(r"`(tests/[^`]+\.py)::(\w+)`")


class Row(NamedTuple):
    heading: str
    cells: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the first cell has between its first backquotes."""
        found = re.match(r"`(\w+)", self.cells[0])
        return found[1] if found else ""


def rows(page: str) -> list[Row]:
    """The rows of all tables of a page, without their headings."""
    found, heading, inside = [], "", False
    for line in (REFERENCE / f"{page}.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if not line.startswith("|"):
            inside = False
        elif set(line) <= set("|-: "):
            inside = True
        elif inside:
            found.append(Row(heading, tuple(cell.strip() for cell in line.strip("|").split("|"))))
    return found


def names(page: str, heading: str) -> list[str]:
    return [row.name for row in rows(page) if row.heading == heading]


def listed(page: str, heading: str, wanted: Iterable[str]) -> None:
    assert sorted(names(page, heading)) == sorted(wanted)


@functools.cache
def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def errors() -> set[str]:
    """The public classes of errors below LaminaError, read from the sources."""
    bases: dict[str, set[str]] = {}
    for path in (*ROOT.glob("components/lamina/*/*.py"), *ROOT.glob("bases/lamina/*/*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
    found = {"LaminaError"}
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return {name for name in found if not name.startswith("_")}


def test_each_option_of_a_decorator_is_listed() -> None:
    options = {field.name for field in attrs.fields(Options)}
    assert options == set(AppOptions.__annotations__)
    listed("apps", "Options", options)


def test_each_keyword_of_a_call_is_listed() -> None:
    listed("apps", "Keywords of a call", KEYWORDS)


def test_the_keywords_are_those_that_the_code_knows() -> None:
    shape = ROOT / "components/lamina/apps/shape.py"
    for node in ast.parse(shape.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SPECIAL":
            assert isinstance(node.value, ast.Call)
            assert ast.literal_eval(node.value.args[0]) == KEYWORDS
            return
    pytest.fail("shape.py has no SPECIAL")


OPTIONS: list[tuple[str, str, Callable[..., object]]] = [
    ("kernel", "Config", Config),
    ("apps", "Options", Options),
    ("apps", "Resources", Resources),
    ("executors", "ThreadPoolExecutor", ThreadPoolExecutor),
    ("executors", "HighThroughputExecutor", HighThroughputExecutor),
    ("executors", "ForeignExecutor", ForeignExecutor),
    ("executors", "MPIExecutor", MPIExecutor),
    ("endpoint", "EndpointConfig", EndpointConfig),
    ("endpoint", "Options of a task", TaskOptions),
    ("providers", "LocalProvider", LocalProvider),
    ("providers", "SSHChannel", SSHChannel),
    ("providers", "SlurmProvider", SlurmProvider),
    ("providers", "AdHocProvider", AdHocProvider),
    ("providers", "AWSProvider", AWSProvider),
    ("providers", "KubernetesProvider", KubernetesProvider),
    ("providers", "SimpleLauncher", SimpleLauncher),
    ("providers", "SingleNodeLauncher", SingleNodeLauncher),
    ("providers", "WrappedLauncher", WrappedLauncher),
    ("parts", "InMemoryMemo", InMemoryMemo),
    ("parts", "StoredMemo", StoredMemo),
    ("parts", "InMemoryResultStore", InMemoryResultStore),
    ("parts", "LogResultStore", LogResultStore),
    ("parts", "Retries", Retries),
    ("parts", "CrashLimit", CrashLimit),
    ("parts", "CostBudget", CostBudget),
    ("parts", "Backoff", Backoff),
    ("parts", "ByCause", ByCause),
    ("parts", "InfrastructureFree", InfrastructureFree),
    ("parts", "MoreMemory", MoreMemory),
    ("parts", "OtherNode", OtherNode),
    ("parts", "OtherExecutor", OtherExecutor),
    ("parts", "Either", Either),
    ("parts", "Then", Then),
    ("parts", "Again", Again),
    ("parts", "GiveUp", GiveUp),
    ("parts", "JsonLinesSink", JsonLinesSink),
    ("parts", "MemorySink", MemorySink),
    ("parts", "Steady", Steady),
    ("parts", "Guards of an executor", Guards),
    ("parts", "FailingBlocks", FailingBlocks),
    ("parts", "Quarantine", Quarantine),
    ("parts", "AnyFailed", AnyFailed),
    ("parts", "AllFailed", AllFailed),
    ("parts", "LastFailed", LastFailed),
    ("parts", "NodeBinder", NodeBinder),
    ("parts", "MPIBinder", MPIBinder),
    ("staging", "File", File),
    ("staging", "FileCopyStaging", FileCopyStaging),
    ("staging", "HTTPStaging", HTTPStaging),
    ("staging", "RsyncStaging", RsyncStaging),
    ("staging", "FsspecStaging", FsspecStaging),
    ("staging", "SFTPStaging", SFTPStaging),
    ("staging", "ArchiveStaging", ArchiveStaging),
    ("staging", "FTPStaging", FTPStaging),
]
"""A table of options: its page, its heading, and what has the options."""

WITHOUT_OPTIONS = [
    BlockIdManagerSelector,
    CloudpickleCodec,
    DeepResolver,
    Default,
    FewestFreeManagerSelector,
    FirstInFirstOut,
    HtexAutoScale,
    LeastLoaded,
    LocalChannel,
    MostFreeManagerSelector,
    Never,
    NoMemo,
    NoScaling,
    Off,
    PickleCodec,
    PriorityFirst,
    RandomManagerSelector,
    RoundRobin,
    ShallowResolver,
    SharedFileStaging,
    ShortestFirst,
    Simple,
    TurnManagerSelector,
]
"""Plug-ins that have a row and need no table."""


@pytest.mark.parametrize("page, heading, of", OPTIONS)
def test_each_option_is_listed(page: str, heading: str, of: Callable[..., object]) -> None:
    listed(page, heading, inspect.signature(of).parameters)


@pytest.mark.parametrize("of", WITHOUT_OPTIONS)
def test_what_has_no_table_has_no_options(of: Callable[..., object]) -> None:
    assert not inspect.signature(of).parameters


@pytest.mark.parametrize("page, heading, of", OPTIONS)
def test_each_plain_default_is_the_one_of_the_code(
    page: str, heading: str, of: Callable[..., object]
) -> None:
    found = {row.name: row.cells[2] for row in rows(page) if row.heading == heading}
    for parameter in inspect.signature(of).parameters.values():
        default = parameter.default
        if default is None or default == () or isinstance(default, bool | int | float | str):
            assert found[parameter.name] == f"`{default!r}`".replace("'", '"'), parameter.name
        elif default is inspect.Parameter.empty:
            assert found[parameter.name] == "none"


def briefly(page: str, heading: str, name: str) -> str:
    """What a table that has a row for each of several plug-ins says of one."""
    (row,) = [row for row in rows(page) if (row.heading, row.name) == (heading, name)]
    return row.cells[1]


@pytest.mark.parametrize(
    "of",
    [
        GridEngineProvider,
        PBSProProvider,
        TorqueProvider,
        LSFProvider,
        CondorProvider,
        FluxProvider,
    ],
)
def test_what_another_provider_has_unlike_slurm_is_listed(of: type) -> None:
    slurm = inspect.signature(SlurmProvider).parameters
    says = briefly("providers", "The other providers", of.__name__)
    own = inspect.signature(of).parameters
    for name, parameter in own.items():
        default = parameter.default
        if name == "label" or (name in slurm and slurm[name].default == default):
            continue
        assert f"`{name}`" in says
        if name in slurm or default not in (None, "", ()):
            assert re.search(rf"`{name}` \(`{default!r}`", says), name
    named = re.findall(r"`([a-z_]+)`", says.partition("; its")[0].partition("; several")[0])
    assert set(named) <= set(own)


@pytest.mark.parametrize(
    "of",
    [
        SrunLauncher,
        MpiExecLauncher,
        MpiRunLauncher,
        GnuParallelLauncher,
        AprunLauncher,
        JsrunLauncher,
    ],
)
def test_each_option_of_a_launcher_of_several_nodes_is_listed(of: type) -> None:
    says = briefly("providers", "Launchers of several nodes", of.__name__)
    own = {name: one.default for name, one in inspect.signature(of).parameters.items()}
    assert (own.pop("debug"), own.pop("overrides")) == (True, "")
    assert own == dict(re.findall(r'`(\w+)` \(`"([^"]+)"`\)', says))


@pytest.mark.parametrize(
    "page, heading, of",
    [("apps", "AppFuture", AppFuture), ("apps", "DataFuture", DataFuture)],
)
def test_what_a_future_has_of_its_own_is_listed(page: str, heading: str, of: type) -> None:
    own = {name for name in of.__dict__ if not name.startswith("_")}
    own -= {"described", "follow"}  # what messages call it, and what the app does with it
    missing = own - set(names(page, heading))
    assert not missing


@pytest.mark.parametrize("of", [Trouble, Attempt, TaskRecord])
def test_what_a_policy_is_told_is_listed(of: type) -> None:
    fields = {field.name for field in attrs.fields(of)} if attrs.has(of) else {"trouble"}
    own = {name for name, value in of.__dict__.items() if isinstance(value, property)}
    listed("parts", of.__name__, fields | own | ({"among"} if of is Trouble else set()))


def test_each_method_of_a_channel_is_listed() -> None:
    methods = [name for name in Channel.__dict__ if not name.startswith("_")]
    listed("providers", "LocalChannel", methods)


def test_what_a_file_has_is_listed() -> None:
    own = {name for name in dir(File) if not name.startswith("_")}
    text = " ".join(row.cells[0] for row in rows("staging") if row.heading == "What a File has")
    said = set(re.findall(r"`(\w+)`", text)) | set(names("staging", "File"))
    assert said == own - {"need_staging"}  # a mark of ours on the class


def test_each_public_name_of_a_kernel_is_listed() -> None:
    public = {name for name in DataFlowKernel.__dict__ if not name.startswith("_")}
    assert not public - set(names("kernel", "Functions and methods"))


def events() -> set[str]:
    """The kinds of events, read from the functions that emit some."""
    found: set[str] = set()
    for path in (*ROOT.glob("components/lamina/*/*.py"), *ROOT.glob("bases/lamina/*/*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                inside = list(ast.walk(function))
                called = {ast.unparse(one.func) for one in inside if isinstance(one, ast.Call)}
                if called & {"Event", "self._emit"}:
                    words = {str(one.value) for one in inside if isinstance(one, ast.Constant)}
                    found |= {one for one in words if re.fullmatch(r"[a-z]+\.(?!json)[a-z]+", one)}
    return found


def test_each_event_is_listed() -> None:
    listed_ = {
        kind
        for page in ("endpoint", "kernel")
        for row in rows(page)
        if row.heading == "Events"
        for kind in re.findall(r"`([a-z]+\.[a-z]+)`", row.cells[0])
    }
    assert listed_ == events()


def test_what_an_executor_can_be_asked_while_it_runs_is_listed() -> None:
    of_all = {*dir(ThreadPoolExecutor), *dir(PoolFace)}
    own = {name for name in dir(HighThroughputExecutor) if not name.startswith("_")} - of_all
    listed("executors", "While HighThroughputExecutor runs", own)


def builtin_plugins() -> Iterator[tuple[str, str]]:
    """The name and class of each plug-in that a brick declares, read from the sources."""
    for path in ROOT.glob("components/lamina/*/*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "BUILTIN":
                table = ast.literal_eval(node.value)
                groups = table.values() if isinstance(next(iter(table.values())), dict) else [table]
                for group in groups:
                    yield from ((name, where.partition(":")[2]) for name, where in group.items())


def commands(*words: str) -> set[str]:
    """The commands that a command line offers after these words."""
    done = subprocess.run(
        [sys.executable, "-m", "lamina.cli", *words, "--help"],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    return set(re.findall(r"^    (\w+)", done.stdout, re.MULTILINE))


def test_each_command_is_listed() -> None:
    cells = [row.cells[0].strip("`") for row in rows("kernel") if row.heading == "Commands"]
    of_memo = {f"memo {verb}" for verb in commands("memo")}
    ours = commands() - set(names("endpoint", "Commands")) - {"memo"}
    assert set(cells) == ours | of_memo


def test_each_plugin_of_ours_is_described() -> None:
    described = {row.name for page in PAGES for row in rows(page)}
    described |= {row.heading for page in PAGES for row in rows(page)}
    assert not {what for _, what in builtin_plugins()} - described
    cells = " ".join(row.cells[0] for row in rows("parts"))
    for name, what in builtin_plugins():
        if f"`{what}`" in cells:
            assert f'`{what}` ("{name}")' in cells


def test_each_public_name_of_flow_is_described() -> None:
    text = "".join((REFERENCE / f"{page}.md").read_text(encoding="utf-8") for page in PAGES)
    assert not [name for name in flow.__all__ if not re.search(rf"\b{name}\b", text)]


def test_each_error_is_listed() -> None:
    found = [row.name for row in rows("errors")]
    assert sorted(found) == sorted(errors())


@pytest.mark.parametrize("page", PAGES)
def test_each_row_names_a_test_that_exists(page: str) -> None:
    for row in rows(page):
        nodes = NODE.findall(row.cells[-1])
        assert nodes, f"{row.cells[0]} of {page}.md names no test"
        for file, test in nodes:
            assert (ROOT / file).is_file(), f"{row.cells[0]} names {file}"
            assert test in functions_of(ROOT / file), f"{row.cells[0]} names {file}::{test}"


@pytest.mark.parametrize("page", PAGES)
def test_all_rows_of_a_table_have_the_same_number_of_cells(page: str) -> None:
    widths: dict[str, set[int]] = {}
    for row in rows(page):
        widths.setdefault(row.heading, set()).add(len(row.cells))
    assert all(len(found) == 1 for found in widths.values())


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_imports_is_there(page: str) -> None:
    text = (REFERENCE / f"{page}.md").read_text(encoding="utf-8")
    for brick, imported in re.findall(r"`from (lamina\.\w+) import ([\w, ]+)`", text):
        module = import_module(brick)
        assert not [name for name in imported.split(", ") if name not in module.__all__]


def test_each_page_is_found_from_the_front() -> None:
    for front, folder in (
        (ROOT / "README.md", "docs/reference"),
        (ROOT / "docs/index.md", "reference"),
    ):
        text = front.read_text(encoding="utf-8")
        assert not [page for page in PAGES if f"({folder}/{page}.md)" not in text]
