"""The gate lets in many, or one alone, without starving the one."""

from __future__ import annotations

import asyncio

from chaos.gate import Gate


async def test_gate_lets_in_many_or_one_alone() -> None:
    gate, story = Gate(), list[str]()
    leave = asyncio.Event()

    async def share(name: str) -> None:
        async with gate.shared():
            story.append(f"{name} in")
            await leave.wait()
            story.append(f"{name} out")

    async def be_alone() -> None:
        async with gate.alone():
            story.append("alone in")
            await asyncio.sleep(0)
            story.append("alone out")

    early = [asyncio.create_task(share("a")), asyncio.create_task(share("b"))]
    await asyncio.sleep(0)
    alone = asyncio.create_task(be_alone())
    await asyncio.sleep(0)
    late = asyncio.create_task(share("c"))
    await asyncio.sleep(0)
    assert (story, gate.is_closed) == (["a in", "b in"], True)

    leave.set()
    await asyncio.gather(*early, alone, late)

    assert story == ["a in", "b in", "a out", "b out", "alone in", "alone out", "c in", "c out"]
    assert not gate.is_closed
