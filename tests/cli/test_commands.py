"""The commands as a shell runs them."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
import skops.io

from skrec.cli import main
from skrec.dummy import PopularRecommender


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.skops"
    skops.io.dump(PopularRecommender().fit([["ann", "tea"], ["bob", "rye"], ["bob", "tea"]]), path)
    return path


@pytest.mark.parametrize("command", ["", "fit", "evaluate", "recommend", "serve", "demo"])
def test_help_has_examples_and_exit_codes(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert "exit codes: 0" in out
    assert ("examples:" in out) == bool(command)


def test_wrong_arguments_are_2(capsys):
    for arguments in ([], ["fly"], ["serve"], ["serve", "x", "--port", "70000"], ["serve", "x", "--max-k", "0"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert "usage: skrec" in capsys.readouterr().err


def test_a_missing_or_damaged_file_is_1(tmp_path, capsys):
    assert main(["serve", str(tmp_path / "none.skops")]) == 1
    assert "cannot be read: No such file" in capsys.readouterr().err
    (tmp_path / "model.skops").write_bytes(b"PK\x03\x04 nothing")
    assert main(["serve", str(tmp_path / "model.skops")]) == 1
    assert "cannot be loaded" in capsys.readouterr().err


def test_a_port_in_use_is_1(model_file, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", str(model_file), "--port", str(port)]) == 1
    assert f"Port {port} of 127.0.0.1 is in use; pass another port" in capsys.readouterr().err


def test_a_key_that_is_not_set_is_1(model_file, capsys):
    assert main(["serve", str(model_file), "--api-key-env", "SKREC_TEST_NO_KEY"]) == 1
    assert "SKREC_TEST_NO_KEY" in capsys.readouterr().err


@pytest.mark.slow
def test_serve_answers_and_ends_on_sigterm(model_file):
    command = [sys.executable, "-m", "skrec", "serve", str(model_file), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        line = next(line for line in process.stderr if "listening at" in line)
        address = line.split("listening at ")[1].split(",")[0]
        with urllib.request.urlopen(f"{address}/health") as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
