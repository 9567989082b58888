"""Hypothesis profiles: `gate` (the default) draws the same examples every time.

`UNMASK_HYPOTHESIS=explore` draws new ones and keeps what fails, for a search by hand or at night.
"""

import os

from hypothesis import settings

settings.register_profile("gate", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("UNMASK_HYPOTHESIS", "gate"))
