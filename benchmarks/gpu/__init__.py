"""The proof on a GPU: what of Twentieth runs there, how fast, and what packing would bring.

Importing any part puts stand-ins in place of packages that the machine lacks, also in the processes
that a part starts.
"""

from benchmarks.gpu.absent_packages import ABSENT

__all__ = ["ABSENT"]
