"""``torch.onnx``: no program is being exported."""


def is_in_onnx_export() -> bool:
    """Return False."""
    return False
