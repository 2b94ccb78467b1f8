"""Every recommender for a minute with eight readers and a writer, and interrupted at 200 random moments.

The environment variables SKREC_ATTACK_SECONDS and SKREC_ATTACK_MOMENTS change the minute and the 200.
"""

import os

import pytest
from concurrent_updates import at_random, check_interrupts, check_readers
from subjects import UPDATABLE

SECONDS = float(os.environ.get("SKREC_ATTACK_SECONDS", "60"))
N_MOMENTS = int(os.environ.get("SKREC_ATTACK_MOMENTS", "200"))
pytestmark = [pytest.mark.attack, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("subject", UPDATABLE, ids=str)
def test_eight_readers_beside_a_writer(subject, attack_log):
    n_updates, n_read = check_readers(subject.fit, subject.update, n_readers=8, seconds=SECONDS)
    attack_log(seconds=SECONDS, updates=n_updates, reads=n_read, wrong=0)


@pytest.mark.parametrize("write", ["update", "refit"])
@pytest.mark.parametrize("subject", UPDATABLE, ids=str)
def test_interrupts_at_random_moments(subject, write, attack_log):
    interrupted = check_interrupts(subject.fit, getattr(subject, write), at_random(N_MOMENTS))
    attack_log(interrupts=interrupted, half_models=0)
