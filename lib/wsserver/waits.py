"""Measure the waits of the loop, for Server.on_wait(). This code stays while they are measured."""

from time import ticks_diff, ticks_us

from .timers import check_callable


def measured(ipoll, function):
    """Return an ipoll that calls function(microseconds) after each wait.

    Raises TypeError if the function cannot be called.
    """
    check_callable(function)

    def ipoll_measured(timeout):
        start = ticks_us()
        ready = ipoll(timeout)  # waits here, not while its results are iterated
        function(ticks_diff(ticks_us(), start))
        return ready

    return ipoll_measured
