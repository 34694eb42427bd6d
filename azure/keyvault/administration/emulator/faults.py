"""The faults that an emulator can show.

.. code-block:: python

    hsm.faults.add(faults.Drop(after_work=True), method="PUT", path="/restore")

A fault says what happens. ``add`` of ``ManagedHsmEmulator.faults`` says to which requests, and how often.
"""

from ._domain.faults import (
    Challenge,
    ClaimsChallenge,
    Delay,
    Drop,
    FailedJob,
    Fault,
    FaultRule,
    Faults,
    MalformedBody,
    PageSize,
    Reset,
    SlowJob,
    Status,
    Throttle,
    TruncatedBody,
)
from ._domain.records import FailedJobForm

__all__ = [
    "Challenge",
    "ClaimsChallenge",
    "Delay",
    "Drop",
    "FailedJob",
    "FailedJobForm",
    "Fault",
    "FaultRule",
    "Faults",
    "MalformedBody",
    "PageSize",
    "Reset",
    "SlowJob",
    "Status",
    "Throttle",
    "TruncatedBody",
]
