"""When the block of a manager ends."""

import pytest

from lamina.htex_worker_pool.ending import block_end


@pytest.mark.parametrize(
    "environ, walltime, ends",
    [
        ({}, None, None),
        ({}, 600.0, 605.0),
        ({"SLURM_JOB_END_TIME": "1300"}, None, 305.0),
        ({"SLURM_JOB_END_TIME": "1300"}, 600.0, 305.0),
        ({"SLURM_JOB_END_TIME": "9000"}, 600.0, 605.0),
        ({"PBS_WALLTIME": "60"}, None, 65.0),
        ({"PBS_WALLTIME": "for ever", "SLURM_JOB_END_TIME": ""}, None, None),
        ({"PBS_WALLTIME": "nan", "SLURM_JOB_END_TIME": "0"}, None, None),
    ],
)
def test_the_earliest_end_that_anybody_names_is_believed(
    environ: dict[str, str], walltime: float | None, ends: float | None
) -> None:
    assert block_end(environ, walltime, wall=1000.0, now=5.0) == ends
