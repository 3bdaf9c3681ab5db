import subprocess
import sys

import pytest

from lamina import flow


def test_the_table_of_late_names_is_the_list_of_public_ones() -> None:
    assert sorted(flow._WHERE) == flow.__all__


def test_dir_shows_names_before_they_are_imported() -> None:
    assert set(flow.__all__) <= set(dir(flow))


@pytest.mark.parametrize("name", flow.__all__)
def test_each_name_is_there(name: str) -> None:
    pytest.importorskip(f"{flow.__name__.rpartition('.')[0]}.{flow._WHERE[name]}")
    assert getattr(flow, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = flow.no_such_name


def test_the_import_brings_in_nothing_else_of_ours() -> None:
    code = (
        "import sys; before = set(sys.modules); from lamina import flow; "
        "root = flow.__name__.rpartition('.')[0]; "
        "print([m for m in set(sys.modules) - before if m.startswith(root + '.') "
        "and m != flow.__name__])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
