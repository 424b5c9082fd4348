"""A proxy between two ends of a ZeroMQ connection that does harm by a plan that a seed decides.

It relays TCP connections one to one, so each end sees the other's connections come and go, and
understands just enough of ZMTP 3.1 (https://rfc.zeromq.org/spec/23/, mechanism NULL) to tell
messages apart: after a greeting of 64 bytes come frames of one byte of flags, a size of one or
eight bytes, and content; a message ends with the first frame without MORE. Commands pass as they
are.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

GREETING_BYTES = 64
MORE, LONG, COMMAND = 1, 2, 4
REORDER_S = 0.5  # a message waits at most so long for another one to overtake it

Fault = Literal["drop", "duplicate", "reorder", "delay", "corrupt"]
Cut = Literal["reset", "stall"]
Message = list[tuple[int, bytes]]  # (flags, content) of each part


@dataclass(frozen=True)
class Harm:
    """What happens to one message."""

    fault: Fault | None
    delay_s: float
    dice: random.Random  # for the details


@dataclass(frozen=True, kw_only=True)
class FaultPlan:
    """Which share of messages meets which fault; the same for the same seed, way and number."""

    seed: int
    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    corrupt: float = 0.0
    delay_s: float = 1.5  # at most

    def harm(self, way: str, number: int) -> Harm:
        """What happens to the `number`-th message of a way."""
        dice = random.Random(f"{self.seed}/{way}/{number}")
        throw = dice.random()
        kinds: tuple[Fault, ...] = ("drop", "duplicate", "reorder", "delay", "corrupt")
        for kind in kinds:
            throw -= getattr(self, kind)
            if throw < 0:
                return Harm(kind, dice.uniform(0.1, 1.0) * self.delay_s, dice)
        return Harm(None, 0.0, dice)


class Proxy:
    """Listens on a port of its own; harms what passes between `begin` and `end`."""

    def __init__(self, target_port: int, *, name: str = "link") -> None:
        self.counts: Counter[str] = Counter()
        self.port = 0
        self._target_port = target_port
        self._plan: FaultPlan | None = None
        self._name = name
        self.passed: Counter[str] = Counter()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._open())
        self._flowing = self._call(self._flag())
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: object, _trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def address(self) -> str:
        """Where to dial."""
        return f"tcp://127.0.0.1:{self.port}"

    def begin(self, plan: FaultPlan) -> None:
        """Do harm by a plan from now on, and count it from the start."""
        self.counts.clear()
        self.passed.clear()
        self._plan = plan

    def end(self) -> None:
        """Pass everything on again."""
        self._plan = None

    def cut(self, seconds: float, kind: Cut) -> Future[None]:
        """Cut the network for so long; the future is done when it is whole again.

        reset: connections break and new ones are refused. stall: nothing passes and nothing breaks.
        """
        return asyncio.run_coroutine_threadsafe(self._cut(seconds, kind), self._loop)

    def _call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=60)

    async def _flag(self) -> asyncio.Event:
        flag = asyncio.Event()
        flag.set()
        return flag

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        self._flowing.set()
        for writer in self._writers:
            writer.transport.abort()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _cut(self, seconds: float, kind: Cut) -> None:
        self.counts["cut"] += 1
        if kind == "stall":
            self._flowing.clear()
        else:
            assert self._server is not None
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
        await asyncio.sleep(seconds)
        if kind == "stall":
            self._flowing.set()
        else:
            await self._open()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
        else:
            self._writers.add(far_writer)
            ways = (
                asyncio.create_task(self._pump("up", reader, far_writer)),
                asyncio.create_task(self._pump("down", far_reader, writer)),
            )
            self._tasks.update(ways)
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for each in (writer, far_writer):
                each.transport.abort()  # a connection ends at both ends at once
            await asyncio.wait(ways)
            self._tasks.difference_update(ways)
            self._writers.discard(far_writer)
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _pump(
        self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        relay = Relay(writer, self.counts)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            for _ in range(GREETING_BYTES):  # either end waits for the other's first bytes
                writer.write(await reader.readexactly(1))
            while True:
                flags, content = await _read_frame(reader)
                message: Message = [(flags, content)]
                while message[-1][0] & MORE:
                    message.append(await _read_frame(reader))
                await self._flowing.wait()
                plan = self._plan
                if flags & COMMAND or plan is None:
                    relay.write(message)
                else:
                    number = self.passed[way]
                    self.passed[way] += 1
                    relay.harm(message, plan.harm(f"{self._name}/{way}", number))
                await writer.drain()


class Relay:
    """One direction of one connection."""

    def __init__(self, writer: asyncio.StreamWriter, counts: Counter[str]) -> None:
        self._writer = writer
        self._counts = counts
        self._overtaken: list[Message] = []

    def write(self, message: Message) -> None:
        """Pass a message on, and behind it those that it was to overtake."""
        if self._writer.transport.is_closing():
            return
        late, self._overtaken = self._overtaken, []
        for each in (message, *late):
            self._writer.write(b"".join(_frame(flags, content) for flags, content in each))

    def harm(self, message: Message, harm: Harm) -> None:
        """Pass a message on as the plan says."""
        fault = harm.fault
        if fault is not None:
            self._counts[fault] += 1
        if fault == "drop":
            return
        if fault == "reorder":
            self._overtaken.append(message)
            self._later(REORDER_S, self._release)
        elif fault == "delay":
            self._later(harm.delay_s, lambda: self.write(message))
        else:
            self.write(corrupted(message, harm.dice) if fault == "corrupt" else message)
            if fault == "duplicate":
                self.write(message)

    def _release(self) -> None:
        if self._overtaken:
            self.write(self._overtaken.pop(0))

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, what)


def corrupted(message: Message, dice: random.Random) -> Message:
    """The message with one bit of one part that is not empty turned over."""
    number = dice.choice([n for n, (_, content) in enumerate(message) if content])
    flags, content = message[number]
    changed = bytearray(content)
    changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return [*message[:number], (flags, bytes(changed)), *message[number + 1 :]]


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    flags = (await reader.readexactly(1))[0]
    size = int.from_bytes(await reader.readexactly(8 if flags & LONG else 1), "big")
    return flags, await reader.readexactly(size)


def _frame(flags: int, content: bytes) -> bytes:
    size = len(content).to_bytes(8 if flags & LONG else 1, "big")
    return bytes([flags]) + size + content
