"""Nodes ask each other by publishing in Redis: a question to all on one channel; a question to one, and answers, on its own.

Nothing is kept: who does not listen in that moment never hears it. But Redis says how many listened, so a node that is dead costs
no wait. One that listens and says nothing costs `WITHIN_S`. A question may be answered after whoever asked has stopped waiting.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
import structlog
from msgspec import Raw
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.cluster.client import ERRORS, database_of
from app.cluster.outage import Outage
from app.hub.peers import A, Answer, Answers, AnyQuestion, Question
from app.kernel.deadline import Deadline
from app.kernel.errors import FieldError, InvalidFields
from app.kernel.ids import new_short_id

WITHIN_S: Final = 2.0
"""Seconds within which the others must have answered. In one data centre it is some milliseconds; a caller waits no longer."""
UNLISTED_S: Final = 0.1
"""Seconds that are waited for a node which listens and is not known to live: it has just started, or just died."""
SILENCE_S: Final = 2.0
"""Seconds without a word from Redis before it is asked whether it is there; so long again without an answer, and it is not."""
RETRY_S: Final = 0.5
"""Seconds between two tries to listen, while Redis is away."""
MAX_ASKING: Final = 32
"""Questions of this node at the same time; others wait for their turn, within the same time. Redis cuts off a node that has 32 MiB
of answers unread."""
MAX_ANSWERING: Final = 64
"""Questions of others that are answered at the same time; more are told no."""
MAX_QUESTION_BYTES: Final = 1_048_576
"""An audience of 30,000 users."""
MAX_ANSWER_BYTES: Final = 4_194_304
"""Half a million users that are counted."""
REDIS: Final = "redis"
"""What is missing while nobody can be asked: who else lives is not known then."""

_CHANNELS: Final = "wsx:peers:1"
"""And a word behind it. The number is that of the form of messages: nodes that speak another hear none, and count as missing."""

_CHANNELS_OF_A_NODE: Final = 2
_log = structlog.get_logger()
_encode = msgspec.msgpack.Encoder().encode


class Asked(msgspec.Struct, frozen=True, array_like=True, tag="asked"):
    """A question on its way."""

    id: str
    asker: str
    question: Raw


class Answered(msgspec.Struct, frozen=True, array_like=True, tag="answered"):
    """An answer on its way."""

    id: str
    node: str
    answer: Raw
    error: str = ""
    """Why there is none, in a word for the log; empty: there is one."""


_read = msgspec.msgpack.Decoder(Asked | Answered).decode
_read_question = msgspec.msgpack.Decoder(AnyQuestion).decode


class _Open:
    """A question of this node that is waited for."""

    def __init__(self, answer_type: Any) -> None:
        self._read = msgspec.msgpack.Decoder(answer_type).decode
        self.by_node: dict[str, Any] = {}
        self.heard: set[str] = set()
        """Nodes that answered, also with a no, or nonsense."""
        self._more = asyncio.Event()

    def answered(self, message: Answered) -> None:
        """A node has answered."""
        if message.error:
            _log.warning("a node could not answer", peer=message.node, error=message.error)
        else:
            try:
                self.by_node[message.node] = self._read(message.answer)
            except msgspec.DecodeError as error:
                _log.warning("an answer cannot be read", peer=message.node, error=str(error))
        self.heard.add(message.node)
        self._more.set()

    async def wait(self, listening: int, wanted: Collection[str]) -> None:
        """Until so many have answered: all who listen. Raises TimeoutError when all who are wanted have, and no more come."""
        while len(self.heard) < listening:
            self._more.clear()
            async with asyncio.timeout(UNLISTED_S if self.heard.issuperset(wanted) else None):
                await self._more.wait()


class RedisPeers:
    """`app.hub.peers.Peers` over Redis. Asks and answers between start and end of `running`."""

    is_alone = False

    def __init__(self, client: Redis, node: str, deadline: Deadline, nodes: Callable[[], Collection[str]]) -> None:
        """`nodes`: the ids of those that live, as far as is known. `deadline`: of a stop, for whatever waits for Redis."""
        self.node = node
        self._client = client
        self._deadline = deadline
        self.answer: Answer
        self._nodes = nodes
        database = database_of(client)
        self._to_all = f"{_CHANNELS}:{database}:all"
        self._to_one = f"{_CHANNELS}:{database}:node:"
        self._open: dict[str, _Open] = {}
        self._slots = asyncio.Semaphore(MAX_ASKING)
        self._answering: set[asyncio.Task[None]] = set()
        self._listens = asyncio.Event()
        self._deafness = Outage("questions of other nodes")
        self._ends = False

    async def ask(self, question: Question[A], node: str | None = None) -> Answers[A]:
        """Ask all nodes that live, or just this one."""
        if node == self.node:
            return Answers({node: await self.answer(question)})
        encoded = _encode(question)
        if len(encoded) > MAX_QUESTION_BYTES:
            words = f"it stands for so many that it cannot be sent to other nodes ({MAX_QUESTION_BYTES} bytes)"
            raise InvalidFields([FieldError("/audience", words)])
        others, missing = await self._ask_others(question, encoded, node)
        own = {self.node: await self.answer(question)} if node is None else {}
        return Answers({**own, **others}, missing)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen while the block runs; it begins when Redis has been reached, or has not been for `WITHIN_S`."""
        task = asyncio.create_task(self._listen_on(), name="peers")
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(WITHIN_S):
                    await self._listens.wait()
            yield
        finally:
            self._ends = True  # Redis's client has been seen to swallow a cancellation
            ending = {task, *self._answering}
            for one in ending:
                one.cancel()
            await asyncio.wait(ending)
            self._listens.clear()  # who asks now is told at once

    # -- asking ------------------------------------------------------------------------------------------------------
    async def _ask_others(self, question: Question[A], encoded: bytes, node: str | None) -> tuple[dict[str, A], Collection[str]]:
        """What others answer, and who of those that live does not."""
        wanted = set(self._nodes()) - {self.node}
        channel, is_heard_by_us = (self._to_all, True) if node is None else (self._to_one + node, False)
        if node is not None:
            wanted &= {node}
        if not self._listens.is_set():
            return {}, [REDIS]
        asked = Asked(new_short_id(), self.node, Raw(encoded))
        waiting = self._open[asked.id] = _Open(question.answer)
        is_sent = False
        try:
            async with self._deadline.within(WITHIN_S), self._slots:
                listening = await self._client.publish(channel, _encode(asked)) - is_heard_by_us
                is_sent = True
                await waiting.wait(listening, wanted)
        except ERRORS as error:  # among them that the time is over
            if not is_sent:
                _log.warning("other nodes cannot be asked", error=str(error) or type(error).__name__)
        finally:
            del self._open[asked.id]
        missing = (wanted | waiting.heard) - waiting.by_node.keys() if is_sent else {REDIS}
        return waiting.by_node, sorted(missing)

    # -- answering ---------------------------------------------------------------------------------------------------
    async def _listen_on(self) -> None:
        while not self._ends:
            try:
                await self._listen()
            except ERRORS as error:
                self._deafness.noticed(error)
            except Exception:
                _log.exception("not listening to other nodes")
            self._listens.clear()
            await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        """Take up what comes, until Redis is gone or says nothing any more. Raises what its client raises."""
        channels = {self._to_all, self._to_one + self.node}
        async with self._client.pubsub() as subscribed:
            await subscribed.subscribe(*channels)
            is_asked = False
            while not self._ends:
                message = await subscribed.get_message(timeout=SILENCE_S)
                if message is not None:
                    is_asked = False
                    self._take(message)
                elif is_asked:
                    raise RedisError("Redis does not answer")
                else:
                    is_asked = True
                    await subscribed.ping()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe" and message["data"] == _CHANNELS_OF_A_NODE:
            self._listens.set()
            self._deafness.is_over()
        if message["type"] != "message":
            return
        try:
            said = _read(message["data"])
        except msgspec.DecodeError as error:
            _log.warning("a message of another node cannot be read", error=str(error))
            return
        if isinstance(said, Asked):
            self._take_question(said)
        elif (waiting := self._open.get(said.id)) is not None:
            waiting.answered(said)

    def _take_question(self, asked: Asked) -> None:
        if asked.asker != self.node:
            task = asyncio.create_task(self._reply(asked, is_busy=len(self._answering) >= MAX_ANSWERING))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _reply(self, asked: Asked, *, is_busy: bool) -> None:
        answer, error = (b"", "busy") if is_busy else await self._own(asked)
        answered = Answered(asked.id, self.node, Raw(answer or b"\xc0"), error)
        try:
            await self._client.publish(self._to_one + asked.asker, _encode(answered))
        except ERRORS as failed:
            _log.warning("an answer could not be sent", peer=asked.asker, error=str(failed))

    async def _own(self, asked: Asked) -> tuple[bytes, str]:
        """The answer of this node; or none, and why."""
        try:
            answer = _encode(await self.answer(_read_question(asked.question)))
        except msgspec.DecodeError as error:
            return b"", f"unknown question: {error}"
        except Exception as error:
            _log.exception("a question of another node failed", peer=asked.asker)
            return b"", type(error).__name__
        return (answer, "") if len(answer) <= MAX_ANSWER_BYTES else (b"", "the answer is too long")
