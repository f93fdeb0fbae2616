"""``torch._dynamo.eval_frame``."""

from facula.as_torch.stand_ins.torch._dynamo import OptimizedModule

__all__ = ["OptimizedModule"]
