"""Transfer: what did this search add, and what does the next one inherit?"""
