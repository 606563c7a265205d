"""The store in which the processes of a run find one another, and the network interface that they talk over."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from seqgen.errors import UsageError, one_line

_GET_ADDRESS = 0x8915  # of an interface, to ioctl on Linux (SIOCGIFADDR)


def connect_store(host: str, port: int, size: int) -> Any:
    """Return the store that the first process serves.

    Args:
        host: its address.
        port: the store's port there.
        size: number of processes.
    """
    return TCPStore(host, port, size, wait_for_workers=False)


def launched_store(rank: int, size: int) -> Any:
    """Return the store in which processes that torchrun has started find each other.

    Args:
        rank: of this process.
        size: number of processes.
    """
    serves = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    store = TCPStore(
        os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), size, is_master=serves, wait_for_workers=False
    )
    return PrefixStore(f"attempt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


def serve_store(host: str, size: int) -> tuple[Any, int]:
    """Return a store of this process and its port, at this address alone: left to itself it listens on all."""
    try:
        listener = socket.create_server((host, 0))
    except OSError as error:
        raise UsageError(f"cannot train with workers that reach this process at {host!r}: {one_line(error)}") from None
    port = listener.getsockname()[1]
    takes_sockets = torch.__version__ >= "2.9"  # compared as versions; libuv: not in torch 2.6, whose older server does
    store = TCPStore(
        host, port, size, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach(),
        use_libuv=takes_sockets,
    )  # fmt: skip
    return store, port


@contextlib.contextmanager
def interface_to(host: str) -> Iterator[None]:
    """Let gloo use the interface that reaches a host, whatever the name of this machine resolves to."""
    name, interface = "GLOO_SOCKET_IFNAME", _find_interface(host)
    if name in os.environ or interface is None:
        yield
        return
    os.environ[name] = interface
    try:
        yield
    finally:
        del os.environ[name]


def _find_interface(host: str) -> str | None:
    """Return the name of the network interface that reaches a host; None if it is not known."""
    names = [name for _, name in socket.if_nameindex()]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 1))  # sends nothing
        except OSError:
            return None
        address = probe.getsockname()[0]
        if address.startswith("127."):
            return next((name for name in names if name.startswith("lo")), None)
        return next((name for name in names if _address_of(name, probe) == address), None)


def _address_of(interface: str, probe: socket.socket) -> str:
    """Return the IPv4 address of an interface; "" if it has none, or this is not Linux."""
    if sys.platform != "linux":
        return ""
    import fcntl

    try:
        found = fcntl.ioctl(probe, _GET_ADDRESS, struct.pack("256s", interface.encode()[:15]))
    except OSError:
        return ""
    return socket.inet_ntoa(found[20:24])
