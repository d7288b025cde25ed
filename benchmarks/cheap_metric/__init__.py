"""The claim that the robust metric inside a search orders networks correctly."""
