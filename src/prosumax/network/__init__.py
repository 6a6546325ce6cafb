"""The wires: feeders, flows, voltages, losses, and what the operator of the network charges."""

from prosumax.network.feeder import BASE_KVA, Branches, Feeder

__all__ = ["BASE_KVA", "Branches", "Feeder"]
