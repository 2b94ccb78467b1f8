"""One hypothesis profile for all tests: a kernel's first call compiles, which no deadline foresees."""

from hypothesis import settings

settings.register_profile("skrec", deadline=None)
settings.load_profile("skrec")
