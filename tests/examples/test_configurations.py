"""The examples of configurations in docs/how-to/examples are what `plan` can make sense of."""

from pathlib import Path

import pytest

from lamina.hosting import read_config, render_plan

EXAMPLES = Path(__file__).parents[2] / "docs" / "how-to" / "examples"
FILES = sorted(EXAMPLES.glob("*.toml"))
SAYS = {
    "condor": ["#CONDOR request_memory = 16384", "> 14400"],
    "grid_engine": ["#$ -pe mpi 4", "mpiexec --bind-to none -n 4 "],
    "local": ["it is run here", "export OMP_NUM_THREADS=1"],
    "lsf": ["#BSUB -nnodes 2", "jsrun -n 2 -r 1 --cpu_per_rs ALL_CPUS"],
    "pbspro": ["#PBS -l select=2:ncpus=64:ngpus=4", "mpiexec --cpu-bind none"],
    "slurm": ["#SBATCH --mem=122880M", "16 a node", "srun --ntasks=2 "],
    "ssh": ["a new directory in .lamina on cluster", "LAMINA_BLOCK=0 python -m "],
    "torque": ["#PBS -l nodes=2:ppn=16", "mpirun -np 2 "],
}
"""What the plan of each must show."""


def test_there_is_one_for_each_of_these_providers_and_for_ssh() -> None:
    assert {path.stem for path in FILES} >= SAYS.keys()


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_its_plan_is_the_one_that_it_is_meant_to_be(path: Path) -> None:
    plan = render_plan(read_config(path))
    assert f"executor {read_config(path).executors[0].label!r}, on provider " in plan
    for text in SAYS.get(path.stem, []):
        assert text in plan


def test_each_is_found_from_a_page_about_it() -> None:
    pages = [path.read_text(encoding="utf-8") for path in EXAMPLES.parent.glob("*.md")]
    assert not [
        path.name for path in FILES if not any(f"(examples/{path.name})" in page for page in pages)
    ]
