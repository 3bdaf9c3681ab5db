import pytest

from lamina.plugins import UnknownPluginError
from lamina.staging import DEFAULT, FileCopyStaging, SharedFileStaging, plugins_of


def test_names_and_plugins_may_stand_together() -> None:
    mine = FileCopyStaging(where="nodes")
    assert plugins_of(["file", mine]) == (SharedFileStaging(), mine)
    with pytest.raises(UnknownPluginError, match="file-copy"):
        plugins_of(["floppy"])


def test_the_usual_ones_need_no_settings() -> None:
    assert len(plugins_of(DEFAULT)) == len(DEFAULT)
