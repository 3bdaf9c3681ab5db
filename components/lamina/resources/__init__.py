"""What a task may ask of a node, and the binders that hand it out: cores, accelerators, nodes."""

from lamina.resources.asking import in_words, read_wanted, write_wanted
from lamina.resources.facts import read_node
from lamina.resources.mpi_binder import MPIBinder
from lamina.resources.node_binder import NodeBinder
from lamina.resources.protocol import Binding, NodeFacts, Offer, ResourceBinder

__all__ = [
    "Binding",
    "MPIBinder",
    "NodeBinder",
    "NodeFacts",
    "Offer",
    "ResourceBinder",
    "in_words",
    "read_node",
    "read_wanted",
    "write_wanted",
]
