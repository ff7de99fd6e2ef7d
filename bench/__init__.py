"""What this platform can do on this machine, beside what its engines can do and what a plain loop does.

One module a thing measured; `__main__.py` runs them, `report.py` tells. Nothing of the platform imports this.
"""
