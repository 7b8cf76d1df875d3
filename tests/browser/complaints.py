"""What a page complains of while it is tested."""


def listen(page) -> None:
    """Collect its errors and warnings, of scripts and of the console, in page.complaints."""
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            message.type in ("error", "warning") and page.complaints.append(message.text)
        ),
    )
