"""Ctrl-C and SIGTERM end a run when its epoch is saved. A second Ctrl-C ends it at once.

Read `train.loop` next: it trains the epochs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator

from rich.console import Console

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class StoppedError(Exception):
    """The process was asked to end.

    Args:
      cause: the signal that it received. If `None`, another process of the job received one.
      saved: what is saved.
    """

    def __init__(self, cause: signal.Signals | None, saved: str) -> None:
        by = "another process of the job" if cause is None else NAMES[cause]
        super().__init__(f"Stopped by {by}: {saved}")
        self.status = 128 + (cause or signal.SIGTERM)


@contextlib.contextmanager
def stopping(console: Console) -> Iterator[Callable[[], signal.Signals | None]]:
    """Holds back both signals, and yields a function that returns the first one received.

    Python runs the handler of a signal between two of its instructions, so not while an epoch is computed.
    But it writes the number of the signal to a socket at once, where a thread reads it.
    """
    received: list[signal.Signals] = []
    inbox, outbox = socket.socketpair()
    outbox.setblocking(False)

    def watch() -> None:
        while number := inbox.recv(1):
            if number[0] not in NAMES:
                continue
            received.append(signal.Signals(number[0]))
            if len(received) == 1:
                name = NAMES[received[0]]
                with contextlib.suppress(OSError):  # a pipe that the same Ctrl-C has closed
                    console.print(f"{name}: stopping when this epoch is saved. Another Ctrl-C stops at once.")
            elif received[-1] == signal.SIGINT:
                console.show_cursor()
                os._exit(128 + signal.SIGINT)  # a checkpoint that is being written has no name yet

    with inbox, contextlib.ExitStack() as stack:
        thread = threading.Thread(target=watch)
        thread.start()
        stack.callback(thread.join)
        stack.enter_context(outbox)
        stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(outbox.fileno(), warn_on_full_buffer=False))
        for number in NAMES:
            stack.callback(signal.signal, number, signal.signal(number, lambda *_: None))
        yield lambda: next(iter(received), None)
