"""How many trials at once one driver handles."""
