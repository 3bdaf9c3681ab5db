import subprocess
import sys

import pytest

from lamina import endpoint


def test_every_public_name_is_there() -> None:
    for name in endpoint.__all__:
        assert getattr(endpoint, name) is not None
    assert set(endpoint.__all__) <= set(dir(endpoint))


def test_the_late_names_are_the_public_ones() -> None:
    assert sorted(endpoint._WHERE) == endpoint.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Kernel"):
        _ = endpoint.Kernel


def test_it_needs_no_kernel_and_no_apps() -> None:
    show = (
        f"import sys; from {endpoint.__name__} import Endpoint, SlurmProvider; "
        "print(*sorted(m.split('.')[1] for m in sys.modules if m.count('.') == 1 "
        f"and m.startswith({endpoint.__name__.partition('.')[0]!r})))"
    )
    said = subprocess.run(
        [sys.executable, "-c", show], capture_output=True, text=True, check=True, timeout=30
    )
    loaded = set(said.stdout.split())
    assert {"hosting", "executors_htex", "providers_batch"} <= loaded
    assert not loaded & {"kernel", "apps", "app_bodies", "codec_cloudpickle", "memo", "demo"}
