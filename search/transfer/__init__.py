"""Transfer: what did this search add, and what does the next one inherit?"""

from search.transfer.best import best_trials
from search.transfer.lessons import history_settings
from search.transfer.report import Report, write_report
from search.transfer.verdict import Verdict, verdict

__all__ = [
    "Report",
    "Verdict",
    "best_trials",
    "history_settings",
    "verdict",
    "write_report",
]
