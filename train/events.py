"""Event files for TensorBoard, which tensorboardX writes.

Its `SummaryWriter` writes from a thread: a killed process loses points, and on a full disk it never returns.
This file uses the plain writer below it, which writes where it is called.

Read `train.report` next.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

FILES = "events.out.tfevents.*"
"""The names of event files."""


class Point(NamedTuple):
    """The metrics of an epoch.

    Attributes:
      step: number of completed optimizer updates.
      seconds: duration of the epoch.
      metrics: each metric by its name.
    """

    step: int
    seconds: float
    metrics: dict[str, float]


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[Callable[[Sequence[Point]], None]]:
    """Writes an event file that replaces, for TensorBoard, those that are in the folder.

    So a resumed run writes its completed epochs again, and TensorBoard shows every point once, wherever the
    run was interrupted.

    Yields:
      A function that writes points, the last of which is from now. Its `OSError` names the folder.
    """
    # The package is optional. It imports PyTorch if that is installed.
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event, SessionLog
    from tensorboardX.proto.summary_pb2 import Summary

    folder.mkdir(parents=True, exist_ok=True)
    file = EventsWriter(str(folder / "events"))
    # A session that starts at step 0: TensorBoard drops what it knows from there on.
    file.write_event(Event(wall_time=time.time(), session_log=SessionLog(status=SessionLog.START)))

    def write(points: Sequence[Point]) -> None:
        now = time.time() - sum(point.seconds for point in points)
        try:
            for step, seconds, metrics in points:
                now += seconds
                values = [Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()]
                file.write_event(Event(wall_time=now, step=step, summary=Summary(value=values)))
            file.flush()
        except OSError as error:  # which does not say where the disk is full
            raise OSError(error.errno, error.strerror, str(folder)) from error

    try:
        yield write
    finally:
        with contextlib.suppress(OSError):  # what `write` has raised, once more
            file.close()
