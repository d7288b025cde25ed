"""Transfer: what did this search add, and what does the next one inherit?"""

from search.transfer.best import BestConfiguration, best_configurations
from search.transfer.report import Report, write_report
from search.transfer.verdict import Verdict, verdict

__all__ = [
    "BestConfiguration",
    "Report",
    "Verdict",
    "best_configurations",
    "verdict",
    "write_report",
]
