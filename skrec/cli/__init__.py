"""The command line: ``skrec serve model.skops``. ``skrec --help`` lists the commands."""

from skrec.cli._main import main

__all__: list[str] = []
