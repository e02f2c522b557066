"""Models as graphs of blocks with contracts: checked before they run, changed block by block.

Read in this order: `axis.py`, `port.py` and `contract.py` (what a contract says), `block.py` (a module with one),
`graph.py` (blocks wired up), `fabric.py` (what one does with it).
"""

from workbench.fabric.axis import ContractError
from workbench.fabric.block import Block
from workbench.fabric.change import Change
from workbench.fabric.check import Checked
from workbench.fabric.contract import Contract
from workbench.fabric.fabric import Fabric
from workbench.fabric.flow import Edge, EdgeError
from workbench.fabric.loop import Loop
from workbench.fabric.storage import read_contract

__all__ = [
    "Block",
    "Change",
    "Checked",
    "Contract",
    "ContractError",
    "Edge",
    "EdgeError",
    "Fabric",
    "Loop",
    "read_contract",
]
