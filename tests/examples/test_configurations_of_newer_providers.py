"""Examples of configurations with newer providers are what a plan can make sense of."""

from pathlib import Path

import pytest

from lamina.hosting import read_config

EXAMPLES = Path(__file__).parents[2] / "docs" / "how-to" / "examples"
SAYS = {
    "ad_hoc": [
        "submitted with  bash, on one of the hosts",
        "# host 1, node2: /opt/lamina/bin/python",
        '"$LAMINA_LUGGAGE/manager.json"',
    ],
    "aws": [
        "submitted with  EC2 in us-east-2: 1 of c5.large, spot",
        "shutdown -h +60",
        "env LAMINA_BLOCK=0 /opt/lamina/bin/python -m ",
    ],
    "flux": [
        "submitted with  flux batch RUN_DIR/blocks/",
        "| # flux: --cores-per-slot=16",
        "| # flux: --requires=rack1",
        "| flux run --nodes=2 --ntasks=2 env LAMINA_BLOCK=0",
        "8 a node",
    ],
    "kubernetes": [
        "submitted with  the Kubernetes API, in namespace science",
        '"kind": "Pod"',
        '"export OMP_NUM_THREADS=1"',
        '"claimName": "science-data"',
    ],
}
"""What the plan of each must show."""


@pytest.mark.parametrize("name", SAYS)
def test_its_plan_is_the_one_that_it_is_meant_to_be(name: str) -> None:
    [executor] = read_config(EXAMPLES / f"{name}.toml").executors
    plan = str(executor.plan())  # type: ignore[attr-defined]
    assert not [text for text in SAYS[name] if text not in plan]
