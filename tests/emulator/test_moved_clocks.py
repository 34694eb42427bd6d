"""An emulator in a process whose clock a test has frozen or moved: OpenSSL goes by the real one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import time_machine
from freezegun import freeze_time

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator import application

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

FIRST_START = """
from azure.keyvault.administration.emulator import ManagedHsmEmulator
from freezegun import freeze_time
with freeze_time("2020-02-29", real_asyncio=True), ManagedHsmEmulator():
    pass
with ManagedHsmEmulator():
    print("started")
"""
MOVES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "frozen before": lambda: freeze_time("1999-12-31", real_asyncio=True),
    "frozen after": lambda: freeze_time("2099-01-01", real_asyncio=True),
    "moved before": lambda: time_machine.travel("1999-12-31"),
    "moved after": lambda: time_machine.travel("2099-01-01"),
}


def _start_and_ask(data: Path | None) -> bytes:
    """Ask a started emulator from another process, whose clock is the real one; return the authority."""
    with ManagedHsmEmulator(data=data) as hsm:
        assert asyncio.run(application.send(hsm.environment(), "GET", "/")) == (401, "OK")
        return hsm.ca_certificate


@pytest.mark.parametrize("move", MOVES)
def test_certificates_made_under_another_clock_are_valid_now(move: str) -> None:
    with MOVES[move]():
        _start_and_ask(None)


@pytest.mark.parametrize("move", ["moved before", "moved after"])
def test_certificates_in_a_data_directory_stay_under_a_moved_clock(tmp_path: Path, move: str) -> None:
    first = _start_and_ask(tmp_path)
    with MOVES[move]():
        assert _start_and_ask(tmp_path) == first


def test_process_that_first_starts_an_emulator_under_a_frozen_clock_can_start_another() -> None:
    assert application.run(FIRST_START, {}) == "started"
