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
    from pathlib import Path

FIRST_START = """
from azure.keyvault.administration.emulator import ManagedHsmEmulator
from freezegun import freeze_time
with freeze_time("2020-02-29", real_asyncio=True), ManagedHsmEmulator():
    pass
with ManagedHsmEmulator():
    print("started")
"""
DATES = ("1999-12-31", "2020-02-29", "2099-01-01")


def _start_and_ask(data: Path | None) -> bytes:
    """Ask a started emulator from another process, whose clock is the real one; return the authority."""
    with ManagedHsmEmulator(data=data) as hsm:
        assert asyncio.run(application.send(hsm.environment(), "GET", "/")) == (401, "OK")
        return hsm.ca_certificate


@pytest.mark.parametrize("date", DATES)
def test_certificates_made_under_a_frozen_clock_are_valid_now(date: str) -> None:
    with freeze_time(date, real_asyncio=True):
        _start_and_ask(None)


@pytest.mark.parametrize("date", DATES)
def test_certificates_made_under_a_moved_clock_are_valid_now(date: str) -> None:
    with time_machine.travel(date):
        _start_and_ask(None)


@pytest.mark.parametrize("date", DATES)
def test_certificates_in_a_data_directory_stay_under_a_moved_clock(tmp_path: Path, date: str) -> None:
    first = _start_and_ask(tmp_path)
    with time_machine.travel(date):
        assert _start_and_ask(tmp_path) == first


def test_process_that_first_starts_an_emulator_under_a_frozen_clock_can_start_another() -> None:
    assert application.run(FIRST_START, {}) == "started"
