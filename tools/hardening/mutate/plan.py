"""The source files that are mutated, and the tests that must notice the changes of each."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tools import ROOT


class Plan(NamedTuple):
    """How to test the changes of some files.

    sources: glob patterns below lib/. first: quick tests; a change that they do not notice is
    tested with `then` as well. weight: a file with 2 gets twice as many tries as one with 1.
    without: leave out the tests that have this in their name. slowest: leave out the tests that
    take more seconds.
    """

    sources: str
    first: str
    then: str = ""
    weight: int = 1
    without: str = ""
    slowest: float = 2.5


_CORE = "core/test_protocol.py core/test_loops.py test_exact_limits.py test_boundaries.py"
_SURROGATES = "test_surrogates.py"
_CLIENTS = "test_messages.py test_closing.py test_sending.py test_application_errors.py"
_HEADS = "core/test_handshake.py test_requests.py"
_REQUESTS = "http/test_cases.py test_http_requests.py test_http_responses.py"
_ACCESS = "test_guard.py test_refusal_log.py test_on_request.py"
_ROUTES = "http/test_routes.py http/test_bodies.py"
_BAD = "faults/test_bad_input.py"
_STARTS = "failsafe/test_boundaries.py failsafe/test_safety.py"

# The order is that of the tries.
PLANS = (
    Plan("core/protocol.py core/decoder.py", _CORE, f"{_CLIENTS} test_streams.py", 3),
    Plan(
        "core/frames.py core/buffers.py",
        f"{_CORE} {_SURROGATES}",
        f"{_CLIENTS} test_memory.py test_tls.py",
        2,
    ),
    Plan(
        "http/auth.py",
        "test_exact_limits.py test_boundaries.py test_guard.py",
        "test_proxies.py test_registration_errors.py test_ipv6.py test_brute_force.py",
        3,
    ),
    Plan(
        "http/ratelimit.py",
        "test_exact_limits.py test_boundaries.py test_guard.py",
        "test_proxies.py test_ipv6.py test_registration_errors.py test_rate_limit.py",
        3,
    ),
    Plan(
        "/failsafe/rollback.py /failsafe/bootcount.py",
        _STARTS,
        "failsafe/test_power_loss.py admin/test_settings.py admin/test_update_application.py",
        3,
        slowest=15,
    ),
    Plan(
        "http/request.py",
        f"{_HEADS} test_exact_limits.py test_boundaries.py",
        f"{_REQUESTS} {_ACCESS} test_proxies.py",
        3,
    ),
    Plan(
        "http/connection.py",
        f"{_HEADS} test_boundaries.py",
        f"{_REQUESTS} test_slots.py {_ACCESS} http/test_keepalive.py test_closing.py",
        3,
    ),
    Plan("http/bodies.py", "test_exact_limits.py http/test_bodies.py", "http/test_streams.py", 3),
    Plan(
        "http/exchange.py",
        f"{_ROUTES} http/test_keepalive.py",
        "http/test_streams.py http/test_ranges.py test_proxies.py test_slots.py",
        slowest=5,
    ),
    Plan("/failsafe/crash.py /failsafe/crashlog.py /failsafe/watchdog.py", _STARTS, slowest=15),
    Plan("/admin/access.py", "admin/test_settings.py admin/test_maintenance_tls.py", slowest=15),
    Plan("/config/atomic.py", "failsafe/test_boundaries.py", "config/test_settings.py"),
    Plan("core/portable.py", f"{_CORE} {_SURROGATES}", "", 1),
    Plan("core/native.py", f"{_CORE} {_SURROGATES}", _CLIENTS, 2, "[CPython"),
    Plan(
        "core/surrogates.py core/errors.py",
        f"{_SURROGATES} test_error_texts.py",
        f"{_CORE} {_BAD}",
    ),
    Plan(
        "http/unusual.py http/responses.py",
        f"{_HEADS} {_REQUESTS}",
        "test_files.py http/test_keepalive.py",
    ),
    Plan(
        "http/static.py http/percent.py http/ranges.py",
        "test_files.py http/test_ranges.py test_file_contents.py http/test_keepalive.py",
        "test_http_responses.py test_requests.py test_proxies.py test_tls.py",
    ),
    Plan("http/multipart.py http/uploads.py http/fields.py", _ROUTES, "http/test_streams.py"),
    Plan(
        "http/patterns.py http/routing.py",
        "http/test_patterns.py",
        f"{_ROUTES} test_registration_errors.py test_on_request.py test_http_responses.py",
    ),
    Plan("http/nearpaths.py", "http/test_near_paths.py", "test_http_responses.py"),
    Plan("http/response.py", _ROUTES, "http/test_streams.py http/test_keepalive.py"),
    Plan("http/events.py", "http/test_events.py", "http/test_streams.py"),
    Plan("http/proxies.py", "test_proxies.py", "test_ipv6.py"),
    Plan(
        "http/cors.py http/refusallog.py http/prehandshake.py http/decision.py",
        f"{_ACCESS} test_http_responses.py",
        f"{_ROUTES} test_async_callbacks.py",
    ),
    Plan(
        "http/routes.py http/registration.py http/arguments.py",
        "test_registration_errors.py core/test_handshake.py",
        f"{_ROUTES} {_ACCESS}",
    ),
    # Those that no plan names.
    Plan("core/*.py", _CORE, _CLIENTS),
    Plan("http/*.py", f"{_REQUESTS} {_ROUTES}", f"{_HEADS} {_ACCESS}"),
    Plan("/failsafe/*.py", _STARTS),
)


def sources() -> dict[Path, Plan]:
    """Return the first plan for each file, which is a path in the repository."""
    found: dict[Path, Plan] = {}
    for plan in PLANS:
        for name in plan.sources.split():
            pattern = name[1:] if name[0] == "/" else f"wsserver/{name}"
            for path in sorted((ROOT / "lib").glob(pattern)):
                found.setdefault(path.relative_to(ROOT), plan)
    return found


def tests(names: str) -> list[str]:
    """Return test files, as paths in the repository."""
    folders = {"admin", "failsafe", "config", "faults"}
    return [
        f"tests/{name}" if name.split("/")[0] in folders else f"tests/wsserver/{name}"
        for name in names.split()
    ]
