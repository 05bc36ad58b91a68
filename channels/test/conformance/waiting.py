"""Conformance: waiting threads and event loops are woken at once, and nothing is lost between them."""

# ruff: noqa: PT009, PT027 (unittest's own assertions, so that any test runner can run them and say what differs)

import asyncio
import threading
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

from channels.layers.base import Delivery, Outgoing
from channels.test.conformance.base import CONTENT, PATIENCE_SECONDS, LayerTests


class WaitingTests(LayerTests):
    """Tests of receivers that wait, and of the twins for event loops."""

    def test_blocked_receive_returns_when_a_message_comes(self) -> None:
        """A waiting thread is woken by the message, long before its time is over."""
        layer = self.new_layer()
        received: list[Any] = []
        thread = threading.Thread(
            target=lambda: received.extend(layer.receive_batch(["test.a", "test.b"], 1, PATIENCE_SECONDS))
        )
        thread.start()
        started = time.monotonic()
        layer.send("test.b", CONTENT)
        thread.join(PATIENCE_SECONDS)
        self.assertEqual(received, [Delivery(("test.b",), CONTENT)])
        self.assertLess(time.monotonic() - started, PATIENCE_SECONDS / 2)

    def test_blocked_receive_returns_when_its_time_is_over(self) -> None:
        """Waiting ends with nothing after the timeout."""
        layer = self.new_layer()
        started = time.monotonic()
        self.assertEqual(layer.receive_batch(["test.channel"], 1, 0.2), [])
        self.assertGreater(time.monotonic() - started, 0.15)

    def test_quiet_channel_is_served_beside_a_busy_one(self) -> None:
        """Channels are taken in random order, so a flooded one does not starve the others."""
        layer = self.new_layer(capacity=200)
        for _ in range(200):
            layer.send("test.busy", {})
        layer.send("test.quiet", {})
        first = [layer.receive(["test.busy", "test.quiet"])[0] for _ in range(60)]
        self.assertIn("test.quiet", first)

    def test_many_threads_take_each_message_once(self) -> None:
        """With several senders and receivers nothing is lost and nothing arrives twice."""
        layer = self.new_layer(capacity=10_000)
        senders, each = 4, 100
        received: list[int] = []
        done = threading.Event()

        def receive() -> None:
            while len(received) < senders * each and not done.is_set():
                received.extend(d.content["n"] for d in layer.receive_batch(["test.a", "test.b"], 7, 0.2))

        def send(first: int) -> None:
            for number in range(first, first + each):
                layer.send("test.a" if number % 2 else "test.b", {"n": number})

        threads = [threading.Thread(target=receive) for _ in range(3)]
        threads += [threading.Thread(target=send, args=(number * each,)) for number in range(senders)]
        for thread in threads:
            thread.start()
        stop = threading.Timer(PATIENCE_SECONDS, done.set)
        stop.start()
        for thread in threads:
            thread.join()
        stop.cancel()
        self.assertEqual(sorted(received), list(range(senders * each)))

    def test_twins_for_event_loops_do_the_same(self) -> None:
        """What a thread can do, an event loop can."""
        layer = self.new_layer(capacity=2)

        async def main() -> None:
            await layer.asend("test.channel", CONTENT)
            self.assertEqual(await layer.areceive(["test.channel"]), ("test.channel", CONTENT))
            await layer.agroup_add("group", "test.p!one")
            self.assertEqual(list(await layer.agroup_channels("group")), ["test.p!one"])
            await layer.asend_group("group", {"n": 1})
            await layer.agroup_discard("group", "test.p!one")
            await layer.asend_group("group", {"n": 2})
            outcomes = await layer.asend_batch([Outgoing("test.p!two", {"n": 3}), Outgoing("test.p!two", {"n": 4})])
            self.assertEqual([type(outcome).__name__ for outcome in outcomes], ["NoneType", "ChannelFull"])
            deliveries = await layer.areceive_batch(["test.p!"], limit=10, timeout=1)
            self.assertEqual([(d.content["n"], d.via_group) for d in deliveries], [(1, True), (3, False)])
            self.assertEqual(await layer.areceive_batch(["test.p!"]), [])

        self.run_async(layer, main)

    def test_asend_to_a_full_channel_is_refused(self) -> None:
        """Event loops see ChannelFull, too."""
        layer = self.new_layer(capacity=1)

        async def main() -> None:
            await layer.asend("test.single?reader", {})
            with self.assertRaises(layer.ChannelFull):
                await layer.asend("test.single?reader", {})

        self.run_async(layer, main)

    def test_blocked_areceive_returns_when_a_message_comes(self) -> None:
        """A waiting event loop is woken by a message from a thread, and runs other tasks meanwhile."""
        layer = self.new_layer()

        async def main() -> tuple[list[Delivery], float]:
            waiting = asyncio.ensure_future(layer.areceive_batch(["test.a", "test.b"], 8, PATIENCE_SECONDS))
            await asyncio.sleep(0)
            started = time.monotonic()
            await asyncio.to_thread(layer.send, "test.b", CONTENT)
            return await waiting, time.monotonic() - started

        deliveries, waited = self.run_async(layer, main)
        self.assertEqual(deliveries, [Delivery(("test.b",), CONTENT)])
        self.assertLess(waited, PATIENCE_SECONDS / 2)

    def test_areceive_batch_returns_when_its_time_is_over(self) -> None:
        """Waiting ends with nothing after the timeout."""
        layer = self.new_layer()

        async def main() -> tuple[Any, float]:
            started = time.monotonic()
            return await layer.areceive_batch(["test.channel"], 1, 0.2), time.monotonic() - started

        deliveries, waited = self.run_async(layer, main)
        self.assertEqual(deliveries, [])
        self.assertGreater(waited, 0.15)

    def test_cancelled_areceive_loses_no_message(self) -> None:
        """Whatever a cancelled receive was given is there for the next."""
        layer = self.new_layer(capacity=1000)

        async def main() -> list[int]:
            received: list[int] = []
            for number in range(50):
                waiting = asyncio.ensure_future(layer.areceive_batch(["test.p!"], 8, PATIENCE_SECONDS))
                sending: asyncio.Task[None] = asyncio.create_task(_send_soon(layer, number))
                await asyncio.sleep(0.0002 * (number % 10))
                waiting.cancel()
                with suppress(asyncio.CancelledError):
                    received += [d.content["n"] for d in await waiting]
                await sending
            while batch := await layer.areceive_batch(["test.p!"], 100, 0.2):
                received += [d.content["n"] for d in batch]
            return received

        self.assertEqual(sorted(self.run_async(layer, main)), list(range(50)))

    def test_many_tasks_send_and_receive(self) -> None:
        """Sends of many tasks all arrive, those of each task in order."""
        layer = self.new_layer(capacity=10_000)

        async def send(task: int) -> None:
            for number in range(20):
                await layer.asend(f"test.p!{task}", {"task": task, "n": number})

        async def main() -> dict[int, list[int]]:
            received: dict[int, list[int]] = {}
            sends: Sequence[Coroutine[Any, Any, None]] = [send(task) for task in range(20)]
            sending = asyncio.gather(*sends)
            while sum(map(len, received.values())) < 400:
                for delivery in await layer.areceive_batch(["test.p!"], 64, PATIENCE_SECONDS):
                    received.setdefault(delivery.content["task"], []).append(delivery.content["n"])
            await sending
            return received

        self.assertEqual(self.run_async(layer, main), {task: list(range(20)) for task in range(20)})


async def _send_soon(layer: Any, number: int) -> None:
    await asyncio.sleep(0.0001 * (number % 7))
    await layer.asend("test.p!one", {"n": number})
