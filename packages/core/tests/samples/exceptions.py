"""Public functions without a row, by module, each with the reason."""

EXCEPTIONS: dict[str, str] = {}
