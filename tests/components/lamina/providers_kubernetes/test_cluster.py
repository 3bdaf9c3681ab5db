from pathlib import Path

import pytest

from lamina.providers import ProviderUnavailable
from lamina.providers_kubernetes.cluster import cluster_of, must_be_installed
from lamina.vocabulary import ConfigError
from tests.fakes.kubernetes_api import emulated


def test_those_who_name_the_same_cluster_share_it() -> None:
    one = cluster_of("default", "config", None, 30)
    assert cluster_of("default", "config", None, 30) is one
    other = cluster_of("other", "config", None, 30)
    assert other is not one
    assert other.run != one.run


def test_without_the_library_it_is_said_what_to_install() -> None:
    must_be_installed()
    with pytest.raises(ConfigError, match=r"pip install 'lamina-flow\[kubernetes\]'"):
        must_be_installed("no_such_library_of_theirs")


def test_another_context_leads_elsewhere(tmp_path: Path) -> None:
    with emulated(tmp_path) as (_, config):
        assert cluster_of("default", config, "emulated", 30).pod("x") is None
        with pytest.raises(ProviderUnavailable, match="no-such-context"):
            cluster_of("default", config, "no-such-context", 30).pod("x")


def test_the_environment_says_which_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with emulated(tmp_path) as (_, config):
        monkeypatch.setenv("KUBECONFIG", config)
        assert cluster_of("default", None, None, 31).pod("x") is None


def test_without_any_configuration_it_is_said_what_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ProviderUnavailable, match="configuration"):
        cluster_of("default", None, None, 32).pod("x")
