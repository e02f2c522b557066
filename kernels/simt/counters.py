"""What a launch costs, counted: the requests of its warps, and the pieces of memory that each of them takes.

A *request* is one warp executing one access. The memory system does not serve threads, it serves requests: global
memory in 32-byte **sectors**, shared memory in **wavefronts**, one for each pass that the 32 banks need (`traffic.py`
has both rules). Counts are those of the source: a subscript is an access, though a compiler may merge two of them.

A *statement* is a line of the source, executed by the lanes of a warp that got there; the line of a `for` or `while`
counts at each test. Declarations, `else`, `break` and `continue` execute nothing. A *branch* is the test of an `if`
or `while`, all its `and` and `or` parts together, and that of a `for` whose bounds differ among a warp's lanes; it has
diverged when some lanes went one way and some the other.

| counter | what NVIDIA Nsight Compute calls it |
|---|---|
| global_load_requests | l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum |
| global_load_sectors | l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum |
| global_load_lines | l1tex__t_set_accesses_pipe_lsu_mem_global_op_ld.sum is nearest: tags looked up |
| global_store_requests | l1tex__t_requests_pipe_lsu_mem_global_op_st.sum |
| global_store_sectors | l1tex__t_sectors_pipe_lsu_mem_global_op_st.sum |
| shared_load_requests | smsp__inst_executed_op_shared_ld.sum |
| shared_store_requests | smsp__inst_executed_op_shared_st.sum |
| shared_load_wavefronts | l1tex__data_pipe_lsu_wavefronts_mem_shared_op_ld.sum |
| shared_store_wavefronts | l1tex__data_pipe_lsu_wavefronts_mem_shared_op_st.sum |
| shared_bank_conflicts | l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_ld.sum + the same with op_st |
| atomics | l1tex__t_requests_pipe_lsu_mem_global_op_atom.sum + op_red + smsp__inst_executed_op_shared_atom.sum |
| barriers | none; in the source view, the BAR instructions executed |
| branches | smsp__sass_branch_targets.sum |
| divergent_branches | smsp__sass_branch_targets_threads_divergent.sum |
| warp_efficiency | smsp__thread_inst_executed_per_inst_executed.ratio / 32 |
| statements | smsp__inst_executed.sum, which counts machine instructions |
| flops | smsp__sass_thread_inst_executed_op_{fadd, fmul, 2 x ffma, dadd, dmul, 2 x dfma}_pred_on.sum |
| flops64 | smsp__sass_thread_inst_executed_op_{dadd, dmul, 2 x dfma}_pred_on.sum |
| transcendentals | smsp__inst_executed_pipe_xu.sum, which counts warps, and parts of a call |

`python -m kernels.simt.hardware` counts both on a GPU and says why they differ, where they do.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

WARP = 32  # threads that execute together


@dataclass
class Counters:
    """Counts of a launch, or of one line of it; two of them add up."""

    global_load_requests: int = 0
    global_load_sectors: int = 0  # distinct 32-byte sectors of a request, summed over requests
    global_load_lines: int = 0  # the same for 128-byte lines
    global_store_requests: int = 0
    global_store_sectors: int = 0
    global_store_lines: int = 0
    global_bytes_useful: int = 0  # what lanes asked for, loads and stores, summed over lanes
    global_bytes_unique: int = (
        0  # distinct bytes of the launch: read before it wrote them, plus written (or atomic)
    )
    shared_load_requests: int = 0
    shared_load_wavefronts: int = 0
    shared_store_requests: int = 0
    shared_store_wavefronts: int = 0
    shared_bank_conflicts: int = 0  # wavefronts beyond the fewest possible for the active lanes
    atomics: int = 0  # requests; neither loads nor stores
    barriers: int = 0  # warps that passed a barrier of the block or the grid
    branches: int = 0  # warps that met an `if`, a `while`, or a `for` whose bounds differ among their lanes
    divergent_branches: int = 0  # those whose lanes went both ways
    flops: int = 0
    flops64: int = 0  # those of them in double precision
    transcendentals: int = 0  # exp, log, sin, sqrt, ...: calls, summed over lanes
    statements: int = 0  # warps that executed a statement
    lanes: int = 0  # active lanes, summed over those

    @property
    def warp_efficiency(self) -> float:
        """Active lanes / 32, averaged over executed statements; 1 where none was executed."""
        return self.lanes / (WARP * self.statements) if self.statements else 1.0

    @property
    def sectors_per_request(self) -> float:
        """Of global loads and stores together: 4 when 32 lanes share 128 bytes, 32 at worst; 0 without any."""
        requests = self.global_load_requests + self.global_store_requests
        return (self.global_load_sectors + self.global_store_sectors) / requests if requests else 0.0

    def __iadd__(self, other: Counters) -> Counters:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        return self
