"""Extract: what did it teach?"""
