"""Review: what have we already tried, and can it be trusted?"""
