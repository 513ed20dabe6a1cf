"""Frames between a process and its children: four bytes of length, then JSON. Never pickle.

    parent  [setup …] [run …]             [answer …]         [stop]
    child             [ready …]  [log …] [progress …] [call …]  [ok …] or [failed …]

What is read is held to the strict letter: a bound, no NaN, no endless digits, no endless nesting.
"""

import json
import socket
import struct
import threading
from collections import deque
from typing import Any, NoReturn

# Beside a result of MAX_RESULT: a traceback of 64 KiB, a message, a frame's own words.
ROOM = 128 * 1024
# As much as is read at once.
CHUNK = 64 * 1024

_HEAD = struct.Struct(">I")
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode

Frame = list[Any]


class BrokenFrame(ValueError):
    """What came is no frame: whoever sent it can't be understood any more."""


class Closed(OSError):
    """The other side is gone."""


def encoded(frame: Frame) -> bytes:
    """A frame as bytes, its length in front. Raises what `json` raises."""
    return with_length(_encode(frame).encode())


def with_length(payload: bytes) -> bytes:
    """The bytes of a frame's JSON with their length in front."""
    return _HEAD.pack(len(payload)) + payload


def _refuse(name: str) -> NoReturn:
    raise BrokenFrame(f"{name} is no JSON.")


_decode = json.JSONDecoder(parse_constant=_refuse).decode


def decoded(payload: bytes) -> Frame:
    """The frame that these bytes hold. Raises BrokenFrame."""
    try:
        frame = _decode(payload.decode())
    except BrokenFrame:
        raise
    except (ValueError, RecursionError) as error:
        raise BrokenFrame(f"a frame can't be read: {type(error).__name__}") from None
    if not isinstance(frame, list) or not frame or not isinstance(frame[0], str):
        raise BrokenFrame("a frame is no list that begins with a word.")
    return frame


class Channel:
    """One end of a connected pair of sockets. Any thread may send; one at a time receives."""

    def __init__(self, sock: socket.socket, most: int) -> None:
        """`most`: bytes of the largest frame that is taken."""
        self.sock = sock
        self.most = most
        # Guards a frame against another that is sent meanwhile. Reentrant: a finalizer or a signal handler may log.
        self._sending = threading.RLock()
        self._unsent: deque[bytes] = deque()
        # The thread (its ident) that is in the middle of that.
        self._sender = 0
        self._buffer = bytearray()

    def send(self, frame: Frame) -> None:
        """Send a frame; waits while the other side doesn't read. Raises OSError once it is gone."""
        self.send_bytes(encoded(frame))

    def send_bytes(self, data: bytes) -> None:
        """Send a frame that is encoded already."""
        with self._sending:
            self._unsent.append(data)
            if self._sender:
                # It came in the middle of a frame of this very thread, which goes on with this one.
                return
            self._sender = threading.get_ident()
            try:
                while self._unsent:
                    self.sock.sendall(self._unsent.popleft())
            finally:
                self._sender = 0

    def send_if_it_fits(self, frame: Frame) -> bool:
        """Send a short frame without waiting. False where that can't be done now."""
        if not self._sending.acquire(blocking=False):
            return False
        try:
            return not self._sender and self.sock.send(encoded(frame), socket.MSG_DONTWAIT) > 0
        except OSError:
            return False
        finally:
            self._sending.release()

    @property
    def is_sending_here(self) -> bool:
        """Whether the calling thread is in the middle of sending: a finalizer or a signal handler asks."""
        return self._sender == threading.get_ident()

    def receive(self) -> Frame:
        """Wait for the next frame. Raises Closed at the end, BrokenFrame for what is none."""
        return decoded(self.receive_bytes())

    def receive_bytes(self) -> bytes:
        """The same, not yet decoded."""
        buffer, size = self._buffer, -1
        while True:
            if len(buffer) >= 4 and size < 0:
                size = _HEAD.unpack_from(buffer)[0] + 4
                if size > self.most + 4:
                    raise BrokenFrame(
                        f"a frame says that it has {size - 4:,} bytes; {self.most:,} are taken."
                    )
            if 0 < size <= len(buffer):
                payload = bytes(buffer[4:size])
                del buffer[:size]
                return payload
            buffer += self._more()

    def _more(self) -> bytes:
        try:
            data = self.sock.recv(CHUNK)
        except OSError as error:
            raise Closed(str(error)) from None
        if not data:
            raise Closed("the other side is gone.")
        return data

    @property
    def holds_frame(self) -> bool:
        """Whether a whole frame has come in already, beside those that were taken."""
        return len(self._buffer) >= 4 and len(self._buffer) >= _HEAD.unpack_from(self._buffer)[0] + 4

    @property
    def has_begun(self) -> bool:
        """Whether a part of a frame has come in already."""
        return bool(self._buffer)

    def hang_up(self) -> None:
        """End the connection, for copies of it in other processes too: whoever receives learns of it at once."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # it was closed already
            pass

    def close(self) -> None:
        """Let go of this end; copies of it in other processes stay open."""
        self.sock.close()
