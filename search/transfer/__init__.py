"""Transfer: what did this search add, and what does the next one inherit?"""

from search.transfer.best import BestConfiguration, best_configurations
from search.transfer.lessons import history_settings
from search.transfer.report import Report, write_report
from search.transfer.verdict import Verdict, verdict

__all__ = [
    "BestConfiguration",
    "Report",
    "Verdict",
    "best_configurations",
    "history_settings",
    "verdict",
    "write_report",
]
