"""What the attacks share: a log of counts, printed at the end, and appended to the file in SKREC_ATTACK_LOG."""

import os

import pytest

_lines = []


@pytest.fixture
def attack_log(request):
    """A function that logs counts of one test: ``attack_log(calls=120, wrong=0)``."""

    def log(**counts):
        line = f"{request.node.name}: " + ", ".join(f"{name} {count}" for name, count in counts.items())
        _lines.append(line)
        if path := os.environ.get("SKREC_ATTACK_LOG"):
            with open(path, "a", encoding="utf-8") as file:
                file.write(line + "\n")

    return log


def pytest_terminal_summary(terminalreporter):
    if _lines:
        terminalreporter.section("attacks")
        for line in _lines:
            terminalreporter.write_line(line)
