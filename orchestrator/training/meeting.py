"""Waits of hosts and ranks for each other: they are reported, and a signal ends them.

torchrun and the process groups wait silently for minutes, mostly in C code.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from torch.distributed.distributed_c10d import Store
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.rendezvous import (
    RendezvousConnectionError,
    RendezvousHandler,
    RendezvousInfo,
    RendezvousParameters,
    RendezvousTimeoutError,
    rendezvous_handler_registry,
)
from torch.distributed.elastic.rendezvous.c10d_rendezvous_backend import (
    C10dRendezvousBackend,
    create_backend,
)
from torch.distributed.elastic.rendezvous.dynamic_rendezvous import (
    DynamicRendezvousHandler,
    create_handler,
)

from orchestrator.training.host_check import check_hosts
from semcom.errors import ConfigurationError
from semcom.stop_signals import Stopped, stopping_in_waits, to_stderr
from semcom.waits import look_at, pauses

BACKEND = "semcom-c10d"  # torchrun's c10d, with reported waits
MET = threading.Event()  # the hosts have been connected once


@contextmanager
def waiting(
    whom: Callable[[], str], stop: Callable[[int], BaseException] = Stopped
) -> Iterator[None]:
    """Report every few seconds what the block is waiting for; a signal ends it."""
    over = threading.Event()

    def tell() -> None:
        for pause_s in pauses():
            if over.wait(pause_s):
                return
            to_stderr(f"waiting for {whom()}")

    telling = threading.Thread(target=tell, name="waiting", daemon=True)
    telling.start()
    try:
        with stopping_in_waits(stop):
            yield
    finally:
        over.set()


def register_rendezvous() -> str:
    """Make torchrun report its waits; return the name of the rendezvous to request."""
    with suppress(ValueError):  # it is already registered
        rendezvous_handler_registry.register(BACKEND, _create)
    return BACKEND


def _create(parameters: RendezvousParameters) -> RendezvousHandler:
    endpoint = parameters.endpoint

    def where() -> str:
        return f"{endpoint}, the hosts' rendezvous: {look_at(endpoint)}"

    with waiting(where, _torchruns_end):
        backend, store = _reach_store(parameters)
    handler = create_handler(store, backend, parameters)
    meet = handler.next_rendezvous
    given = parameters.local_addr

    def whom() -> str:
        return f"the other hosts at {endpoint}: {here()} are here"

    def here() -> str:
        return f"{_hosts_here(handler)} of {parameters.min_nodes}"

    def meet_and_tell() -> RendezvousInfo:
        with waiting(whom, _torchruns_end):
            try:
                met = meet()
            except RendezvousTimeoutError as error:
                if MET.is_set():
                    raise
                raise not_met(f"{here()} came to {endpoint} in time") from error
            check_hosts(
                met.store,
                met.rank,
                met.world_size,
                address=given or socket.getfqdn(),
                given=given is not None,
            )
            MET.set()
            return met

    handler.next_rendezvous = meet_and_tell  # type: ignore[method-assign]
    handler.get_backend = lambda: BACKEND  # type: ignore[method-assign]
    return handler


def _reach_store(
    parameters: RendezvousParameters,
) -> tuple[C10dRendezvousBackend, Store]:
    """Host the store, or find the host that does.

    Raises:
        ConfigurationError: no host has one.
    """
    try:
        return create_backend(parameters)
    except RendezvousConnectionError as error:
        if not parameters.get_as_bool("is_host"):
            raise not_met(f"no host has the store at {parameters.endpoint}") from error
    # Another host has it: this host got the other's address, as both will report.
    parameters.config["is_host"] = "false"
    return _reach_store(parameters)


def not_met(why: str) -> ConfigurationError:
    """Return the error of hosts that have never been connected."""
    return ConfigurationError(
        f"the hosts did not connect to each other: {why}; see --rendezvous, --nnodes and "
        "--local-addr on each of "
        "them, and --wait if they start at different times"
    )


def _torchruns_end(number: int) -> BaseException:
    """Return the exception that torchrun's own handlers raise once its ranks run."""
    name = signal.Signals(number)
    return SignalException(f"asked to end by {name.name}", name)


def _hosts_here(handler: DynamicRendezvousHandler) -> int | str:
    """Return the number of hosts that have joined, as far as torchrun's state can be read."""
    try:
        return len(handler._state_holder.state.participants)
    except AttributeError:
        return "some"
