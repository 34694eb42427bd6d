"""Python runs this at its start, so the children of a test are guarded as the test is: they inherit PYTHONPATH."""

import loopback_only  # noqa: F401 - imported for what it does
