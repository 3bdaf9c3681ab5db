from lamina.resources.prefixes import Run, aprun, environment, family_of, mpiexec, srun

EVEN = Run([("a", 2), ("b", 2)], whole=True, cores=4)
ODD = Run([("a", 2), ("b", 1)], whole=True)
SHARED = Run([("a", 2)], whole=False, options="-v")


def test_the_family_is_read_off_the_version() -> None:
    assert family_of("mpiexec.openmpi (OpenRTE) 4.1.4\n") == "openmpi"
    assert family_of("mpirun (Open MPI) 5.0.1\n") == "openmpi"
    assert family_of("HYDRA build details:\n    Version: 4.0.2\n") == "hydra"
    assert family_of("") == "hydra"


def test_open_mpi_is_told_the_slots_of_each_host() -> None:
    assert mpiexec(EVEN, "mpiexec", "openmpi") == "mpiexec -n 4 --host a:2,b:2"
    assert mpiexec(ODD, "mpiexec", "openmpi") == "mpiexec -n 3 --host a:2,b:1"


def test_programs_that_share_a_host_are_not_bound_to_its_first_cores() -> None:
    assert mpiexec(SHARED, "mpiexec", "openmpi") == "mpiexec -n 2 --host a:2 --bind-to none -v"


def test_hydra_is_told_how_many_on_each() -> None:
    assert mpiexec(EVEN, "mpiexec", "hydra") == "mpiexec -n 4 -ppn 2 -hosts a,b"
    assert mpiexec(ODD, "mpiexec", "hydra") == "mpiexec -n 3 -hosts a:2,b:1"
    assert mpiexec(SHARED, "mpiexec.mpich", "hydra") == "mpiexec.mpich -n 2 -ppn 2 -hosts a -v"


def test_a_program_may_have_options_and_an_odd_path() -> None:
    assert mpiexec(EVEN, "mpiexec -x A", "openmpi").startswith("mpiexec -x A -n 4")
    assert mpiexec(EVEN, "/opt/a$b/mpiexec", "openmpi").startswith("'/opt/a$b/mpiexec' -n 4")


def test_srun_is_told_nodes_and_tasks() -> None:
    assert srun(EVEN) == (
        "srun --ntasks 4 --nodes 2 --nodelist a,b --cpus-per-task 4 --ntasks-per-node 2"
    )
    assert srun(ODD) == "srun --ntasks 3 --nodes 2 --nodelist a,b --cpus-per-task 1"
    assert srun(SHARED) == (
        "srun --ntasks 2 --nodes 1 --nodelist a --cpus-per-task 1 --ntasks-per-node 2 --overlap -v"
    )


def test_aprun_is_told_nodes_and_ranks() -> None:
    assert aprun(EVEN) == "aprun -n 4 -N 2 -L a,b"


def test_the_task_finds_its_prefix_under_the_known_names() -> None:
    env = environment(EVEN, "srun", "mpiexec", "hydra")
    assert env == {
        "PARSL_MPI_PREFIX": srun(EVEN),
        "PARSL_SRUN_PREFIX": srun(EVEN),
        "PARSL_MPIEXEC_PREFIX": "mpiexec -n 4 -ppn 2 -hosts a,b",
        "PARSL_APRUN_PREFIX": "aprun -n 4 -N 2 -L a,b",
        "PARSL_MPI_NODELIST": "a,b",
        "PARSL_NUM_NODES": "2",
        "PARSL_NUM_RANKS": "4",
        "PARSL_RANKS_PER_NODE": "2",
        "LAMINA_MPI_PREFIX": srun(EVEN),
        "LAMINA_MPI_NODES": "a,b",
        "LAMINA_MPI_RANKS": "4",
    }
    assert environment(EVEN, "aprun", "x", "hydra")["PARSL_MPI_PREFIX"].startswith("aprun ")
    assert environment(EVEN, "mpiexec", "x", "hydra")["PARSL_MPI_PREFIX"].startswith("x -n 4")
