"""The kit of ResourceBinder, on each of ours."""

from lamina.conformance import RESOURCE_BINDER
from lamina.resources import MPIBinder, NodeBinder
from tests.kits import as_tests

TestNode = as_tests(RESOURCE_BINDER, NodeBinder)
TestPinned = as_tests(RESOURCE_BINDER, lambda: NodeBinder(cpu_affinity="block"))
TestOversubscribed = as_tests(
    RESOURCE_BINDER, lambda: NodeBinder(cpu_affinity="alternating", cores_per_worker=0.25)
)
TestAccelerators = as_tests(
    RESOURCE_BINDER,
    lambda: NodeBinder(available_accelerators=["a", "a", "b"], mem_per_worker=2**30),
)
TestMPI = as_tests(RESOURCE_BINDER, lambda: MPIBinder(family="hydra"))
TestMPISlurmPrefix = as_tests(RESOURCE_BINDER, lambda: MPIBinder(launcher="srun", slots_per_node=7))
