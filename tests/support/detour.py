"""A way to a server that takes longer: passes bytes on, each way after a delay."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    loop = asyncio.get_running_loop()
    try:
        while data := await reader.read(65536):
            loop.call_later(delay, writer.write, data)
        await asyncio.sleep(delay)
    finally:
        writer.close()


@contextmanager
def detour(port: int, delay: float) -> Iterator[int]:
    """Yield a port that leads to ``port`` of this machine, ``delay`` seconds each way."""
    loop = asyncio.new_event_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        for source, target in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.ensure_future(_pass_on(source, target, delay))
            tasks.add(task)

    async def end() -> None:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    server = loop.run_until_complete(asyncio.start_server(connect, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
