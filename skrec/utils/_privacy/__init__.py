"""Personal data out of texts, before they leave the process, or enter a cache or a log."""

from skrec.utils._privacy._scrubber import Scrubber, read_scrub

__all__ = ["Scrubber", "read_scrub"]
