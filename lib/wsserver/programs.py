"""Call a program's function that registers its endpoints. Loaded while it runs."""

from errno import EADDRINUSE

from .lazy import call, load


def register(server, name: str, signature: str, argument, reserved: tuple, show):
    """Import a module, and return what one of its functions returns for `argument`.

    signature: of the function, such as "setup(board)". reserved: the paths of the caller, which it
    may not register. show: a function that gets the hints below the traceback if it fails.
    Meanwhile server.run() raises RuntimeError, because it would not return.
    Raises ValueError if the module has no such function.
    """
    routes = server.routes
    for path in reserved:
        routes[path] = ("the firmware",)  # see http.routes.check_path
    server._stepping = True
    try:
        module = load(name)
        function = signature[: signature.find("(")]
        if not hasattr(module, function):
            file = getattr(module, "__file__", name).replace(".mpy", ".py")
            text = "%s has no function %s" % (file, signature)
            meant = call(".nearest", "near", function, dir(module))
            raise ValueError(text + (", but %s" % meant if meant else ""))
        result = getattr(module, function)(argument)
    except Exception as error:
        describe(error, signature, show)
        raise
    server._stepping = False
    for path in reserved:
        del routes[path]
    return result


def describe(error: Exception, signature: str, show) -> None:
    """Call show() with hints about an error of such a program; "" if there are none."""
    try:
        text = call(".reports", "describe", error, "it is called as " + signature)
        if isinstance(error, OSError) and error.errno == EADDRINUSE:
            text += ": the server that %s gets listens already" % signature
        show(text)
    except Exception:  # the error itself matters more
        pass
