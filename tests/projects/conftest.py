"""Wheels and environments are made once for all tests, in whichever process these run."""

import os

import pytest

from tests.projects.environments import Workshop


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "workshop"
    place.mkdir(exist_ok=True)
    return Workshop(place)
