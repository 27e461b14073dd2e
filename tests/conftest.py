"""Property tests look for new cases on a developer's machine, and repeat known ones where they gate a change."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
